/** The contract of managers: when they save, what stays and why, and what they do with errors. */
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type ForgetDecision,
  keep,
  type ManagerOptions,
  type Run,
  type StateValue,
  type Store,
} from '../../src/index.js';
import { makeStore, openAgain, type TestEnvironment } from '../engine/make-store.js';
import { GatedStorage } from './gated-storage.js';

let storage: GatedStorage;
let store: Store;
let environment: TestEnvironment;
let run: Run;

beforeEach(async () => {
  storage = new GatedStorage();
  ({ store, environment } = await makeStore(storage));
  run = store.run('r');
});

function state(step: number, metrics: Record<string, number> = {}): { [key: string]: StateValue } {
  return { model: { w: new Float32Array(3000).fill(step) }, progress: { step, epoch: step / 10 }, metrics };
}

async function steps(of: Run = run): Promise<(number | null)[]> {
  return (await of.list()).map(({ step }) => step);
}

/** Trains: saves what is due, and returns all decisions after each save. */
async function train(options: ManagerOptions, states: readonly { [key: string]: StateValue }[]) {
  const manager = run.manager(options);
  const passes: ForgetDecision[][] = [];
  for (const one of states) {
    const save = await manager.maybeSave(one);
    if (save !== undefined) passes.push((await save.retained).decisions);
    environment.clock += 1000;
  }
  await manager.close();
  return passes;
}

const upTo = (end: number) => Array.from({ length: end }, (_, at) => state(at + 1, { loss: (at * 7) % 11 }));

describe('a manager saves', () => {
  test('what is due, and labels it', async () => {
    await train({ every: { steps: 3 }, label: '{epoch:.1f}-{step:02d}-{loss}' }, upTo(10));
    expect((await run.list()).map(({ label }) => label)).toEqual(['0.3-03-3', '0.6-06-2', '0.9-09-1']);
  });

  test('whenever it is told to, and counts from there', async () => {
    const manager = run.manager({ every: { steps: 10 } });
    expect(await manager.maybeSave(state(9))).toBeUndefined();
    await (await manager.save(state(12))).committed;
    expect(await manager.maybeSave(state(19))).toBeUndefined();
    expect(manager.shouldSave({ step: 20 })).toBe(true);
    await (await manager.maybeSave(state(3), { step: 20 }))?.committed;
    expect(manager.shouldSave({ step: 20 })).toBe(false);
    expect(await steps()).toEqual([12, 20]);
  });

  test('by time', async () => {
    await train({ every: { seconds: 3 } }, upTo(8));
    expect(await steps()).toEqual([4, 7]);
  });

  test('from the checkpoint on that was restored', async () => {
    await (await run.save(state(30))).committed;
    const again = (await openAgain(storage)).run('r');
    await again.restore();
    const manager = again.manager({ every: { steps: 10 } });
    expect([30, 31, 40].map((step) => manager.shouldSave({ step }))).toEqual([false, false, true]);
  });

  test('nothing by itself without an interval', async () => {
    const manager = run.manager({});
    expect(await manager.maybeSave(state(5))).toBeUndefined();
  });

  test('nothing more when it is closed', async () => {
    const manager = run.manager({ every: { steps: 1 } });
    await manager.close();
    await expect(manager.save(state(1))).rejects.toMatchObject({ kind: 'invalid', code: 'manager-closed' });
    await expect(manager.maybeSave(state(1))).rejects.toMatchObject({ code: 'manager-closed' });
  });

  test('a label that lacks a metric: invalid at first, `none` later on', async () => {
    const manager = run.manager({ every: { steps: 1 }, label: '{step}-{val/loss:.1f}' });
    await expect(manager.maybeSave(state(1))).rejects.toMatchObject({ object: 'val/loss' });
    await (await manager.save(state(1, { 'val/loss': 2 }))).committed;
    await (await manager.save(state(2))).committed;
    expect((await run.list()).map(({ label }) => label)).toEqual(['1-2.0', '2-none']);
    expect(() => run.manager({ label: '{step' })).toThrow(expect.objectContaining({ code: 'bad-label' }));
  });
});

/** Step, whether it goes, and why. */
function told(decisions: readonly ForgetDecision[]): [number | null, boolean, string][] {
  return decisions.map(({ step, forget, reasons }) => [step, forget, reasons.join(', ')]);
}

