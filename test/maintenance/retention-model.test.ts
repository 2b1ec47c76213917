/** Policies against a plain description of what each wants, on random runs, and what follows from applying them again and again. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CatalogueEntry } from '../../src/format/index.js';
import { type KeepPolicy, keep } from '../../src/index.js';
import { keepReasons } from '../../src/maintenance/retention.js';

/** A checkpoint as the model sees it; `order` counts from the oldest. */
interface Saved {
  order: number;
  step: number | null;
  loss: number | undefined;
  second: number;
}

const metric = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom(NaN, Infinity, -Infinity, undefined));

const runs = fc
  .array(
    fc.record({
      step: fc.oneof({ weight: 9, arbitrary: fc.nat(70) }, { weight: 1, arbitrary: fc.constant(null) }),
      loss: metric,
      second: fc.nat(40),
    }),
    { maxLength: 24 },
  )
  .chain((saved) => fc.boolean().map((inOrder) => (inOrder ? sorted(saved) : saved)))
  .map((saved) => saved.map((one, order): Saved => ({ ...one, order })));

const policies = fc.array(
  fc.oneof(
    fc.integer({ min: 1, max: 6 }).map(keep.last),
    fc.tuple(fc.constantFrom('min', 'max'), fc.integer({ min: 1, max: 4 })).map(([mode, count]) => {
      return keep.best('loss', mode as 'min' | 'max', count);
    }),
    fc.integer({ min: 1, max: 12 }).map(keep.every),
    fc.integer({ min: 1, max: 20 }).map(keep.everySeconds),
    fc.array(fc.nat(70), { minLength: 1, maxLength: 8 }).map(keep.steps),
    fc.constant(keep.logSpaced()),
  ),
  { minLength: 1, maxLength: 4 },
);

/** Most runs go forward. */
function sorted<T extends { step: number | null; second: number }>(saved: readonly T[]): T[] {
  const steps = saved.map(({ step }) => step).sort((a, b) => (a ?? 0) - (b ?? 0));
  const seconds = saved.map(({ second }) => second).sort((a, b) => a - b);
  return saved.map((one, at) => ({ ...one, step: steps[at], second: seconds[at] }));
}

function entryOf({ order, step, loss, second }: Saved): CatalogueEntry {
  return {
    id: String(order),
    manifest: '0000000000000000-1',
    kind: 'state',
    step,
    epoch: null,
    label: '',
    metrics: loss === undefined ? {} : { loss },
    meta: {},
    parent: null,
    groups: [],
    droppedGroups: [],
    createdAt: second * 1000,
    logicalBytes: 0,
    storedBytes: 0,
    height: 0,
  };
}

/** Whether a policy wants a checkpoint of a run, word for word as it is documented. */
function isWanted(one: Saved, run: readonly Saved[], policy: KeepPolicy): boolean {
  const later = run.filter(({ order }) => order > one.order);
  const isNewestOfItsStep = one.step !== null && later.every(({ step }) => step !== one.step);
  switch (policy.keep) {
    case 'last':
      return later.length < policy.count;
    case 'best': {
      const { loss } = one;
      if (loss === undefined || Number.isNaN(loss)) return false;
      const better = run.filter((other) => {
        if (other.loss === undefined || Number.isNaN(other.loss)) return false;
        if (other.loss === loss) return other.order > one.order;
        return policy.mode === 'min' ? other.loss < loss : other.loss > loss;
      });
      return better.length < policy.count;
    }
    case 'every':
      return isNewestOfItsStep && (one.step ?? 0) % policy.interval === 0;
    case 'steps':
      return isNewestOfItsStep && policy.steps.includes(one.step ?? -1);
    case 'log-spaced': {
      const octave = (step: number) => (step === 0 ? 0 : step.toString(2).length);
      const same = run.filter(({ step }) => step !== null && octave(step) === octave(one.step ?? -1));
      return isNewestOfItsStep && same.every(({ step }) => (step ?? 0) >= (one.step ?? 0));
    }
    case 'every-seconds': {
      const before = run.filter(({ order }) => order < one.order);
      const last = before.findLast((other) => isWanted(other, before, policy));
      return last === undefined || one.second - last.second >= policy.seconds || one.second < last.second;
    }
  }
}

function kept(run: readonly Saved[], wanted: readonly KeepPolicy[]): Saved[] {
  const reasons = keepReasons(run.map(entryOf), wanted);
  return run.filter(({ order }) => reasons.has(String(order)));
}

test('policies keep what a plain description of them says', () => {
  fc.assert(
    fc.property(runs, policies, (run, wanted) => {
      const described = run.filter((one) => wanted.some((policy) => isWanted(one, run, policy)));
      expect(kept(run, wanted)).toEqual(described);
    }),
    { numRuns: 1000 },
  );
});

test('applied again they drop nothing', () => {
  fc.assert(
    fc.property(runs, policies, (run, wanted) => {
      const once = kept(run, wanted);
      expect(kept(once, wanted)).toEqual(once);
    }),
    { numRuns: 1000 },
  );
});

test('applied after each save they leave what they leave when applied once at the end', () => {
  fc.assert(
    fc.property(runs, policies, fc.boolean(), (run, wanted, currentStays) => {
      let live: Saved[] = [];
      for (const one of run) {
        live = [...live, one];
        const staying = kept(live, wanted);
        live = live.filter((other) => staying.includes(other) || (currentStays && other === one));
      }
      expect(kept(live, wanted)).toEqual(kept(run, wanted));
    }),
    { numRuns: 1000 },
  );
});
