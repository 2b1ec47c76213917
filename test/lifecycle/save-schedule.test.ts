import { describe, expect, test } from 'vitest';
import { RunOrigin } from '../../src/lifecycle/run-origin.js';
import { type SaveInterval, SaveSchedule } from '../../src/lifecycle/save-schedule.js';

/** Returns the values at which a loop saves. */
function savedAt(every: SaveInterval, steps: readonly number[], from?: number): number[] {
  const origin = new RunOrigin();
  if (from !== undefined) origin.restored({ id: 'a', step: from, epoch: null });
  const schedule = new SaveSchedule(every, origin, () => 0);
  return steps.filter((step) => {
    const isDue = schedule.isDue({ step });
    if (isDue) schedule.restart({ step });
    return isDue;
  });
}

const upTo = (end: number, by = 1) => Array.from({ length: Math.floor(end / by) + 1 }, (_, at) => at * by);

describe('a save is due', () => {
  test('at each multiple of the steps, and not before training begins', () => {
    expect(savedAt({ steps: 10 }, upTo(35))).toEqual([10, 20, 30]);
    expect(savedAt({ steps: 1 }, upTo(3))).toEqual([1, 2, 3]);
  });

  test('after a multiple that was jumped over', () => {
    expect(savedAt({ steps: 10 }, upTo(50, 7))).toEqual([14, 21, 35, 42]);
  });

  test('once for a step, however often it is asked', () => {
    expect(savedAt({ steps: 10 }, [9, 10, 10, 11, 20, 20])).toEqual([10, 20]);
  });

  test('counted from the checkpoint that the run resumed from', () => {
    expect(savedAt({ steps: 10 }, [30, 31, 39, 40], 30)).toEqual([40]);
    expect(savedAt({ steps: 10 }, [36, 40], 35)).toEqual([40]);
  });

  test('where training went back to an earlier interval', () => {
    expect(savedAt({ steps: 10 }, [10, 20, 11, 12, 20])).toEqual([10, 20, 11, 20]);
  });

  test('at each completed epoch, whole or as fractions', () => {
    const origin = new RunOrigin();
    const schedule = new SaveSchedule({ epochs: 2 }, origin, () => 0);
    const due = [0, 0.5, 1, 1.9, 2, 2.1, 3, 4.2].filter((epoch) => {
      const isDue = schedule.isDue({ epoch });
      if (isDue) schedule.restart({ epoch });
      return isDue;
    });
    expect(due).toEqual([2, 4.2]);
  });

  test('by time since the last save was begun', () => {
    let now = 1000;
    const schedule = new SaveSchedule({ minutes: 1, seconds: 30 }, new RunOrigin(), () => now);
    now += 89_999;
    expect(schedule.isDue({})).toBe(false);
    now += 1;
    expect(schedule.isDue({})).toBe(true);
    schedule.restart({});
    now += 89_999;
    expect(schedule.isDue({ step: 3 })).toBe(false);
  });

  test('as soon as one of several intervals is over', () => {
    const schedule = new SaveSchedule({ steps: 100, epochs: 1 }, new RunOrigin(), () => 0);
    expect(schedule.isDue({ step: 100, epoch: 0 })).toBe(true);
    expect(schedule.isDue({ step: 99, epoch: 1 })).toBe(true);
    expect(schedule.isDue({ step: 99, epoch: 0.9 })).toBe(false);
  });

  test('never by an interval that nothing is known of', () => {
    const schedule = new SaveSchedule({ steps: 1 }, new RunOrigin(), () => 0);
    expect([{}, { step: null }, { epoch: 9 }].some((progress) => schedule.isDue(progress))).toBe(false);
  });

  test.each([{ steps: 0 }, { epochs: -1 }, { seconds: NaN }, { minutes: Infinity }])(
    '%j is invalid',
    (every) => {
      expect(() => new SaveSchedule(every, new RunOrigin(), () => 0)).toThrow(
        expect.objectContaining({ kind: 'invalid', code: 'bad-interval' }),
      );
    },
  );
});

describe('the origin of a run', () => {
  test('is what was restored last before the first save, else its parent', () => {
    const restored = new RunOrigin();
    restored.restored({ id: 'a' });
    restored.restored({ id: 'b' });
    restored.saved('c');
    restored.restored({ id: 'd' });
    expect(restored.checkpoint).toEqual({ id: 'b' });
    const fresh = new RunOrigin();
    fresh.saved(null);
    fresh.saved('own');
    expect(fresh.checkpoint).toBeUndefined();
    const onLatest = new RunOrigin();
    onLatest.saved('latest');
    onLatest.saved('own');
    expect(onLatest.checkpoint).toEqual({ id: 'latest' });
  });

  test('is what the program resumes from, whenever it does', () => {
    const origin = new RunOrigin();
    origin.saved(null);
    origin.resumed({ id: 'a', step: 5 });
    expect(origin.checkpoint).toEqual({ id: 'a', step: 5 });
  });
});
