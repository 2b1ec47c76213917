/** A training process that gets a signal, and what it leaves. Needs a build. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { openStore } from '../../src/index.js';

const SCRIPT = fileURLToPath(new URL('training-process.mjs', import.meta.url));

export interface Ending {
  /** Lines that the process printed. */
  lines: { ready?: number; done?: string; signal?: string; step?: number }[];
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Between the signal and the end. */
  milliseconds: number;
}

/** When signals are sent: so long after the first checkpoint is durable, or at a share (0 to 1) of the time from one to the next. */
export type Moment = { afterMs: number } | { share: number };

/** Starts the process and sends it the signals. A share counts from the third checkpoint, and of the time that this one took. */
export async function endBySignal(
  store: string,
  options: object,
  signals: readonly NodeJS.Signals[],
  moment: Moment,
): Promise<Ending> {
  const child = spawn(process.execPath, [SCRIPT, store, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  let sentAt = 0;
  const send = (): void => {
    sentAt = Date.now();
    for (const signal of signals) child.kill(signal);
  };
  const readyAt: number[] = [];
  child.stdout.on('data', (text: Buffer) => {
    output += text.toString();
    const before = readyAt.length;
    for (const _ of text.toString().matchAll(/"ready"/g)) readyAt.push(Date.now());
    const isReached = (count: number): boolean => before < count && readyAt.length >= count;
    if ('afterMs' in moment && isReached(1)) setTimeout(send, moment.afterMs);
    if ('share' in moment && isReached(3)) setTimeout(send, moment.share * (readyAt[2] - readyAt[1]));
  });
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.on('close', (...ending) => resolve(ending));
  });
  const lines = output
    .trim()
    .split('\n')
    .map((line): Ending['lines'][number] => JSON.parse(line));
  return { lines, code, signal, milliseconds: Date.now() - sentAt };
}

/** Returns the step of the latest checkpoint and whether all its elements are of that step. Throws for a damaged store. */
export async function latestOf(folder: string): Promise<{ step: number; isWhole: boolean }> {
  const store = await openStore(folder);
  const { damaged } = await store.check({ readData: 100 });
  if (damaged.length > 0) throw new Error(`damaged: ${damaged.map(({ object }) => object).join(', ')}`);
  const state = await store.run('r').restore();
  await store.close();
  const { model, progress } = state as { model: { weights: Float32Array }; progress: { step: number } };
  return { step: progress.step, isWhole: model.weights.every((weight) => weight === progress.step) };
}
