/** Lanes of floats one at a time, as numbers of at most 32 bits in their order. */
import type { FloatLayout } from './kernels.js';

/** The sign of the lane and where its exponent begins. */
export interface LaneShape {
  readonly laneBytes: number;
  /** Bits of a 32-bit number that the lane leaves free. */
  readonly spare: number;
  readonly orderMask: number;
  readonly exponentShift: number;
  readonly exponentMask: number;
}

export function laneShape({ laneBytes, exponentBits }: FloatLayout): LaneShape {
  const spare = 32 - 8 * laneBytes;
  return {
    laneBytes,
    spare,
    orderMask: 0x7fffffff >>> spare,
    exponentShift: 8 * laneBytes - 1 - exponentBits,
    exponentMask: (1 << exponentBits) - 1,
  };
}

/** The bits of a lane, the sign extended. */
export function loadLane(bytes: Uint8Array, lane: number, { laneBytes, spare }: LaneShape): number {
  let value = 0;
  const start = lane * laneBytes;
  for (let byte = 0; byte < laneBytes; byte++) value |= bytes[start + byte] << (8 * byte);
  return (value << spare) >> spare;
}

export function storeLane(bytes: Uint8Array, lane: number, value: number, { laneBytes }: LaneShape): void {
  for (let byte = 0; byte < laneBytes; byte++) bytes[lane * laneBytes + byte] = value >>> (8 * byte);
}

/** Maps bits to a number of the same order, and back; numbers beyond the lane wrap around. */
export function ordered(value: number, { spare, orderMask }: LaneShape): number {
  const wrapped = (value << spare) >> spare;
  return wrapped ^ ((wrapped >> 31) & orderMask);
}

export function exponentOf(lane: number, { exponentShift, exponentMask }: LaneShape): number {
  return (lane >>> exponentShift) & exponentMask;
}
