/**
 * What both implementations demand of their arguments. A violation is a programming mistake and throws a RangeError:
 * bytes from a store are checked by the codec before they get here.
 */
import { BLOCK_BYTES_MAX, BLOCK_LANES, type LaneLayout, PROBABILITY_TOTAL } from './kernels.js';

export function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new RangeError(`kernel precondition: ${what}`);
}

/** Returns the number of lanes of a block. */
export function demandBlock(
  raw: Uint8Array,
  base: Uint8Array | undefined,
  layout: LaneLayout,
  planes: Uint8Array,
): number {
  const lanes = raw.length / layout.laneBytes;
  demand(Number.isInteger(lanes), 'a block holds whole lanes');
  demand(lanes <= BLOCK_LANES, `a block holds at most ${BLOCK_LANES} lanes`);
  demand(planes.length === raw.length, 'planes are as long as the raw block');
  demand(base === undefined || base.length === raw.length, 'the base is as long as the raw block');
  return lanes;
}

export function demandWindow(bytes: Uint8Array): void {
  demand(bytes.length <= BLOCK_BYTES_MAX, `at most ${BLOCK_BYTES_MAX} bytes`);
}

export function demandPlane(plane: Uint8Array): void {
  demand(plane.length <= BLOCK_LANES, `a plane has at most ${BLOCK_LANES} bytes`);
}

export function demandFrequencies(frequencies: Uint16Array): void {
  demand(frequencies.length === 256, '256 frequencies');
  let total = 0;
  for (let symbol = 0; symbol < 256; symbol++) {
    demand(frequencies[symbol] < PROBABILITY_TOTAL, 'a frequency is below the total');
    total += frequencies[symbol];
  }
  demand(total === PROBABILITY_TOTAL, `frequencies add up to ${PROBABILITY_TOTAL}`);
}
