/** Saves of one run that meet: who waits, who is passed over, when a state may change, and where errors go. */
import { beforeEach, describe, expect, test } from 'vitest';
import { openStore, type Run, type StateValue, type Store } from '../../src/index.js';
import { makeStore, TestEnvironment } from '../engine/make-store.js';
import { GatedStorage } from './gated-storage.js';

let storage: GatedStorage;
let store: Store;
let run: Run;

beforeEach(async () => {
  storage = new GatedStorage();
  ({ store } = await makeStore(storage));
  run = store.run('r');
});

function state(step: number): {
  model: { w: Float32Array };
  progress: { step: number };
  [key: string]: StateValue;
} {
  return { model: { w: new Float32Array(3000).fill(step) }, progress: { step } };
}

/** Whether a promise has settled by the time that everything that can go on has done so. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = (): void => {
    settled = true;
  };
  promise.then(settle, settle);
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  return settled;
}

async function savedSteps(): Promise<(number | null)[]> {
  return (await run.list()).map(({ step }) => step);
}

describe('a save that finds another one under way', () => {
  test('waits until that one is durable, and is staged then: what the state is by then is saved', async () => {
    storage.shut();
    const first = await run.save(state(1));
    const waiting = state(2);
    const second = run.save(waiting);
    expect(await isSettled(second)).toBe(false);
    storage.open();
    await first.committed;
    await (await second).committed;
    waiting.model.w.fill(99);
    expect(await savedSteps()).toEqual([1, 2]);
    expect((await run.restore()) as unknown).toEqual(state(2));
  });

  test('is passed over with `skip`, and not when the other one has just become durable', async () => {
    storage.shut();
    const first = await run.save(state(1), { onBusy: 'skip' });
    expect(await run.save(state(2), { onBusy: 'skip' })).toBeUndefined();
    storage.open();
    await first?.committed;
    const third = await run.save(state(3), { onBusy: 'skip' });
    await third?.committed;
    expect(await savedSteps()).toEqual([1, 3]);
  });

  test('gives way with `coalesce` to a newer one, which says at once that its state may change', async () => {
    storage.shut();
    await run.save(state(1));
    const second = run.save(state(2), { onBusy: 'coalesce' });
    expect(await isSettled(second)).toBe(false);
    const third = run.save(state(3), { onBusy: 'coalesce' });
    expect(await second).toBeUndefined();
    const fourth = run.save(state(4), { onBusy: 'coalesce' });
    expect(await third).toBeUndefined();
    expect(await isSettled(fourth)).toBe(false);
    storage.open();
    await (await fourth)?.committed;
    expect(await savedSteps()).toEqual([1, 4]);
  });

  test('with `coalesce` does not send away one that only waits', async () => {
    storage.shut();
    await run.save(state(1));
    const saves = [
      run.save(state(2)),
      run.save(state(3), { onBusy: 'coalesce' }),
      run.save(state(4), { onBusy: 'coalesce' }),
      run.save(state(5)),
    ];
    storage.open();
    for (const save of await Promise.all(saves)) await save?.committed;
    expect(await savedSteps()).toEqual([1, 2, 4, 5]);
  });

  test('leaves the line when it is aborted, and those behind it go on', async () => {
    storage.shut();
    const first = await run.save(state(1));
    const controller = new AbortController();
    const second = run.save(state(2), { signal: controller.signal });
    const third = run.save(state(3));
    controller.abort();
    await expect(second).rejects.toMatchObject({ kind: 'aborted' });
    expect(await isSettled(third)).toBe(false);
    storage.open();
    await first.committed;
    await (await third).committed;
    expect(await savedSteps()).toEqual([1, 3]);
  });

  test('goes on after one that failed', async () => {
    storage.shut();
    storage.fail(1);
    const first = await run.save(state(1));
    const second = run.save(state(2));
    storage.open();
    await expect(first.committed).rejects.toMatchObject({ code: 'away' });
    await (await second).committed;
    expect(await savedSteps()).toEqual([2]);
  });
});

describe('an error that nobody has seen', () => {
  test('is thrown by the next save, once, instead of saving', async () => {
    storage.fail(1);
    await run.save(state(1));
    await run.settled();
    await expect(run.save(state(2))).rejects.toMatchObject({ kind: 'unavailable', code: 'away' });
    await (await run.save(state(3))).committed;
    expect(await savedSteps()).toEqual([3]);
    await store.close();
  });

  test('is thrown by closing the store, which is closed all the same', async () => {
    storage.fail(1);
    await run.save(state(1));
    await expect(store.close()).rejects.toMatchObject({ code: 'away' });
    await store.close();
  });

  test('is one that names all if there are several', async () => {
    storage.fail(1, 2);
    await run.save(state(1));
    await store.run('other').save(state(1));
    const closing = store.close();
    await expect(closing).rejects.toMatchObject({ code: 'away', message: /away.*away/ });
    await expect(closing).rejects.toHaveProperty('cause.errors.length', 2);
  });

  test('is not thrown again where somebody has taken the promise, before or after', async () => {
    storage.fail(1, 2);
    const first = await run.save(state(1));
    await expect(first.committed).rejects.toMatchObject({ code: 'away' });
    const second = await run.save(state(2));
    await run.settled();
    await expect(second.committed).rejects.toMatchObject({ code: 'away' });
    await (await run.save(state(3))).committed;
    await store.close();
  });

  test('is none where the call itself has thrown it', async () => {
    storage.fail(1);
    await expect(run.save(state(1), { synchronous: true })).rejects.toMatchObject({ code: 'away' });
    await expect(run.save(state(1), { label: '{' })).rejects.toMatchObject({ code: 'bad-label' });
    await expect(run.save({ model: { w: () => 1 } } as never)).rejects.toMatchObject({ kind: 'invalid' });
    await (await run.save(state(2))).committed;
    await store.close();
  });

  test('is never an unhandled rejection', async () => {
    const unhandled: unknown[] = [];
    const listener = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', listener);
    try {
      storage.fail(1, 2);
      await run.save(state(1));
      await run.settled();
      await run.save(state(2)).catch(() => {});
      await run.save(state(2));
      await run.settled();
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(unhandled).toEqual([]);
    } finally {
      process.off('unhandledRejection', listener);
    }
  });
});

describe('the timeline of a save', () => {
  test('has all phases, one after another, from the call on; waiting comes before', async () => {
    const environment = new TestEnvironment();
    let ticks = 0;
    environment.now = () => 1_700_000_000_000 + ticks++;
    const own = await openStore(storage, { environment });
    const { timeline, seconds } = await (await own.run('r').save(state(1))).committed;
    expect(timeline.map(({ phase }) => phase)).toEqual(['stage', 'compare', 'encode', 'write', 'commit']);
    let last = 0;
    for (const { beginMs, endMs } of timeline) {
      expect(beginMs).toBeGreaterThanOrEqual(last);
      expect(endMs).toBeGreaterThan(beginMs);
      last = endMs;
    }
    expect(last).toBeLessThanOrEqual(seconds * 1000);
  });

  test('of files has no staging', async () => {
    const { timeline } = await store.saveFiles([import.meta.filename], { run: 'files' });
    expect(timeline.map(({ phase }) => phase)).toEqual(['compare', 'encode', 'write', 'commit']);
  });
});
