/** Goes through records in their order and does each task as soon as all that it needs is decoded. */
import type { ChunkId } from '../hash/index.js';
import { type ChunkTools, DecodedChunks, type StoredRecord } from './chunk-jobs.js';

/**
 * Calls `act` for every task, each when the last of the chunks that it needs is there; nothing is kept longer than it is needed.
 * Records come each after all that it reads.
 */
export function decodeInTurn<Task>(
  tools: ChunkTools,
  records: readonly StoredRecord[],
  tasks: readonly Task[],
  needsOf: (task: Task) => readonly ChunkId[],
  act: (task: Task, decoded: DecodedChunks, at: number) => void,
): void {
  const decoded = new DecodedChunks(tools, records, true);
  const position = new Map(records.map(({ entry }, at) => [entry.id, at]));
  const uses = new Map<ChunkId, number>();
  const count = (ids: readonly ChunkId[], by: number): void => {
    for (const id of ids) {
      const left = (uses.get(id) ?? 0) + by;
      uses.set(id, left);
      if (left === 0) decoded.release(id);
    }
  };
  const due = new Map<number, number[]>();
  for (const [at, task] of tasks.entries()) {
    const needs = needsOf(task);
    const last = Math.max(...needs.map((needed) => position.get(needed) ?? 0));
    const others = due.get(last);
    if (others === undefined) due.set(last, [at]);
    else others.push(at);
    count(needs, 1);
  }
  for (const { entry } of records) count([entry.id, ...entry.references], 1);
  for (const [now, { entry }] of records.entries()) {
    decoded.get(entry.id);
    count(entry.references, -1);
    for (const at of due.get(now) ?? []) {
      act(tasks[at], decoded, at);
      count(needsOf(tasks[at]), -1);
    }
    count([entry.id], -1);
  }
}
