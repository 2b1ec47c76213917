/**
 * Retention policies: which checkpoints of a run stay. Applied after each save or once at the end, they leave the same ones, and
 * applied again they leave all of them (test/maintenance/retention-model.test.ts).
 */
import type { KeepPolicy } from '../checkpoints/index.js';
import { ThetalogError } from '../errors.js';
import type { CatalogueEntry } from '../format/index.js';
import { GROUPS, type Group } from '../tensor/index.js';

type Entries = readonly CatalogueEntry[];

/** Returns the reasons to keep each entry, by id; entries without a reason are absent. `entries` are oldest first. */
export function keepReasons(entries: Entries, policies: readonly KeepPolicy[]): Map<string, string[]> {
  const reasons = new Map<string, string[]>();
  for (const policy of policies) {
    const reason = policyName(policy);
    for (const { id } of wantedBy(policy, entries)) reasons.set(id, [...(reasons.get(id) ?? []), reason]);
  }
  return reasons;
}

/** Returns for each entry that some policy wants the groups that none of these wants, by id. */
export function unwantedGroups(entries: Entries, policies: readonly KeepPolicy[]): Map<string, Group[]> {
  const unwanted = new Map<string, Group[]>();
  for (const policy of policies) {
    for (const entry of wantedBy(policy, entries)) {
      const groups = unwanted.get(entry.id) ?? groupsLeft(entry);
      unwanted.set(
        entry.id,
        groups.filter((group) => policy.groups?.includes(group) === false),
      );
    }
  }
  return unwanted;
}

/** Returns the groups of which a checkpoint has tensors still. */
export function groupsLeft({ groups, droppedGroups }: CatalogueEntry): Group[] {
  return groups.filter((group) => !droppedGroups.includes(group));
}

/** Returns the entries that a policy wants; one for some groups does not want a checkpoint that has tensors, but none of these. */
export function wantedBy(policy: KeepPolicy, entries: Entries): Entries {
  const wanted = wantedByRule(policy, entries);
  const { groups } = policy;
  if (groups === undefined) return wanted;
  return wanted.filter((entry) => {
    const left = groupsLeft(entry);
    return left.length === 0 || left.some((group) => groups.includes(group));
  });
}

function wantedByRule(policy: KeepPolicy, entries: Entries): Entries {
  switch (policy.keep) {
    case 'last':
      return entries.slice(-policy.count);
    case 'best':
      return bestFirst(entries, policy.metric, policy.mode).slice(0, policy.count);
    case 'every':
      return newestOfSteps(entries, (step) => step % policy.interval === 0);
    case 'every-seconds':
      return spacedInTime(entries, policy.seconds * 1000);
    case 'steps':
      return newestOfSteps(entries, (step) => policy.steps.includes(step));
    case 'log-spaced':
      return spacedInSteps(entries);
  }
}

/** Returns a policy as reasons name it. */
export function policyName(policy: KeepPolicy): string {
  return policy.groups === undefined
    ? ruleName(policy)
    : `${policy.groups.join(', ')} of ${ruleName(policy)}`;
}

function ruleName(policy: KeepPolicy): string {
  switch (policy.keep) {
    case 'last':
      return `last ${policy.count}`;
    case 'best':
      return `best ${policy.metric} ${policy.mode}`;
    case 'every':
      return `every ${policy.interval}`;
    case 'every-seconds':
      return `every ${policy.seconds} s`;
    case 'steps':
      return 'one of the steps';
    case 'log-spaced':
      return 'log-spaced';
  }
}

/** Returns the entries that have the metric, best first; of equals the newest first, NaN never. */
function bestFirst(entries: Entries, metric: string, mode: 'min' | 'max'): Entries {
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

/** Returns the newest entry of each of some steps. */
function newestOfSteps(entries: Entries, isWanted: (step: number) => boolean): Entries {
  const newest = new Map<number, CatalogueEntry>();
  for (const entry of entries) {
    if (entry.step !== null && isWanted(entry.step)) newest.set(entry.step, entry);
  }
  return [...newest.values()];
}

/** Returns the first entry, and then always the next one that is old enough. A clock that was put back starts anew. */
function spacedInTime(entries: Entries, intervalMs: number): Entries {
  const spaced: CatalogueEntry[] = [];
  for (const entry of entries) {
    const last = spaced.at(-1)?.createdAt;
    if (last === undefined || entry.createdAt >= last + intervalMs || entry.createdAt < last)
      spaced.push(entry);
  }
  return spaced;
}

/** Returns the entry of the lowest step of each octave: 0, 1, 2 to 3, 4 to 7, …; of equal steps the newest. */
function spacedInSteps(entries: Entries): Entries {
  const lowest = new Map<number, CatalogueEntry>();
  for (const entry of newestOfSteps(entries, () => true)) {
    const step = entry.step ?? 0;
    const octave = step === 0 ? -1 : Math.floor(Math.log2(step));
    const before = lowest.get(octave)?.step ?? Number.POSITIVE_INFINITY;
    if (step < before) lowest.set(octave, entry);
  }
  return [...lowest.values()];
}

/** Throws `invalid` unless there are policies and each can be followed. */
export function assertPolicies(policies: readonly KeepPolicy[]): void {
  if (!Array.isArray(policies) || policies.length === 0) {
    throw new ThetalogError('invalid', 'no-policy', 'Nothing says what to forget.', {
      hint: 'Name checkpoints, or say what to keep: keep.last(3), --keep-last 3.',
    });
  }
  for (const policy of policies) {
    const fault = faultOf(policy);
    if (fault === undefined) continue;
    const message = `The policy "${policyName(policy)}" ${fault}.`;
    throw new ThetalogError('invalid', 'bad-policy', message, { object: policyName(policy) });
  }
}

function faultOf(policy: KeepPolicy): string | undefined {
  if (policy.groups?.length === 0) return 'keeps no group';
  const unknown = policy.groups?.find((group) => !GROUPS.includes(group));
  if (unknown !== undefined) return `names "${unknown}", which is none of ${GROUPS.join(', ')}`;
  switch (policy.keep) {
    case 'last':
      return isCount(policy.count) ? undefined : 'keeps a whole number of checkpoints, from 1 on';
    case 'best':
      if (policy.metric === '') return 'names no metric';
      if (policy.mode !== 'min' && policy.mode !== 'max') return 'has a mode that is neither min nor max';
      return isCount(policy.count) ? undefined : 'keeps a whole number of checkpoints, from 1 on';
    case 'every':
      return isCount(policy.interval) ? undefined : 'has an interval that is no whole number from 1 on';
    case 'every-seconds':
      return policy.seconds > 0 ? undefined : 'has an interval that is not above 0';
    case 'steps':
      if (policy.steps.length === 0) return 'lists no step';
      return policy.steps.every((step) => step === 0 || isCount(step))
        ? undefined
        : 'lists a step that is no whole number from 0 on';
    case 'log-spaced':
      return undefined;
    default:
      return 'is of no kind that is known';
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}
