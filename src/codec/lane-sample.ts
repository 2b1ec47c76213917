/** A few lanes of a chunk and of its prediction, side by side: what forms of blocks are estimated from. */

import type { Kernels } from '../kernels/index.js';
import { scratchBytes } from './scratch.js';

/** Lanes of a sample and of each of its pieces; smaller chunks are taken whole. */
export const SAMPLE_LANES = 8192;
const PIECE_LANES = 256;
const LANE_BYTES_MAX = 4;

export interface LaneSample {
  readonly raw: Uint8Array;
  readonly base: Uint8Array | undefined;
  readonly chunkLanes: number;
}

export class LaneSampler {
  private readonly raw: Uint8Array;
  private readonly base: Uint8Array;

  constructor(kernels: Kernels) {
    this.raw = scratchBytes(kernels, SAMPLE_LANES * LANE_BYTES_MAX);
    this.base = scratchBytes(kernels, SAMPLE_LANES * LANE_BYTES_MAX);
  }

  /** Returns a sample that is valid until the next one is taken; lanes have at most 4 bytes. */
  take(raw: Uint8Array, base: Uint8Array | undefined, laneBytes: number): LaneSample {
    const chunkLanes = raw.length / laneBytes;
    if (chunkLanes <= SAMPLE_LANES) return { raw, base, chunkLanes };
    const pieces = SAMPLE_LANES / PIECE_LANES;
    const pieceBytes = PIECE_LANES * laneBytes;
    for (let piece = 0; piece < pieces; piece++) {
      const start = Math.floor(((chunkLanes - PIECE_LANES) * piece) / (pieces - 1)) * laneBytes;
      const to = piece * pieceBytes;
      this.raw.set(raw.subarray(start, start + pieceBytes), to);
      if (base !== undefined) this.base.set(base.subarray(start, start + pieceBytes), to);
    }
    const length = pieces * pieceBytes;
    return {
      raw: this.raw.subarray(0, length),
      base: base && this.base.subarray(0, length),
      chunkLanes,
    };
  }
}
