/** Retention policies: which checkpoints of a run stay. A checkpoint that any policy wants stays. */
import type { KeepPolicies } from '../checkpoints/index.js';
import { ThetalogError } from '../errors.js';
import type { CatalogueEntry } from '../format/index.js';

/** Returns the reasons to keep each entry, by id; entries without a reason are absent. `entries` are oldest first. */
export function keepReasons(entries: readonly CatalogueEntry[], keep: KeepPolicies): Map<string, string[]> {
  assertPolicies(keep);
  const reasons = new Map<string, string[]>();
  const add = (entry: CatalogueEntry, reason: string): void => {
    reasons.set(entry.id, [...(reasons.get(entry.id) ?? []), reason]);
  };
  if (keep.last !== undefined) for (const entry of entries.slice(-keep.last)) add(entry, `last ${keep.last}`);
  for (const { count, metric, mode } of keep.best ?? []) {
    for (const entry of bestEntries(entries, metric, mode).slice(0, count))
      add(entry, `best ${metric} ${mode}`);
  }
  const { every } = keep;
  if (every !== undefined) {
    for (const entry of entries)
      if (entry.step !== null && entry.step % every === 0) add(entry, `every ${every}`);
  }
  return reasons;
}

/** Returns the entries that have the metric, best first; of equals the newest first, NaN never. */
function bestEntries(
  entries: readonly CatalogueEntry[],
  metric: string,
  mode: 'min' | 'max',
): CatalogueEntry[] {
  const sign = mode === 'min' ? 1 : -1;
  return entries
    .map((entry, order) => ({
      entry,
      order,
      value: Object.hasOwn(entry.metrics, metric) ? entry.metrics[metric] : NaN,
    }))
    .filter(({ value }) => !Number.isNaN(value))
    .sort((a, b) => (a.value === b.value ? b.order - a.order : sign * (a.value < b.value ? -1 : 1)))
    .map(({ entry }) => entry);
}

function assertPolicies(keep: KeepPolicies): void {
  const counts = [keep.last, keep.every, ...(keep.best ?? []).map((best) => best.count)];
  const given = counts.filter((count) => count !== undefined);
  if (given.length === 0) {
    throw new ThetalogError('invalid', 'no-policy', 'Nothing says what to forget.', {
      hint: 'Name checkpoints, or give a policy: --keep-last N, --keep-best M:METRIC:min|max, --keep-every N.',
    });
  }
  if (given.some((count) => !Number.isSafeInteger(count) || count < 1)) {
    throw new ThetalogError(
      'invalid',
      'bad-policy',
      'A policy keeps a whole number of checkpoints, from 1 on.',
    );
  }
}
