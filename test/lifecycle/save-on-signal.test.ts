/** Real processes that get signals while they train and save. Needs a build. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, test } from 'vitest';
import { createStore, type SignalOutcome } from '../../src/index.js';
import { makeStore } from '../engine/make-store.js';
import { Dice } from '../reliability/dice.js';
import { GatedStorage } from './gated-storage.js';
import { endBySignal, latestOf } from './signalled-process.js';

const scratch = mkdtempSync(join(tmpdir(), 'thetalog-signals-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let stores = 0;
async function emptyStore(): Promise<string> {
  const folder = join(scratch, String(stores++));
  await (await createStore(folder)).close();
  return folder;
}

const SMALL = 200_000;
/** Takes long enough for a signal to come in the middle of its save. */
const LARGE = 4_000_000;
const GENEROUS_MS = 20_000;

describe('SIGTERM while a process trains and saves', () => {
  const seed = Date.now() % 2 ** 31;
  const dice = new Dice(seed);
  const moments = Array.from({ length: 3 }, () => dice.below(1000) / 1000);

  test.each(moments)(
    `at any moment of a save (%f of it, seed ${seed}): the state of that moment is saved whole, and the process ends by the signal`,
    async (share) => {
      const folder = await emptyStore();
      const options = { elements: LARGE, signals: ['SIGTERM'], deadlineMs: GENEROUS_MS };
      const { lines, signal, milliseconds } = await endBySignal(folder, options, ['SIGTERM'], { share });
      expect(signal).toBe('SIGTERM');
      expect(milliseconds).toBeLessThan(GENEROUS_MS);
      const done = lines.at(-1);
      expect(done).toMatchObject({ done: 'saved', signal: 'SIGTERM' });
      const { step, isWhole } = await latestOf(folder);
      expect(isWhole).toBe(true);
      expect(step).toBeGreaterThanOrEqual(done?.step ?? Infinity);
    },
    60_000,
  );

  test('with a manager: the state between two steps, though steps wait half-way', async () => {
    const folder = await emptyStore();
    const options = {
      elements: SMALL,
      manager: 5,
      stepMs: 20,
      signals: ['SIGTERM'],
      deadlineMs: GENEROUS_MS,
    };
    const { lines, signal } = await endBySignal(folder, options, ['SIGTERM'], {
      share: dice.below(1000) / 1000,
    });
    expect(signal).toBe('SIGTERM');
    const { step, isWhole } = await latestOf(folder);
    expect(isWhole).toBe(true);
    expect(lines.at(-1)).toMatchObject({ done: 'saved', step });
  }, 60_000);

  test('with no time left: the one before stays, and the process ends within the deadline', async () => {
    const folder = await emptyStore();
    const options = { elements: LARGE, signals: ['SIGTERM'], deadlineMs: 1 };
    const { lines, signal, milliseconds } = await endBySignal(folder, options, ['SIGTERM'], {
      share: dice.below(1000) / 1000,
    });
    expect(signal).toBe('SIGTERM');
    expect(lines.at(-1)).toMatchObject({ done: 'abandoned' });
    expect(milliseconds).toBeLessThan(5000);
    expect((await latestOf(folder)).isWhole).toBe(true);
  }, 60_000);

  test('twice, and with SIGUSR1, which saves and goes on: it is seen to once', async () => {
    const folder = await emptyStore();
    const options = { elements: SMALL, signals: ['SIGTERM', 'SIGUSR1'], deadlineMs: GENEROUS_MS };
    const { lines, signal } = await endBySignal(folder, options, ['SIGUSR1', 'SIGTERM', 'SIGTERM'], {
      share: dice.below(1000) / 1000,
    });
    expect(signal).toBe('SIGTERM');
    const done = lines.filter((line) => line.signal === 'SIGTERM').map((line) => line.done);
    expect(done).toEqual(['saved']);
    expect((await latestOf(folder)).isWhole).toBe(true);
  }, 60_000);
});

