/** Links the streams of weights and optimizer slots, so that update rules can predict some from the others. */
import type { OptimizerSettings } from '../format/index.js';
import { dtypeInfo, type LinkedParameter, type MasterCopy } from '../tensor/index.js';
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
  /** Weights and their copies in another type. */
  copies: { master: PlannedRange; copy: PlannedRange }[];
}

const WEIGHTS = 'weights';

/**
 * Finds the ranges of each parameter, and packs the small ones of a parameter group so that the same place in each pack
 * belongs to the same parameter. Must run before the ranges are laid out.
 */
export function linkRanges(
  ranges: readonly PlannedRange[],
  facts: readonly LinkedParameter[],
  pairs: readonly MasterCopy[],
): LinkedRanges {
  const byKey = new Map<string, PlannedRange>();
  for (const range of ranges) byKey.set(keyIn(range.file, range.key), range);
  const copies = pairs.flatMap((pair) => {
    const master = byKey.get(keyIn(pair.masterFile, pair.master));
    const copy = byKey.get(keyIn(pair.copyFile, pair.copy));
    const fits = master !== undefined && copy !== undefined && elementsOf(master) === elementsOf(copy);
    return fits ? [{ master, copy }] : [];
  });
  const settings: OptimizerSettings[] = [];
  const known = new Map<string, number>();
  const parameters: RangesOfParameter[] = [];
  for (const fact of facts) {
    const members = findMembers(fact, byKey);
    if (members === undefined) continue;
    const spelled = JSON.stringify(fact.settings);
    const at = known.get(spelled) ?? settings.push(fact.settings) - 1;
    known.set(spelled, at);
    parameters.push({ settings: at, step: fact.step, members });
    const first = members.values().next().value;
    packTogether(withCopies(members, copies), String(at), fact.name ?? fact.weights ?? first?.key ?? '');
  }
  for (const { master } of copies) {
    if (master.pack === undefined)
      packTogether(withCopies(new Map([[WEIGHTS, master]]), copies), 'copied', master.key);
  }
  return { settings, parameters, copies };
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
    const range = byKey.get(keyIn(fact.slotsFile, key));
    if (range !== undefined && slot !== 'step') members.set(slot, range);
  }
  const counts = new Set([...members.values()].map(elementsOf));
  return members.size >= 2 && counts.size === 1 ? members : undefined;
}

function keyIn(file: number, key: string): string {
  return `${file}:${key}`;
}

/** Adds the copies of members in other types, as roles of their own. */
function withCopies(
  members: ReadonlyMap<string, PlannedRange>,
  copies: LinkedRanges['copies'],
): Map<string, PlannedRange> {
  const ranges = new Set(members.values());
  const all = new Map(members);
  for (const { master, copy } of copies) {
    if (ranges.has(master) && !ranges.has(copy)) all.set(`copy${all.size - members.size}`, copy);
  }
  return all;
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
    const streams = new Map(places.map(({ role, placement }) => [role, placement?.stream ?? 0]));
    const slots = Object.fromEntries([...streams].filter(([role]) => role !== WEIGHTS));
    families.set(key, { weights: streams.get(WEIGHTS) ?? null, slots, copies: [], settings, step });
  }
  const found = [...families.values()].filter((family) => family !== undefined);
  addCopies(found, placementOf, linked);
  return found;
}

/** Adds the copies whose elements lie where those of their masters do, in streams of their own or in packs. */
function addCopies(
  families: Family[],
  placementOf: ReadonlyMap<PlannedRange, Placement>,
  linked: LinkedRanges,
): void {
  const pairs = new Map<string, { weights: number; copy: number; isAligned: boolean }>();
  for (const { master, copy } of linked.copies) {
    const [from, to] = [placementOf.get(master), placementOf.get(copy)];
    if (from === undefined || to === undefined || from.stream === to.stream) continue;
    const key = `${from.stream}:${to.stream}`;
    const isAligned =
      (pairs.get(key)?.isAligned ?? true) && elementOffset(master, from) === elementOffset(copy, to);
    pairs.set(key, { weights: from.stream, copy: to.stream, isAligned });
  }
  for (const { weights, copy, isAligned } of pairs.values()) {
    if (!isAligned) continue;
    const family = families.find((candidate) => candidate.weights === weights);
    if (family === undefined) families.push({ weights, slots: {}, copies: [copy], settings: 0, step: null });
    else family.copies.push(copy);
  }
}

function elementsOf(range: PlannedRange): number {
  return range.source.size / dtypeInfo(range.dtype).bytes;
}

function elementOffset(range: PlannedRange, placement: Placement | undefined): number {
  return (placement?.byteOffset ?? 0) / dtypeInfo(range.dtype).bytes;
}
