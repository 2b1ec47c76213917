/** Runs every command and call of the README's table of what people do around checkpoints, in its order. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createStore, keep, type Run, type Store } from '../../src/index.js';
import { run as runCommand } from '../cli/in-process.js';
import { tableBelow } from './readme-blocks.js';

const ROWS = tableBelow('## Around a checkpoint');
const FIXTURES = fileURLToPath(new URL('../../fixtures/run', import.meta.url));

/** What people have named in the literature on checkpointing; a row for each. */
const CAPABILITIES = [
  'contents',
  'periodic',
  'best',
  'incremental',
  'naming',
  'cleaning',
  'organising',
  'loading',
  'resuming',
  'verifying',
  'tuning',
  'evaluating',
  'stages',
];

let folder: string;
let store: Store;
let run: Run;
const before = process.cwd();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thetalog-capabilities-'));
  await cp(FIXTURES, folder, { recursive: true });
  process.chdir(folder);
  store = await createStore('store');
  run = store.run('net');
});

afterAll(async () => {
  process.chdir(before);
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const state = {
  model: { w: new Float32Array(5000).fill(1) },
  optimizer: { m: new Float32Array(5000).fill(2) },
  scheduler: { warmUp: 100 },
  rng: { words: Uint32Array.of(1, 2) },
  loader: { position: 4096 },
  progress: { step: 100, epoch: 1 },
  metrics: { loss: 2.5 },
  config: { lr: 3e-4 },
};

/** Evaluates a call as a program would make it, and waits for a save to be durable. */
async function call(source: string): Promise<unknown> {
  const body = new Function('store', 'run', 'keep', 'state', `return (async () => ${source})()`);
  const result = await body(store, run, keep, state);
  return result?.committed ?? result;
}

test('there is a row for each capability', () => {
  expect(ROWS.map(([name]) => /^\*\*([a-z]+)\*\*/.exec(name)?.[1])).toEqual(CAPABILITIES);
});

test.each(ROWS)('%s', async (_name, commands, calls) => {
  const [lines, sources] = [commands, calls].map((cell) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text),
  );
  expect(lines.length + sources.length).toBeGreaterThan(0);
  for (const line of lines) {
    const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain);
    const { code, stderr } = await runCommand(words.slice(1), { env: { THETALOG_STORE: 'store' } });
    expect([line, stderr.includes('thetalog: '), code]).toEqual([line, false, 0]);
  }
  for (const source of sources) await call(source);
});
