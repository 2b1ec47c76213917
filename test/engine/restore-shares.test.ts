import { describe, expect, test } from 'vitest';
import { OpenShares, type Share, shareUnits } from '../../src/checkpoints/restore-shares.js';
import type { ChunkId } from '../../src/hash/index.js';
import type { DecodeUnit } from '../../src/packs/index.js';

type Unit = DecodeUnit<ChunkId>;

/** Units named by what they fill, such as `a`, or `a b`. */
function unitsOf(filled: Record<string, number>[]): Unit[] {
  return filled.map((targets) => ({
    entries: [],
    wanted: Object.keys(targets) as ChunkId[],
    bytes: Object.values(targets).reduce((sum, bytes) => sum + bytes, 0),
  }));
}

/** Target 9 cannot be kept. */
function targetsOf({ wanted }: Unit): number[] {
  return wanted.map(Number).filter((target) => target !== 9);
}

function described(shares: readonly Share[]): string[] {
  return shares.map(
    ({ units, kept, bytes }) =>
      `${units.map(({ wanted }) => wanted.join('+')).join(' ')} keeps ${kept.join(' ')}: ${bytes}`,
  );
}

describe('the units of a restore', () => {
  test('that fill one target are one share; each thread gets a bundle of them, the largest first', () => {
    const units = unitsOf([{ 1: 5 }, { 2: 10 }, { 2: 10 }, { 3: 1, 4: 1 }, { 1: 10 }, { 5: 30 }, { 6: 9 }]);
    expect(described(shareUnits(units, targetsOf, 2))).toEqual([
      '5 keeps 5: 30',
      '2 2 3+4 keeps 2 3 4: 22',
      '1 1 keeps 1: 15',
      '6 keeps 6: 9',
    ]);
  });

  test('are tied together by others that fill what both fill', () => {
    const units = unitsOf([{ 1: 5 }, { 2: 5 }, { 3: 5 }, { 1: 1, 3: 1 }, { 2: 1, 3: 1 }, { 8: 40 }]);
    const [, tied] = shareUnits(units, targetsOf, 2);
    expect([...tied.kept].sort()).toEqual([1, 2, 3]);
    expect(new Set(tied.units)).toEqual(new Set(units.slice(0, 5)));
    expect(tied.bytes).toBe(19);
  });

  test('are not tied together by what no thread can keep', () => {
    const units = unitsOf([{ 1: 5, 9: 1 }, { 2: 4, 9: 1 }, { 9: 1 }]);
    expect(described(shareUnits(units, targetsOf, 2))).toEqual([
      '1+9 keeps 1: 6',
      '2+9 keeps 2: 5',
      '9 keeps : 1',
    ]);
  });

  test('that are more than one thread has to do are done by any, and kept by none', () => {
    const units = unitsOf([{ 1: 12 }, { 1: 11 }, { 2: 10 }]);
    const apart = ['1 keeps : 12', '1 keeps : 11', '2 keeps 2: 10'];
    expect(described(shareUnits(units, targetsOf, 2))).toEqual(apart);
    expect(described(shareUnits(units, targetsOf, 1))).toEqual(['1 1 keeps 1: 23', '2 keeps 2: 10']);
  });

  test('are taken share by share, its targets with the first, and no more of them once a thread has failed', () => {
    const [a, b, c, d] = unitsOf([{ 1: 10 }, { 1: 10 }, { 2: 15 }, { 3: 5 }]);
    const open = new OpenShares(shareUnits([a, b, c, d], targetsOf, 2));
    const [one, two] = [open.takeUnits(), open.takeUnits()];
    const taken = [one.next().value, two.next().value, two.next().value];
    expect(taken.map(({ unit }) => unit)).toEqual([a, c, d]);
    expect(taken.map(({ begun }) => begun)).toEqual([[1], [2], [3]]);
    open.stop();
    expect([one.next().done, two.next().done]).toEqual([true, true]);
  });
});