describe('a manager keeps', () => {
  test('what any policy wants, drops the rest after each save, and says why', async () => {
    const passes = await train({ every: { steps: 1 }, keep: [keep.last(2), keep.every(4)] }, upTo(7));
    expect(await steps()).toEqual([4, 6, 7]);
    expect(told(passes[6])).toEqual([
      [4, false, 'every 4'],
      [5, true, 'no policy keeps it'],
      [6, false, 'last 2'],
      [7, false, 'last 2, current'],
    ]);
  });

  test('everything without a policy', async () => {
    const passes = await train({ every: { steps: 1 } }, upTo(2));
    expect(told(passes[1])).toEqual([
      [1, false, 'no policy'],
      [2, false, 'current, no policy'],
    ]);
  });

  test('the best, and never one whose metric is missing or NaN', async () => {
    const losses: Record<string, number>[] = [
      { loss: 5 },
      { loss: NaN },
      {},
      { loss: 3 },
      { loss: 3 },
      { loss: 4 },
    ];
    const states = losses.map((metrics, at) => state(at + 1, metrics));
    await train({ every: { steps: 1 }, keep: [keep.best('loss', 'min', 1)] }, states);
    expect(await steps()).toEqual([5, 6]);
  });

  test('the current one, though no policy wants it, until the next one is there', async () => {
    await train({ every: { steps: 1 }, keep: [keep.every(100)] }, upTo(3));
    expect(await steps()).toEqual([3]);
  });

  test('the one that was restored, whatever policies say', async () => {
    await train({ every: { steps: 1 } }, upTo(4));
    const again = (await openAgain(storage)).run('r');
    await again.restore('step:2');
    const manager = again.manager({ keep: [keep.last(1)] });
    await (await manager.save(state(5))).retained;
    const { decisions } = await (await manager.save(state(6))).retained;
    expect(told(decisions)).toEqual([
      [2, false, 'resumed from'],
      [5, true, 'no policy keeps it'],
      [6, false, 'last 1, current'],
    ]);
  });

  test('without a restore the one that the first save went on from', async () => {
    await train({ every: { steps: 1 } }, upTo(3));
    const again = (await openAgain(storage)).run('r');
    const manager = again.manager({ keep: [keep.last(1)] });
    for (const step of [7, 8, 9]) await (await manager.save(state(step))).retained;
    expect(await steps(again)).toEqual([3, 9]);
  });

  test('what is tagged or pinned', async () => {
    await train({ every: { steps: 1 } }, upTo(3));
    await store.tag('r@step:1', 'good');
    await store.pin('r@step:2');
    const manager = run.manager({ keep: [keep.last(1)] });
    const { decisions } = await (await manager.save(state(4))).retained;
    expect(told(decisions)).toEqual([
      [1, false, 'tag good'],
      [2, false, 'pinned'],
      [3, true, 'no policy keeps it'],
      [4, false, 'last 1, current'],
    ]);
  });

  test('the old one until the new one is durable', async () => {
    const manager = run.manager({ keep: [keep.last(1)] });
    await (await manager.save(state(1))).retained;
    storage.fail(1);
    const save = await manager.save(state(2));
    await expect(save.retained).rejects.toMatchObject({ code: 'away' });
    await expect(save.committed).rejects.toMatchObject({ code: 'away' });
    expect(await steps()).toEqual([1]);
    storage.shut();
    const next = await manager.save(state(3));
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(await steps()).toEqual([1]);
    storage.open();
    await next.retained;
    expect(await steps()).toEqual([3]);
  });

  test('of equal steps the newest', async () => {
    const states = [state(4, { loss: 1 }), state(5), state(4, { loss: 2 }), state(6)];
    await train({ every: { seconds: 1 }, keep: [keep.steps([4])] }, [state(0), ...states]);
    const kept = await run.list();
    expect(kept.map(({ step, metrics }) => [step, metrics])).toEqual([
      [4, { loss: 2 }],
      [6, {}],
    ]);
  });

  test('what it says before: decisions change nothing', async () => {
    expect(await run.manager({ keep: [keep.last(1)] }).decisions()).toEqual([]);
    await train({ every: { steps: 1 } }, upTo(3));
    const decisions = await run.manager({ keep: [keep.last(1)] }).decisions();
    expect(told(decisions)).toEqual([
      [1, true, 'no policy keeps it'],
      [2, true, 'no policy keeps it'],
      [3, false, 'last 1, current'],
    ]);
    expect(await steps()).toEqual([1, 2, 3]);
  });
});

