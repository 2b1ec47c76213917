/**
 * numpy's archives of arrays: a zip of npy files. Stored members (`numpy.savez`) become ranges; deflated ones
 * (`savez_compressed`) cannot be rebuilt bit by bit from their elements and stay in the skeleton.
 */
import type { Adapter, TensorRange } from './adapter.js';
import { readArrayStep } from './array-progress.js';
import { parametersByName } from './named-optimizers.js';
import { findArray } from './npy.js';
import { orderRanges } from './range-keys.js';
import { firstRecordName, looksLikeZip, readZipDirectory } from './zip-directory.js';

/** numpy's archives; the key of an array is its name in the archive. */
export const npzAdapter: Adapter = {
  format: 'npz',
  recognises(head, name) {
    return looksLikeZip(head) && (/\.npz$/i.test(name) || firstRecordName(head).endsWith('.npy'));
  },
  async segment(source) {
    const ranges: TensorRange[] = [];
    for (const { name, stored, bytes, dataOffset } of await readZipDirectory(source)) {
      if (!stored || !name.endsWith('.npy')) continue;
      const place = { offset: dataOffset, end: dataOffset + bytes };
      const range = await findArray(source, place, name.slice(0, -'.npy'.length));
      if (range !== undefined) ranges.push(range);
    }
    const ordered = orderRanges(ranges);
    const parameters = await parametersByName(ordered, source);
    return { format: 'npz', ranges: ordered, parameters, ...(await readArrayStep(ordered, source)) };
  },
};
