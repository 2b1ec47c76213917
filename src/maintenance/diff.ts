/** Compares two checkpoints: tensors by name, element by element, files by path, and plain data by key. */
import {
  type Difference,
  type DiffOptions,
  globPattern,
  type LoadedManifest,
  resolveRef,
  type StoreContext,
  type TensorDifference,
} from '../checkpoints/index.js';
import type { ElementSums } from '../compute/index.js';
import { throwIfAborted } from '../errors.js';
import type { CatalogueEntry, TensorLayout } from '../format/index.js';
import { elementCount, type Group, laneReader, tensorBytes } from '../tensor/index.js';
import { plainDifferences } from './plain-differences.js';
import { compareTensorValues, type TensorPair } from './tensor-comparison.js';

/** A checkpoint being compared. */
interface Side {
  entry: CatalogueEntry;
  loaded: LoadedManifest;
  tensors: Map<string, TensorLayout>;
  files: Map<string, { digest: string; size: number }>;
}

/**
 * Compares two refs of one store, as one root has them. Elements count as changed where their bytes differ, so -0 and 0
 * do, and two NaN of other payloads; distances leave pairs with a NaN out. Chunks with equal ids are not read, unless for
 * `norms`. Tensors and files come in the order of `b`, those that only `a` has at the end. Groups that retention dropped from either are
 * left out. Throws `not-found` and `corrupt`.
 */
export async function diffCheckpoints(
  context: StoreContext,
  a: string,
  b: string,
  options: DiffOptions,
): Promise<Difference> {
  const root = await context.roots.read();
  const before = (await resolveRef(context.catalogue, root, a)).entry;
  const after = (await resolveRef(context.catalogue, root, b)).entry;
  const droppedGroups = [...new Set([...before.droppedGroups, ...after.droppedGroups])];
  const left = await openSide(context, before, droppedGroups, options);
  const right = await openSide(context, after, droppedGroups, options);
  return {
    a: before.id,
    b: after.id,
    tensors: await compareTensors(context, left, right, options),
    files: compareFiles(left, right),
    plain: await plainDifferences(context, left, right),
    droppedGroups,
  };
}

/** Files are compared by their digests, which are on record whatever was dropped. */
async function openSide(
  context: StoreContext,
  entry: CatalogueEntry,
  droppedGroups: readonly Group[],
  { tensors, groups }: DiffOptions,
): Promise<Side> {
  const loaded = await context.cache.manifest(entry.manifest);
  const { layout, content } = loaded;
  const pattern = globPattern(tensors ?? '*');
  const isCompared = (group: Group): boolean =>
    !droppedGroups.includes(group) && groups?.includes(group) !== false;
  const compared = layout.tensors.filter(({ name, group }) => pattern.test(name) && isCompared(group));
  const sizes = layout.files.map((file) => file.size);
  return {
    entry,
    loaded,
    tensors: new Map(compared.map((tensor) => [tensor.name, tensor])),
    files: new Map(content.files.map(({ path, digest }, index) => [path, { digest, size: sizes[index] }])),
  };
}

async function compareTensors(
  context: StoreContext,
  left: Side,
  right: Side,
  { signal, onProgress, norms = false }: DiffOptions,
): Promise<TensorDifference[]> {
  const common = [...right.tensors.values()].flatMap((after): TensorPair[] => {
    const before = left.tensors.get(after.name);
    return before === undefined ? [] : [[before, after]];
  });
  const bytesTotal = common.reduce((sum, [, after]) => sum + tensorBytes(after), 0);
  let bytesRead = 0;
  const onBytes = (bytes: number): void => {
    throwIfAborted(signal);
    bytesRead += bytes;
    onProgress?.({ phase: 'diff', bytesRead, bytesStored: 0, bytesTotal });
  };
  const comparable = common.filter(isComparable);
  onBytes(bytesTotal - comparable.reduce((sum, [, after]) => sum + tensorBytes(after), 0));
  const sums = await compareTensorValues(context, [left.loaded, right.loaded], comparable, {
    norms,
    signal,
    onBytes,
  });
  const sumsOf = new Map(comparable.map(([, after], at) => [after.name, sums[at]]));
  const differences = [...right.tensors].map(([name, after]): TensorDifference => {
    const before = left.tensors.get(name);
    return describe(before, after, sumsOf.get(name), norms);
  });
  for (const [name, before] of left.tensors)
    if (!right.tensors.has(name)) differences.push(describe(before, undefined, undefined, norms));
  return differences;
}

function isComparable([before, after]: TensorPair): boolean {
  return before.dtype === after.dtype && before.shape.join() === after.shape.join();
}

function describe(
  before: TensorLayout | undefined,
  after: TensorLayout | undefined,
  sums: ElementSums | undefined,
  norms: boolean,
): TensorDifference {
  const { name, group, shape, dtype } = (after ?? before) as TensorLayout;
  const hasNumbers = sums !== undefined && laneReader(dtype) !== undefined;
  const change = after === undefined ? 'removed' : before === undefined ? 'added' : 'changed';
  return {
    name,
    group,
    change: sums?.changed === 0 ? 'equal' : change,
    dtype: [before?.dtype ?? null, after?.dtype ?? null],
    shape: [before?.shape ?? null, after?.shape ?? null],
    elements: elementCount(shape),
    changedElements: sums?.changed ?? null,
    l2: hasNumbers ? Math.sqrt(sums.squares) : null,
    maxAbs: hasNumbers ? sums.maxAbs : null,
    newNan: hasNumbers ? sums.newNan : null,
    newInfinite: hasNumbers ? sums.newInfinite : null,
    ...(norms ? { l2Before: hasNumbers && sums.changed > 0 ? Math.sqrt(sums.squaresBefore) : null } : {}),
  };
}

function compareFiles(left: Side, right: Side): Difference['files'] {
  const files: Difference['files'] = [...right.files].map(([path, after]) => {
    const before = left.files.get(path);
    if (before === undefined) return { path, change: 'added' };
    const equal = before.digest === after.digest && before.size === after.size;
    return { path, change: equal ? 'equal' : 'changed' };
  });
  for (const path of left.files.keys()) if (!right.files.has(path)) files.push({ path, change: 'removed' });
  return files;
}
