/** Links the streams of weights and optimizer slots, so that update rules can predict some from the others. */
import type { OptimizerSettings } from '../format/index.js';
import { dtypeInfo, type LinkedParameter, type WeightsCopy } from '../tensor/index.js';
import { type Family, isPacked, type Placement, type PlannedRange } from './plan.js';

/** A parameter whose weights and slots were found among the ranges, all of the same number of elements. */
interface RangesOfParameter {
  settings: number;
  step: number | null;
  /** By role: `weights` or the name of the slot. */
  members: Map<string, PlannedRange>;
}

export interface LinkedRanges {
  settings: OptimizerSettings[];
  parameters: RangesOfParameter[];
  copies: RangesOfCopy[];
}

/** Weights and what is made of them: the same in another type, or their moving average. */
interface RangesOfCopy {
  kind: WeightsCopy['kind'];
  weights: PlannedRange;
  copy: PlannedRange;
}

const WEIGHTS = 'weights';

/**
 * Finds the ranges of each parameter, and packs the small ones of a parameter group so that the same place in each pack
 * belongs to the same parameter. Must run before the ranges are laid out.
 */
export function linkRanges(
  ranges: readonly PlannedRange[],
  facts: readonly LinkedParameter[],
  pairs: readonly WeightsCopy[],
): LinkedRanges {
  const byKey = new Map<string, PlannedRange>();
  for (const range of ranges) byKey.set(keyIn(range.file, range.key), range);
  const copies = pairs.flatMap((pair): RangesOfCopy[] => {
    const weights = byKey.get(keyIn(pair.weightsFile, pair.weights));
    const copy = byKey.get(keyIn(pair.copyFile, pair.copy));
    const fits = weights !== undefined && copy !== undefined && elementsOf(weights) === elementsOf(copy);
    return fits ? [{ kind: pair.kind, weights, copy }] : [];
  });
  const copiesOf = byWeights(copies);
  const known = new Map<string, { at: number; settings: OptimizerSettings; steps: Set<number | null> }>();
  const parameters: RangesOfParameter[] = [];
  for (const fact of facts) {
    const members = findMembers(fact, byKey);
    if (members === undefined) continue;
    const spelled = JSON.stringify(fact.settings);
    const group = known.get(spelled) ?? { at: known.size, settings: fact.settings, steps: new Set() };
    known.set(spelled, group);
    group.steps.add(fact.step);
    parameters.push({ settings: group.at, step: fact.step, members });
    const first = members.values().next().value;
    const order = fact.name ?? fact.weights ?? first?.key ?? '';
    packTogether(withCopies(members, copiesOf), String(group.at), order);
  }
  for (const { weights } of copies) {
    if (weights.pack === undefined)
      packTogether(withCopies(new Map([[WEIGHTS, weights]]), copiesOf), 'copied', weights.key);
  }
  const settings = [...known.values()].map((group) => withStep(group.settings, [...group.steps]));
  return { settings, parameters, copies };
}

/** Adds the count of steps, where the parameters of a group agree on it: the next save sees how far it is from this one. */
function withStep(settings: OptimizerSettings, steps: readonly (number | null)[]): OptimizerSettings {
  const [step] = steps;
  return steps.length === 1 && step !== null ? { ...settings, step } : settings;
}

function findMembers(
  fact: LinkedParameter,
  byKey: ReadonlyMap<string, PlannedRange>,
): Map<string, PlannedRange> | undefined {
  const members = new Map<string, PlannedRange>();
  const weights =
    fact.weights === null || fact.weightsFile === null
      ? undefined
      : byKey.get(keyIn(fact.weightsFile, fact.weights));
  if (weights !== undefined) members.set(WEIGHTS, weights);
  for (const [slot, key] of Object.entries(fact.slots)) {
    const range = byKey.get(keyIn(fact.slotFiles?.[slot] ?? fact.slotsFile, key));
    if (range !== undefined && slot !== 'step') members.set(slot, range);
  }
  const counts = new Set([...members.values()].map(elementsOf));
  return members.size >= 2 && counts.size === 1 ? members : undefined;
}

function keyIn(file: number, key: string): string {
  return `${file}:${key}`;
}

/** Copies and their turn among all, by what they are made of. */
type CopiesOf = ReadonlyMap<PlannedRange, readonly { turn: number; pair: RangesOfCopy }[]>;

