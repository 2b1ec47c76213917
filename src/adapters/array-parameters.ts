/**
 * Optimizers of trees of arrays (`zarr.ts`, `ocdbt.ts`): `opt_state.0.mu.Dense_0.kernel` beside `params.Dense_0.kernel`. No file alone tells of them.
 */
import type { LinkedParameter } from '../tensor/index.js';
import type { Segmentation } from './adapter.js';
import { treeOf } from './named-optimizers.js';
import { parametersOfState, type StateTensor } from './state-parameters.js';

interface Tree {
  tensors: StateTensor[];
  counts: { path: string[]; value: number }[];
  /** By key. */
  fileOf: Map<string, number>;
}

/** Returns the facts of the optimizers in arrays that lie beside one another. */
export function parametersOfArrays(
  files: readonly { path: string; segmentation: Segmentation }[],
): LinkedParameter[] {
  const trees = new Map<string, Tree>();
  for (const [file, { path, segmentation }] of files.entries()) {
    const folder = treeFolder(path, segmentation.format);
    if (folder === undefined) continue;
    const tree: Tree = trees.get(folder) ?? { tensors: [], counts: [], fileOf: new Map() };
    trees.set(folder, tree);
    for (const { key, dtype, tensors } of segmentation.ranges) {
      const names = key.split('.');
      const value = segmentation.counts?.get(key);
      if (value !== undefined) tree.counts.push({ path: names, value });
      else tree.tensors.push({ path: names, name: key, dtype, shape: tensors[0].shape });
      tree.fileOf.set(key, file);
    }
  }
  return [...trees.values()].flatMap(linkTree);
}

/** Returns the folder that a tree of arrays is in; undefined for a file that has none. */
function treeFolder(path: string, format: string): string | undefined {
  const folders = path.split('/').slice(0, -1);
  if (format === 'zarr') return folders.slice(0, -1).join('/');
  if (format !== 'ocdbt') return undefined;
  const isOfProcess = /^ocdbt\.process_/.test(folders.at(-2) ?? '');
  return folders.slice(0, isOfProcess ? -2 : -1).join('/');
}

function linkTree({ tensors, counts, fileOf }: Tree): LinkedParameter[] {
  const parameters = parametersOfState(tensors, treeOf(counts));
  // One file that stands for the optimizer: parameters of one number are those of one optimizer.
  const slotsFile = fileOf.get(Object.values(parameters[0]?.slots ?? {})[0]) ?? 0;
  return parameters.map((facts): LinkedParameter => {
    const { weights, slots } = facts;
    const placeOf = (key: string): number => fileOf.get(key) ?? slotsFile;
    const slotFiles = Object.fromEntries(Object.entries(slots).map(([slot, key]) => [slot, placeOf(key)]));
    return { ...facts, slotsFile, slotFiles, weightsFile: weights === null ? null : placeOf(weights) };
  });
}
