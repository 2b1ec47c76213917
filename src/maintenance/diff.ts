/** Compares two checkpoints: tensors by name, element by element, and files by path. */
import {
  type Difference,
  loadManifest,
  type OperationOptions,
  resolveRef,
  type StoreContext,
  StreamReader,
  type TensorDifference,
  tensorBytes,
} from '../checkpoints/index.js';
import { throwIfAborted } from '../errors.js';
import type { TensorLayout } from '../format/index.js';
import { type ComparedCheckpoint, compareElements } from './tensor-comparison.js';

/** A checkpoint being compared. */
interface Side extends ComparedCheckpoint {
  tensors: Map<string, TensorLayout>;
  files: Map<string, { digest: string; size: number }>;
}

/**
 * Compares two refs of one store, as one root has them. Elements count as changed where their bytes differ, so -0 and 0
 * do, and two NaN of other payloads; `maxAbs` leaves pairs with a NaN out. Chunks with equal ids are not read. Tensors and
 * files come in the order of `b`, those that only `a` has at the end. Throws `not-found` and `corrupt`.
 */
export async function diffCheckpoints(
  context: StoreContext,
  a: string,
  b: string,
  options: OperationOptions,
): Promise<Difference> {
  const root = await context.roots.read();
  const before = (await resolveRef(context.catalogue, root, a)).entry;
  const after = (await resolveRef(context.catalogue, root, b)).entry;
  const left = await openSide(context, before.manifest);
  const right = await openSide(context, after.manifest);
  const tensors = await compareTensors(left, right, options);
  return { a: before.id, b: after.id, tensors, files: compareFiles(left, right) };
}

async function openSide(context: StoreContext, manifest: string): Promise<Side> {
  const loaded = await loadManifest(context, manifest);
  const { layout, content } = loaded;
  const sizes = layout.files.map((file) => file.size);
  return {
    layout,
    content,
    streams: await StreamReader.open(context, loaded),
    chunkElements: context.config.chunkElements,
    tensors: new Map(layout.tensors.map((tensor) => [tensor.name, tensor])),
    files: new Map(content.files.map(({ path, digest }, index) => [path, { digest, size: sizes[index] }])),
  };
}

async function compareTensors(
  left: Side,
  right: Side,
  { signal, onProgress }: OperationOptions,
): Promise<TensorDifference[]> {
  const common = [...right.tensors.values()].filter((tensor) => left.tensors.has(tensor.name));
  const bytesTotal = common.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
  let bytesRead = 0;
  const onBytes = (bytes: number): void => {
    throwIfAborted(signal);
    bytesRead += bytes;
    onProgress?.({ phase: 'diff', bytesRead, bytesStored: 0, bytesTotal });
  };
  const differences: TensorDifference[] = [];
  for (const [name, after] of right.tensors) {
    const before = left.tensors.get(name);
    if (before === undefined) differences.push(oneSided(after, 'added'));
    else differences.push(await compareTensor(left, right, { before, after }, onBytes));
  }
  for (const [name, before] of left.tensors)
    if (!right.tensors.has(name)) differences.push(oneSided(before, 'removed'));
  return differences;
}

async function compareTensor(
  left: Side,
  right: Side,
  tensors: { before: TensorLayout; after: TensorLayout },
  onBytes: (bytes: number) => void,
): Promise<TensorDifference> {
  const { before, after } = tensors;
  const comparable = before.dtype === after.dtype && before.shape.join() === after.shape.join();
  const found = comparable ? await compareElements(left, right, tensors, onBytes) : undefined;
  if (found === undefined) onBytes(tensorBytes(after));
  return {
    name: after.name,
    change: found?.changed === 0 ? 'equal' : 'changed',
    dtype: [before.dtype, after.dtype],
    shape: [before.shape, after.shape],
    elements: elementsOf(after),
    changedElements: found?.changed ?? null,
    maxAbs: found?.maxAbs ?? null,
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

function oneSided(tensor: TensorLayout, change: 'added' | 'removed'): TensorDifference {
  const { name, dtype, shape } = tensor;
  const added = change === 'added';
  return {
    name,
    change,
    dtype: added ? [null, dtype] : [dtype, null],
    shape: added ? [null, shape] : [shape, null],
    elements: elementsOf(tensor),
    changedElements: null,
    maxAbs: null,
  };
}

function elementsOf(tensor: TensorLayout): number {
  return tensor.shape.reduce((product, length) => product * length, 1);
}