function byWeights(copies: readonly RangesOfCopy[]): CopiesOf {
  const copiesOf = new Map<PlannedRange, { turn: number; pair: RangesOfCopy }[]>();
  for (const [turn, pair] of copies.entries()) {
    const own = copiesOf.get(pair.weights) ?? [];
    copiesOf.set(pair.weights, own);
    own.push({ turn, pair });
  }
  return copiesOf;
}

/** Adds what is made of members, as roles of their own. */
function withCopies(
  members: ReadonlyMap<string, PlannedRange>,
  copiesOf: CopiesOf,
): Map<string, PlannedRange> {
  const ranges = new Set(members.values());
  const all = new Map(members);
  const found = [...ranges].flatMap((range) => copiesOf.get(range) ?? []).sort((a, b) => a.turn - b.turn);
  for (const { pair } of found) {
    if (!ranges.has(pair.copy)) all.set(copyRole(pair.kind, all), pair.copy);
  }
  return all;
}

/** `copy`, `copy1`, …; `average`, `average1`, …. */
function copyRole(kind: WeightsCopy['kind'], roles: { has(role: string): boolean }): string {
  const role = kind === 'cast' ? 'copy' : 'average';
  let next = role;
  for (let count = 1; roles.has(next); count++) next = `${role}${count}`;
  return next;
}

/** Gives each member a pack of its role, all in one order: the same place in each belongs to the same parameter. */
function packTogether(members: ReadonlyMap<string, PlannedRange>, name: string, order: string): void {
  const all = [...members.values()];
  if (!all.every(isPacked) || all.some((range) => range.pack !== undefined)) return;
  const roles = [...members.keys()].sort().join('+');
  for (const [role, range] of members) range.pack = { name: `${name}:${roles}:${role}`, order };
}

/** Returns the families of streams that the parameters form once they are laid out. */
export function findFamilies(
  ranges: readonly PlannedRange[],
  placements: readonly Placement[],
  linked: LinkedRanges,
): Family[] {
  const placementOf = new Map(ranges.map((range, index) => [range, placements[index]]));
  const families = new Map<string, Family | undefined>();
  for (const { settings, step, members } of linked.parameters) {
    const places = [...members].map(([role, range]) => ({ role, range, placement: placementOf.get(range) }));
    const offsets = new Set(places.map(({ range, placement }) => elementOffset(range, placement)));
    const key = JSON.stringify(places.map(({ role, placement }) => [role, placement?.stream]));
    if (offsets.size !== 1) families.set(key, undefined);
    if (families.has(key)) continue;
    const streams = Object.fromEntries(places.map(({ role, placement }) => [role, placement?.stream ?? 0]));
    families.set(key, { streams, settings, step });
  }
  const found = [...families.values()].filter((family) => family !== undefined);
  addCopies(found, placementOf, linked);
  return found;
}

/** Adds the copies whose elements lie where those of the weights do, in streams of their own or in packs. */
function addCopies(
  families: Family[],
  placementOf: ReadonlyMap<PlannedRange, Placement>,
  linked: LinkedRanges,
): void {
  const pairs = new Map<
    string,
    { from: number; to: number; kind: WeightsCopy['kind']; isAligned: boolean }
  >();
  for (const { kind, weights, copy } of linked.copies) {
    const [from, to] = [placementOf.get(weights), placementOf.get(copy)];
    if (from === undefined || to === undefined || from.stream === to.stream) continue;
    const key = `${from.stream}:${to.stream}`;
    const isAligned =
      (pairs.get(key)?.isAligned ?? true) && elementOffset(weights, from) === elementOffset(copy, to);
    pairs.set(key, { from: from.stream, to: to.stream, kind, isAligned });
  }
  const ofWeights = new Map<number, Family>();
  for (const family of families) {
    const { [WEIGHTS]: stream } = family.streams;
    if (stream !== undefined && !ofWeights.has(stream)) ofWeights.set(stream, family);
  }
  for (const { from, to, kind, isAligned } of pairs.values()) {
    if (!isAligned) continue;
    const known = ofWeights.get(from);
    const family: Family = known ?? { streams: { [WEIGHTS]: from }, settings: -1, step: null };
    if (known === undefined) families.push(family);
    ofWeights.set(from, family);
    const roles = new Map(Object.entries(family.streams));
    family.streams[copyRole(kind, roles)] = to;
  }
}

function elementsOf(range: PlannedRange): number {
  return range.source.size / dtypeInfo(range.dtype).bytes;
}

function elementOffset(range: PlannedRange, placement: Placement | undefined): number {
  return (placement?.byteOffset ?? 0) / dtypeInfo(range.dtype).bytes;
}
