/**
 * Finds the 16-bit working weights that are rounded from fp32 weights of the same checkpoint. Names and shapes tell; a
 * moving average has the same but is no copy.
 */
import { dtypeInfo, type LinkedParameter, type MasterCopy } from '../tensor/index.js';
import type { Segmentation, TensorRange } from './adapter.js';
import { isHalf, masterListPlace, nameInModel } from './parameter-names.js';

const AVERAGE = /(^|[._/-])(ema|averaged?|swa|shadow)([._/-]|\d|$)/i;
const MASTER = /master|fp32|(^|\.)main_param/i;

interface Place {
  key: string;
  file: number;
}

/** Weights of one parameter name: those of 32 bits, and those of 16. */
interface SameName {
  full: Place[];
  half: Place[];
}

/** Returns the pairs of one fp32 range and a 16-bit one; a name with several fp32 ranges gives none. */
export function findMasterCopies(
  files: readonly { path: string; segmentation: Segmentation }[],
  parameters: readonly LinkedParameter[],
): MasterCopy[] {
  const byName = new Map<string, SameName>();
  const at = (name: string, shape: readonly number[]): SameName => {
    const id = `${nameInModel(name)} ${shape}`;
    const known: SameName = byName.get(id) ?? { full: [], half: [] };
    byName.set(id, known);
    return known;
  };
  const dtypes = new Map<string, TensorRange['dtype']>();
  for (const [file, { path, segmentation }] of files.entries()) {
    for (const range of segmentation.ranges) {
      dtypes.set(`${file}:${range.key}`, range.dtype);
      if (AVERAGE.test(path)) continue;
      for (const { name, shape } of weightViews(range)) {
        if (AVERAGE.test(name)) continue;
        const same = at(name, shape);
        (isHalf(range.dtype) ? same.half : same.full).push({ key: range.key, file });
      }
    }
  }
  // Master weights in the optimizer have no names of their own: the optimizer's facts lead to them.
  for (const { name, shape, weights, weightsFile } of parameters) {
    if (name === null || weights === null || weightsFile === null) continue;
    const { full } = at(name, shape);
    const known = full.some(({ key, file }) => key === weights && file === weightsFile);
    if (!known && dtypes.get(`${weightsFile}:${weights}`) === 'f32')
      full.push({ key: weights, file: weightsFile });
  }
  return pairs(byName.values());
}

function pairs(names: Iterable<SameName>): MasterCopy[] {
  const copies: MasterCopy[] = [];
  const taken = new Set<string>();
  for (const { full, half } of names) {
    if (full.length !== 1) continue;
    for (const { key, file } of half) {
      const id = `${file}:${key}`;
      if (taken.has(id)) continue;
      taken.add(id);
      copies.push({ master: full[0].key, masterFile: full[0].file, copy: key, copyFile: file });
    }
  }
  return copies;
}

/** The tensors that fill a range of weights; of an optimizer's ranges only those called master weights. */
function weightViews({ group, dtype, length, tensors }: TensorRange): TensorRange['tensors'] {
  if (dtype !== 'f32' && !isHalf(dtype)) return [];
  const elements = length / dtypeInfo(dtype).bytes;
  return tensors.filter(({ name, shape, strides }) => {
    const fills = strides === undefined && shape.reduce((product, size) => product * size, 1) === elements;
    if (!fills || elements <= 1) return false;
    return group === 'model' || (MASTER.test(name) && masterListPlace(name) === undefined);
  });
}