describe('the words of other libraries', () => {
  test.each<[ManagerOptions, unknown]>([
    [{}, []],
    [{ maxToKeep: 3 }, [keep.last(3)]],
    [{ saveTotalLimit: 2 }, [keep.last(2)]],
    [{ monitor: 'val/loss' }, [keep.best('val/loss', 'min', 1)]],
    [{ monitor: 'acc', mode: 'max', saveTopK: 4 }, [keep.best('acc', 'max', 4)]],
    [{ keep: [keep.every(5)], maxToKeep: 1 }, [keep.every(5), keep.last(1)]],
    [{ maxToKeep: 1, monitor: 'loss', saveTopK: -1 }, []],
  ])('%j', (options, policies) => {
    expect(run.manager(options).policies).toEqual(policies);
  });

  test.each<[ManagerOptions, string]>([
    [{ saveTopK: 3 }, 'no-monitor'],
    [{ mode: 'max' }, 'no-monitor'],
    [{ monitor: 'loss', saveTopK: 0 }, 'bad-policy'],
    [{ maxToKeep: 0 }, 'bad-policy'],
    [{ keep: [keep.last(0.5)] }, 'bad-policy'],
    [{ every: { steps: 0 } }, 'bad-interval'],
    [{ gc: { every: 0 } }, 'bad-interval'],
  ])('%j is invalid', (options, code) => {
    expect(() => run.manager(options)).toThrow(expect.objectContaining({ kind: 'invalid', code }));
  });
});

describe('a manager in the background', () => {
  test('collects garbage after so many dropped checkpoints', async () => {
    const manager = run.manager({ keep: [keep.last(1)], gc: { every: 3 } });
    const collected: boolean[] = [];
    for (let step = 1; step <= 8; step++)
      collected.push((await (await manager.save(state(step))).retained).gc !== undefined);
    expect(collected).toEqual([false, false, false, true, false, false, true, false]);
    const never = store.run('n').manager({ keep: [keep.last(1)], gc: 'never' });
    for (let step = 1; step <= 12; step++)
      expect((await (await never.save(state(step))).retained).gc).toBeUndefined();
    expect((await store.check({ readData: 100 })).damaged).toEqual([]);
  });

  test('makes one pass for all saves that it finds waiting', async () => {
    const manager = run.manager({ keep: [keep.last(1)] });
    const saves = await Promise.all([1, 2, 3, 4].map((step) => manager.save(state(step))));
    const passes = await Promise.all(saves.map(({ retained }) => retained));
    expect(await steps()).toEqual([4]);
    expect(passes.flatMap(({ decisions }) => decisions).length).toBeGreaterThan(3);
  });

  test('passes a save over with `skip`, until the next one is due', async () => {
    const manager = run.manager({ every: { steps: 10 }, onBusy: 'skip' });
    storage.shut();
    await manager.maybeSave(state(10));
    expect(await manager.maybeSave(state(20))).toBeUndefined();
    storage.open();
    await run.settled();
    expect(await manager.maybeSave(state(21))).toBeUndefined();
    await (await manager.maybeSave(state(30)))?.committed;
    expect(await steps()).toEqual([10, 30]);
  });

  test('never passes over a save that it is told to make', async () => {
    const manager = run.manager({ onBusy: 'skip' });
    const saves = await Promise.all([manager.save(state(1)), manager.save(state(2))]);
    await Promise.all(saves.map(({ committed }) => committed));
    expect(await steps()).toEqual([1, 2]);
  });

  test('throws what failed at the next call, due or not, and then goes on', async () => {
    const manager = run.manager({ every: { steps: 10 }, keep: [keep.last(1)] });
    storage.fail(1);
    await manager.maybeSave(state(10));
    await manager.settled();
    await expect(manager.maybeSave(state(11))).rejects.toMatchObject({ code: 'away' });
    await manager.maybeSave(state(20));
    await manager.settled();
    storage.fail(2);
    await manager.save(state(30));
    await manager.settled();
    expect(await steps()).toEqual([20, 30]);
    await expect(manager.save(state(31))).rejects.toMatchObject({ code: 'away' });
    await manager.save(state(40));
    await manager.close();
    expect(await steps()).toEqual([40]);
  });

  test('throws what failed when it is closed, or its store', async () => {
    storage.fail(1);
    const manager = run.manager({});
    await manager.save(state(1));
    await expect(manager.close()).rejects.toMatchObject({ code: 'away' });
    await manager.close();
    const other = run.manager({ keep: [keep.last(1)] });
    await (await other.save(state(1))).retained;
    storage.fail(2);
    await other.save(state(2));
    await expect(store.close()).rejects.toMatchObject({ code: 'away' });
    await expect(other.save(state(3))).rejects.toMatchObject({ code: 'manager-closed' });
  });

  test('tells who has taken `retained` what failed, and nobody else', async () => {
    const manager = run.manager({ keep: [keep.last(1)] });
    await (await manager.save(state(1))).retained;
    storage.fail(2);
    const { committed, retained } = await manager.save(state(2));
    await committed;
    await expect(retained).rejects.toMatchObject({ code: 'away' });
    await manager.close();
  });
});
