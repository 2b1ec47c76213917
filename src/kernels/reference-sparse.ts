/** Gaps and values of sparse planes, the plain twin of assembly/sparse.ts. */
import type { SparseStreams } from './kernels.js';

/** The gap byte that stands for this many zero bytes and more to come. */
const GAP_ESCAPE = 255;

export function gatherSparseReference(plane: Uint8Array): SparseStreams {
  const gaps: number[] = [];
  const values: number[] = [];
  let gap = 0;
  for (let index = 0; index < plane.length; index++) {
    if (plane[index] === 0) {
      gap++;
      continue;
    }
    for (; gap >= GAP_ESCAPE; gap -= GAP_ESCAPE) gaps.push(GAP_ESCAPE);
    gaps.push(gap);
    values.push(plane[index]);
    gap = 0;
  }
  return { gaps: Uint8Array.from(gaps), values: Uint8Array.from(values) };
}

export function scatterSparseReference(gaps: Uint8Array, values: Uint8Array, plane: Uint8Array): boolean {
  if (gaps.length > plane.length || values.length > plane.length) return false;
  plane.fill(0);
  let at = 0;
  let used = 0;
  for (let index = 0; index < gaps.length; index++) {
    at += gaps[index];
    if (gaps[index] === GAP_ESCAPE) continue;
    if (at >= plane.length || used >= values.length) return false;
    plane[at++] = values[used++];
  }
  return used === values.length && gaps[gaps.length - 1] !== GAP_ESCAPE;
}
