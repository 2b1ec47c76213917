import { describe, expect, test } from 'vitest';
import type { CatalogueEntry } from '../../src/format/index.js';
import type { KeepPolicies } from '../../src/index.js';
import { keepReasons } from '../../src/maintenance/retention.js';

function entry(id: string, step: number | null, metrics: Record<string, number> = {}): CatalogueEntry {
  return {
    id,
    manifest: '0000000000000000-1',
    kind: 'state',
    step,
    epoch: null,
    label: id,
    metrics,
    meta: {},
    parent: null,
    groups: [],
    createdAt: 0,
    logicalBytes: 0,
    storedBytes: 0,
    height: 0,
  };
}

const entries = [
  entry('a', 0, { loss: 3, acc: 0.1 }),
  entry('b', 10, { loss: Number.NaN, acc: 0.5 }),
  entry('c', 15, { loss: 1 }),
  entry('d', 20, { loss: 1, acc: 0.4 }),
  entry('e', null, { loss: 2 }),
];

function kept(keep: KeepPolicies): string[] {
  const reasons = keepReasons(entries, keep);
  return entries.map(({ id }) => id).filter((id) => reasons.has(id));
}

describe('a policy keeps what it says', () => {
  test.each<[string, KeepPolicies, string[]]>([
    ['the last one', { last: 1 }, ['e']],
    ['the last three', { last: 3 }, ['c', 'd', 'e']],
    ['more than there are', { last: 9 }, ['a', 'b', 'c', 'd', 'e']],
    ['every tenth step: 0 is one, no step is none', { every: 10 }, ['a', 'b', 'd']],
    ['every step', { every: 1 }, ['a', 'b', 'c', 'd']],
    [
      'the best by minimum: of equals the newest',
      { best: [{ count: 1, metric: 'loss', mode: 'min' }] },
      ['d'],
    ],
    ['the two best by minimum', { best: [{ count: 2, metric: 'loss', mode: 'min' }] }, ['c', 'd']],
    ['the best by maximum', { best: [{ count: 1, metric: 'acc', mode: 'max' }] }, ['b']],
    ['NaN is never best', { best: [{ count: 9, metric: 'loss', mode: 'max' }] }, ['a', 'c', 'd', 'e']],
    ['an unknown metric keeps nothing', { best: [{ count: 3, metric: 'none', mode: 'min' }] }, []],
    ['a metric named like a method', { best: [{ count: 3, metric: 'toString', mode: 'min' }] }, []],
    ['what any of several policies wants', { last: 1, every: 20 }, ['a', 'd', 'e']],
    [
      'two bests',
      {
        best: [
          { count: 1, metric: 'loss', mode: 'max' },
          { count: 1, metric: 'acc', mode: 'max' },
        ],
      },
      ['a', 'b'],
    ],
  ])('%s', (_title, keep, expected) => {
    expect(kept(keep)).toEqual(expected);
  });

  test('reasons name every policy that wants a checkpoint', () => {
    const reasons = keepReasons(entries, {
      last: 2,
      every: 20,
      best: [{ count: 1, metric: 'loss', mode: 'min' }],
    });
    expect(reasons.get('d')).toEqual(['last 2', 'best loss min', 'every 20']);
    expect(reasons.get('e')).toEqual(['last 2']);
    expect(reasons.has('b')).toBe(false);
  });

  test.each<[string, KeepPolicies]>([
    ['no policy', {}],
    ['an empty list of bests', { best: [] }],
    ['zero', { last: 0 }],
    ['a fraction', { every: 1.5 }],
    ['less than nothing', { best: [{ count: -1, metric: 'loss', mode: 'min' }] }],
    ['NaN', { last: Number.NaN }],
  ])('%s is invalid', (_title, keep) => {
    expect(() => keepReasons(entries, keep)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });
});
