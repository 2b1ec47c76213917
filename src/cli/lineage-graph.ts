/**
 * Draws lineage as text, newest first, the way git draws branches: `*` a checkpoint, `|` a line that goes on to an ancestor
 * further down, `/` a line that joins the one at its left, where a run was forked. Of a forgotten parent nothing but the id is
 * known: it is a gap `:` above what was saved before it in the run, or the end `o` of a line.
 */
import type { CheckpointInfo } from '../index.js';

/** One line of the drawing: a checkpoint, a forgotten parent, or only lines that meet. */
export interface LineageRow {
  graph: string;
  checkpoint?: CheckpointInfo;
  forgottenId?: string;
}

interface Node {
  id: string;
  parent: string | null;
  createdAt: number;
  checkpoint?: CheckpointInfo;
}

/** Returns the checkpoints that share an ancestor with the named one, itself included. */
export function connectedLineage(checkpoints: readonly CheckpointInfo[], id: string): CheckpointInfo[] {
  const nodes = lineageNodes(checkpoints);
  const rootOf = (start: string): string => {
    let current = start;
    for (let up = nodes.get(start)?.parent; up; up = nodes.get(up)?.parent) current = up;
    return current;
  };
  const root = rootOf(id);
  return checkpoints.filter((checkpoint) => rootOf(checkpoint.id) === root);
}

/** Returns the drawing of these checkpoints; each appears above its parent. */
export function drawLineage(checkpoints: readonly CheckpointInfo[]): LineageRow[] {
  /** What each column leads to; an empty column is null. */
  const lanes: (string | null)[] = [];
  const rows: LineageRow[] = [];
  for (const node of newestFirst(checkpoints)) {
    const waiting = lanes.flatMap((id, lane) => (id === node.id ? [lane] : []));
    for (const lane of waiting.slice(1).reverse()) {
      rows.push({ graph: joinLine(lanes, waiting[0] ?? 0, lane) });
      lanes[lane] = null;
    }
    dropEmptyLanes(lanes);
    const lane = waiting[0] ?? firstFreeLane(lanes);
    lanes[lane] = node.id;
    rows.push(nodeRow(lanes, lane, node));
    lanes[lane] = node.parent;
    dropEmptyLanes(lanes);
  }
  return rows;
}

function nodeRow(lanes: readonly (string | null)[], lane: number, node: Node): LineageRow {
  const mark = node.checkpoint !== undefined ? '*' : node.parent === null ? 'o' : ':';
  const graph = lanes.map((id, index) => (index === lane ? mark : laneMark(id))).join(' ');
  return node.checkpoint === undefined
    ? { graph, forgottenId: node.id }
    : { graph, checkpoint: node.checkpoint };
}

/** Draws the lane `from` going over to the lane `to` at its left, across those in between: `|_|/`. */
function joinLine(lanes: readonly (string | null)[], to: number, from: number): string {
  let line = '';
  for (const [lane, id] of lanes.entries()) {
    const between = lane > to && lane < from;
    line += lane === from ? ' ' : between && id === null ? '_' : laneMark(id);
    line += lane === from - 1 ? '/' : lane >= to && lane < from ? '_' : ' ';
  }
  return line.trimEnd();
}

function laneMark(id: string | null): string {
  return id === null ? ' ' : '|';
}

/** Drops the empty lanes at the right; those between others stay until a new line takes them. */
function dropEmptyLanes(lanes: (string | null)[]): void {
  while (lanes.length > 0 && lanes.at(-1) === null) lanes.pop();
}

function firstFreeLane(lanes: readonly (string | null)[]): number {
  const free = lanes.indexOf(null);
  return free < 0 ? lanes.length : free;
}

/** Orders nodes newest first, but never before their children; parents that are gone get a node of their own. */
function newestFirst(checkpoints: readonly CheckpointInfo[]): Node[] {
  const nodes = lineageNodes(checkpoints);
  const childCounts = new Map<string, number>();
  for (const { parent } of nodes.values())
    if (parent !== null) childCounts.set(parent, (childCounts.get(parent) ?? 0) + 1);
  const ready = [...nodes.values()].filter((node) => !childCounts.has(node.id));
  const ordered: Node[] = [];
  for (;;) {
    const next = ready.sort((a, b) => a.createdAt - b.createdAt).pop();
    if (next === undefined) return ordered;
    ordered.push(next);
    const parent = next.parent === null ? undefined : nodes.get(next.parent);
    if (parent === undefined) continue;
    const left = (childCounts.get(parent.id) ?? 0) - 1;
    childCounts.set(parent.id, left);
    if (left === 0) ready.push(parent);
  }
}

function lineageNodes(checkpoints: readonly CheckpointInfo[]): Map<string, Node> {
  const nodes = new Map<string, Node>();
  for (const checkpoint of checkpoints) {
    const { id, parent, createdAt } = checkpoint;
    nodes.set(id, { id, parent, createdAt, checkpoint });
  }
  const before = predecessors(checkpoints);
  for (const { id, parent, createdAt } of checkpoints) {
    if (parent === null) continue;
    const known = nodes.get(parent);
    if (known === undefined) nodes.set(parent, { id: parent, parent: before.get(id) ?? null, createdAt });
    else if (known.checkpoint === undefined && createdAt < known.createdAt) {
      known.createdAt = createdAt;
      known.parent = before.get(id) ?? null;
    }
  }
  return nodes;
}

/** Returns which checkpoint was saved before each in its run. */
function predecessors(checkpoints: readonly CheckpointInfo[]): Map<string, string> {
  const before = new Map<string, string>();
  const latest = new Map<string, string>();
  for (const { id, run } of [...checkpoints].sort((a, b) => a.createdAt - b.createdAt)) {
    const last = latest.get(run);
    if (last !== undefined) before.set(id, last);
    latest.set(run, id);
  }
  return before;
}