describe('a signal that does not end the process', () => {
  const state = (step: number) => ({ model: { w: new Float32Array(3000).fill(step) }, progress: { step } });

  function outcomes(): {
    seen: SignalOutcome[];
    next: () => Promise<SignalOutcome>;
    onDone: (one: SignalOutcome) => void;
  } {
    const seen: SignalOutcome[] = [];
    let wake = (_: SignalOutcome): void => {};
    const onDone = (one: SignalOutcome): void => {
      seen.push(one);
      wake(one);
    };
    const next = () =>
      new Promise<SignalOutcome>((resolve) => {
        wake = resolve;
      });
    return { seen, next, onDone };
  }

  test('saves after the save under way', async () => {
    const storage = new GatedStorage();
    const { store } = await makeStore(storage);
    const run = store.run('r');
    const { next, onDone } = outcomes();
    let step = 1;
    run.saveOnSignal(['SIGUSR2'], { state: () => state(step), onDone });
    storage.shut();
    await run.save(state(step));
    const done = next();
    process.kill(process.pid, 'SIGUSR2');
    await new Promise((resolve) => setTimeout(resolve, 20));
    step = 2;
    storage.open();
    expect(await done).toMatchObject({ outcome: 'saved', result: { step: 2 } });
    expect((await run.list()).map((info) => info.step)).toEqual([1, 2]);
    await store.close();
    expect(process.listenerCount('SIGUSR2')).toBe(0);
  });

  test('gives up at the deadline and leaves nothing', async () => {
    const storage = new GatedStorage();
    const { store } = await makeStore(storage);
    const run = store.run('r');
    const { next, onDone } = outcomes();
    const watch = run.saveOnSignal(['SIGUSR2'], { state: () => state(2), deadlineMs: 10, onDone });
    storage.shut();
    const first = await run.save(state(1));
    const done = next();
    process.kill(process.pid, 'SIGUSR2');
    expect(await done).toEqual({ signal: 'SIGUSR2', outcome: 'abandoned' });
    storage.open();
    await first.committed;
    expect((await run.list()).map((info) => info.step)).toEqual([1]);
    watch.dispose();
    expect(process.listenerCount('SIGUSR2')).toBe(0);
    await store.close();
  });

  test('says what failed, and the next one may succeed', async () => {
    const storage = new GatedStorage();
    const { store } = await makeStore(storage);
    const { next, onDone } = outcomes();
    store.run('r').saveOnSignal(['SIGUSR2'], { state: () => state(1), onDone });
    storage.fail(1);
    const first = next();
    process.kill(process.pid, 'SIGUSR2');
    expect(await first).toMatchObject({ outcome: 'failed', error: { code: 'away' } });
    const second = next();
    process.kill(process.pid, 'SIGUSR2');
    expect(await second).toMatchObject({ outcome: 'saved' });
    await store.close();
  });

  test('makes the next `maybeSave` of a manager due; closing it before that gives up', async () => {
    const { store } = await makeStore();
    const manager = store.run('r').manager({ every: { steps: 100 } });
    const { seen, next, onDone } = outcomes();
    manager.saveOnSignal(['SIGUSR2'], { onDone });
    const first = next();
    process.kill(process.pid, 'SIGUSR2');
    while (!manager.shouldSave({ step: 7 })) await new Promise(setImmediate);
    await manager.maybeSave(state(7));
    expect(await first).toMatchObject({ outcome: 'saved', result: { step: 7 } });
    expect(manager.shouldSave({ step: 8 })).toBe(false);
    const second = next();
    process.kill(process.pid, 'SIGUSR2');
    while (!manager.shouldSave({ step: 8 })) await new Promise(setImmediate);
    await manager.close();
    expect(await second).toMatchObject({ outcome: 'abandoned' });
    expect(seen).toHaveLength(2);
    expect(process.listenerCount('SIGUSR2')).toBe(0);
  });
});

test('a worker thread, which gets no signals, is told so', async () => {
  const index = new URL('../../dist/index.js', import.meta.url).href;
  const code = `import('${index}').then(async ({ createStore, MemoryStorage }) => {
    const { parentPort } = await import('node:worker_threads');
    const store = await createStore(new MemoryStorage());
    try { store.run('r').saveOnSignal(['SIGTERM'], { state: () => ({}) }); parentPort.postMessage('listening'); }
    catch (error) { parentPort.postMessage(error.kind + ' ' + error.code); }
  })`;
  const worker = new Worker(code, { eval: true });
  const answer = await new Promise((resolve) => worker.once('message', resolve));
  await worker.terminate();
  expect(answer).toBe('unsupported no-signals');
});
