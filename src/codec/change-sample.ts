/** How often lanes of a chunk differ from their prediction, by its exponent, from a sample. */
import type { ChangeCounts, FloatLayout, Kernels } from '../kernels/index.js';

const EXPONENTS = 256;

/** Lanes of a chunk that are sampled. */
const SAMPLE_LANES = 16_384;

/** Counts a sample of lanes of more than one byte; blocks of `blockBytes` are looked at in turn. */
export function sampledChanges(
  kernels: Kernels,
  raw: Uint8Array,
  base: Uint8Array,
  layout: FloatLayout,
  blockBytes: number,
): ChangeCounts {
  const counts: ChangeCounts = {
    lanes: new Uint32Array(EXPONENTS),
    changed: new Uint32Array(EXPONENTS),
    touchedTiles: 0,
  };
  const stride = Math.max(1, Math.floor(raw.length / layout.laneBytes / SAMPLE_LANES));
  for (let start = 0; start < raw.length; start += blockBytes) {
    const end = Math.min(raw.length, start + blockBytes);
    kernels.sampleChanges(raw.subarray(start, end), base.subarray(start, end), layout, stride, counts);
  }
  return counts;
}

/** Returns the sum of counts. */
export function sumOf(counts: Uint32Array): number {
  let total = 0;
  for (let index = 0; index < counts.length; index++) total += counts[index];
  return total;
}
