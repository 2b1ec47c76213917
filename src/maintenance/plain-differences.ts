/** Compares what is no tensor: the plain data of two states, and what is on record of any two checkpoints. */
import {
  type LoadedManifest,
  PLAIN_KEY,
  type PlainDifference,
  readPlainValues,
  type StoreContext,
} from '../checkpoints/index.js';
import type { CatalogueEntry } from '../format/index.js';
import type { StateValue } from '../tensor/index.js';

type Leaf = null | boolean | number | bigint | string;

/** Returns the values that are not equal, by their paths in the order of `b`, those that only `a` has at the end. */
export async function plainDifferences(
  context: StoreContext,
  a: { entry: CatalogueEntry; loaded: LoadedManifest },
  b: { entry: CatalogueEntry; loaded: LoadedManifest },
): Promise<PlainDifference[]> {
  const isRead = !isPlainEqual(a.loaded, b.loaded);
  const before = await leavesOf(context, a.entry, isRead ? a.loaded : undefined);
  const after = await leavesOf(context, b.entry, isRead ? b.loaded : undefined);
  return compareLeaves(before, after);
}

/** Compares the plain data of two states in the same way: NaN equals NaN, 0 is not -0. */
export function comparePlainData(before: StateValue, after: StateValue): PlainDifference[] {
  const [from, to] = [before, after].map((value) => {
    const leaves = new Map<string, Leaf>();
    addLeaves(leaves, '', value);
    return leaves;
  });
  return compareLeaves(from, to);
}

function compareLeaves(
  before: ReadonlyMap<string, Leaf>,
  after: ReadonlyMap<string, Leaf>,
): PlainDifference[] {
  const differences: PlainDifference[] = [];
  for (const [path, value] of after) {
    const old = before.get(path);
    if (old === undefined) differences.push({ path, change: 'added', before: null, after: value });
    else if (!Object.is(old, value)) differences.push({ path, change: 'changed', before: old, after: value });
  }
  for (const [path, value] of before)
    if (!after.has(path)) differences.push({ path, change: 'removed', before: value, after: null });
  return differences;
}

/** Returns whether both are states whose plain data are the same chunks, which need not be read then. */
function isPlainEqual(a: LoadedManifest, b: LoadedManifest): boolean {
  const idsOf = ({ layout, content }: LoadedManifest): string | undefined =>
    content.streams[layout.streams.findIndex(({ key }) => key === PLAIN_KEY)]?.ids.join();
  return idsOf(a) !== undefined && idsOf(a) === idsOf(b);
}

/** Step, epoch and metrics stand where a state has them. */
async function leavesOf(
  context: StoreContext,
  entry: CatalogueEntry,
  loaded: LoadedManifest | undefined,
): Promise<Map<string, Leaf>> {
  const leaves = new Map<string, Leaf>();
  const { step, epoch, metrics, meta } = entry;
  const progress = { ...(step === null ? {} : { step }), ...(epoch === null ? {} : { epoch }) };
  const record = { progress, metrics, meta };
  addLeaves(leaves, '', record);
  if (entry.kind === 'state' && loaded !== undefined)
    addLeaves(leaves, '', await readPlainValues(context, loaded));
  return leaves;
}

/** Empty lists and objects have no leaves, so they are no difference. */
function addLeaves(leaves: Map<string, Leaf>, path: string, value: StateValue): void {
  if (value === null || typeof value !== 'object') leaves.set(path, value);
  else
    for (const [key, inner] of Object.entries(value))
      addLeaves(leaves, path === '' ? key : `${path}.${key}`, inner);
}
