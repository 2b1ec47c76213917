import { describe, expect, test } from 'vitest';
import type { CatalogueEntry } from '../../src/format/index.js';
import { type KeepPolicy, keep } from '../../src/index.js';
import { assertPolicies, keepReasons } from '../../src/maintenance/retention.js';

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
    droppedGroups: [],
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

function kept(policies: KeepPolicy[]): string[] {
  const reasons = keepReasons(entries, policies);
  return entries.map(({ id }) => id).filter((id) => reasons.has(id));
}

describe('a policy keeps what it says', () => {
  test.each<[string, KeepPolicy[], string[]]>([
    ['the last one', [keep.last(1)], ['e']],
    ['the last three', [keep.last(3)], ['c', 'd', 'e']],
    ['more than there are', [keep.last(9)], ['a', 'b', 'c', 'd', 'e']],
    ['every tenth step: 0 is one, no step is none', [keep.every(10)], ['a', 'b', 'd']],
    ['every step', [keep.every(1)], ['a', 'b', 'c', 'd']],
    ['these steps', [keep.steps([15, 0, 16])], ['a', 'c']],
    ['one of each octave: 0, then 10 of 8 to 15, then 20', [keep.logSpaced()], ['a', 'b', 'd']],
    ['the best by minimum: of equals the newest', [keep.best('loss', 'min', 1)], ['d']],
    ['the best, without more words: the lowest one', [keep.best('loss')], ['d']],
    ['the two best by minimum', [keep.best('loss', 'min', 2)], ['c', 'd']],
    ['the best by maximum', [keep.best('acc', 'max', 1)], ['b']],
    ['NaN is never best', [keep.best('loss', 'max', 9)], ['a', 'c', 'd', 'e']],
    ['an unknown metric keeps nothing', [keep.best('none', 'min', 3)], []],
    ['a metric named like a method', [keep.best('toString', 'min', 3)], []],
    ['what any of several policies wants', [keep.last(1), keep.every(20)], ['a', 'd', 'e']],
    ['two bests', [keep.best('loss', 'max', 1), keep.best('acc', 'max', 1)], ['a', 'b']],
  ])('%s', (_title, policies, expected) => {
    expect(kept(policies)).toEqual(expected);
  });

  test('reasons name every policy that wants a checkpoint', () => {
    const reasons = keepReasons(entries, [keep.last(2), keep.every(20), keep.best('loss')]);
    expect(reasons.get('d')).toEqual(['last 2', 'every 20', 'best loss min']);
    expect(reasons.get('e')).toEqual(['last 2']);
    expect(reasons.has('b')).toBe(false);
  });

  test('of equal steps only the newest counts as that step', () => {
    const repeated = [entry('f', 16), entry('g', 24), entry('h', 16)];
    for (const policy of [keep.every(8), keep.steps([16, 24]), keep.logSpaced()]) {
      expect([...keepReasons(repeated, [policy]).keys()]).not.toContain('f');
    }
    expect([...keepReasons(repeated, [keep.every(8)]).keys()]).toEqual(['h', 'g']);
    expect([...keepReasons(repeated, [keep.logSpaced()]).keys()]).toEqual(['h']);
  });

  test('every so many seconds: counted from the one before that was wanted, and anew where the clock was put back', () => {
    const times = [5, 6, 14, 15, 24, 25, 3, 12, 13].map((second, at) => {
      return { ...entry(`at ${second}`, at), createdAt: second * 1000 };
    });
    const wanted = [...keepReasons(times, [keep.everySeconds(10)]).keys()];
    expect(wanted).toEqual(['at 5', 'at 15', 'at 25', 'at 3', 'at 13']);
  });

  test.each<[string, KeepPolicy[]]>([
    ['no policy', []],
    ['zero', [keep.last(0)]],
    ['a fraction', [keep.every(1.5)]],
    ['less than nothing', [keep.best('loss', 'min', -1)]],
    ['a metric without a name', [keep.best('')]],
    ['NaN', [keep.last(Number.NaN)]],
    ['no time', [keep.everySeconds(0)]],
    ['no steps', [keep.steps([])]],
    ['a negative step', [keep.last(3), keep.steps([1, -1])]],
  ])('%s is invalid', (_title, policies) => {
    expect(() => assertPolicies(policies)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });

  test('what is no policy is invalid, too', () => {
    const untyped = JSON.parse(
      '[{"last": 3}, [{"keep": "worst"}], [{"keep": "best", "metric": "loss", "mode": "most"}]]',
    );
    for (const policies of untyped)
      expect(() => assertPolicies(policies)).toThrow(expect.objectContaining({ kind: 'invalid' }));
  });
});
