/**
 * Residual and byte planes, the plain twin of assembly/planes.ts.
 *
 *   o(x) = x                                  integers
 *   o(x) = x ^ ((x >> bits-1) >>> 1)          floats: negative numbers count downwards from -1
 *   residual = zigzag(o(raw) - o(base)) = (d << 1) ^ (d >> bits-1)
 *
 * all modulo 2^bits. o undoes itself, so the same step leads back.
 */
import type { ByteRange, LaneLayout } from './kernels.js';

export function splitPlanesReference(
  raw: Uint8Array,
  base: Uint8Array | undefined,
  layout: LaneLayout,
  planes: Uint8Array,
): void {
  if (layout.laneBytes === 8) splitWide(raw, base, layout, planes);
  else splitNarrow(raw, base, layout, planes);
}

export function mergePlanesReference(
  planes: Uint8Array,
  base: Uint8Array | undefined,
  layout: LaneLayout,
  raw: Uint8Array,
): void {
  if (layout.laneBytes === 8) mergeWide(planes, base, layout, raw);
  else mergeNarrow(planes, base, layout, raw);
}

export function histogramReference(bytes: Uint8Array, counts: Uint32Array): void {
  counts.fill(0);
  for (let index = 0; index < bytes.length; index++) counts[bytes[index]]++;
}

export function sampledHistogramReference(bytes: Uint8Array, counts: Uint32Array): void {
  counts.fill(0);
  for (let index = 0; index < bytes.length; index++) if (index % 1088 < 64) counts[bytes[index]]++;
}

export function byteRangeReference(bytes: Uint8Array): ByteRange {
  let [lowest, highest, varying] = [255, 0, 0];
  for (const byte of bytes) {
    lowest = Math.min(lowest, byte);
    highest = Math.max(highest, byte);
    varying |= byte ^ bytes[0];
  }
  return { lowest, highest, varying };
}

/** Reads a lane of up to 4 bytes as a signed number. */
function loadNarrow(bytes: Uint8Array, offset: number, laneBytes: number): number {
  let value = 0;
  for (let byte = 0; byte < laneBytes; byte++) value |= bytes[offset + byte] << (8 * byte);
  const spare = 32 - 8 * laneBytes;
  return (value << spare) >> spare;
}

function splitNarrow(
  raw: Uint8Array,
  base: Uint8Array | undefined,
  layout: LaneLayout,
  planes: Uint8Array,
): void {
  const { laneBytes } = layout;
  const lanes = raw.length / laneBytes;
  const spare = 32 - 8 * laneBytes;
  const orderMask = layout.lane === 'float' ? 0x7fffffff >>> spare : 0;
  for (let lane = 0; lane < lanes; lane++) {
    const value = loadNarrow(raw, lane * laneBytes, laneBytes);
    let difference = value ^ ((value >> 31) & orderMask);
    if (base !== undefined) {
      const before = loadNarrow(base, lane * laneBytes, laneBytes);
      difference = ((difference - (before ^ ((before >> 31) & orderMask))) << spare) >> spare;
    }
    const residual = (difference << 1) ^ (difference >> 31);
    for (let byte = 0; byte < laneBytes; byte++) planes[byte * lanes + lane] = residual >>> (8 * byte);
  }
}

function mergeNarrow(
  planes: Uint8Array,
  base: Uint8Array | undefined,
  layout: LaneLayout,
  raw: Uint8Array,
): void {
  const { laneBytes } = layout;
  const lanes = raw.length / laneBytes;
  const spare = 32 - 8 * laneBytes;
  const orderMask = layout.lane === 'float' ? 0x7fffffff >>> spare : 0;
  for (let lane = 0; lane < lanes; lane++) {
    let residual = 0;
    for (let byte = 0; byte < laneBytes; byte++) residual |= planes[byte * lanes + lane] << (8 * byte);
    let ordered = (residual >>> 1) ^ -(residual & 1);
    if (base !== undefined) {
      const before = loadNarrow(base, lane * laneBytes, laneBytes);
      ordered += before ^ ((before >> 31) & orderMask);
    }
    ordered = (ordered << spare) >> spare;
    const value = ordered ^ ((ordered >> 31) & orderMask);
    for (let byte = 0; byte < laneBytes; byte++) raw[lane * laneBytes + byte] = value >>> (8 * byte);
  }
}

function splitWide(
  raw: Uint8Array,
  base: Uint8Array | undefined,
  layout: LaneLayout,
  planes: Uint8Array,
): void {
  const lanes = raw.length / 8;
  const orders = layout.lane === 'float' ? -1 : 0;
  for (let lane = 0; lane < lanes; lane++) {
    const rawHigh = loadNarrow(raw, lane * 8 + 4, 4);
    const flip = (rawHigh >> 31) & orders;
    let low = loadNarrow(raw, lane * 8, 4) ^ flip;
    let high = rawHigh ^ (flip >>> 1);
    if (base !== undefined) {
      const baseHigh = loadNarrow(base, lane * 8 + 4, 4);
      const baseFlip = (baseHigh >> 31) & orders;
      const baseLow = loadNarrow(base, lane * 8, 4) ^ baseFlip;
      const borrow = low >>> 0 < baseLow >>> 0 ? 1 : 0;
      low = (low - baseLow) | 0;
      high = (high - (baseHigh ^ (baseFlip >>> 1)) - borrow) | 0;
    }
    const sign = high >> 31;
    const residualLow = (low << 1) ^ sign;
    const residualHigh = ((high << 1) | (low >>> 31)) ^ sign;
    for (let byte = 0; byte < 4; byte++) {
      planes[byte * lanes + lane] = residualLow >>> (8 * byte);
      planes[(byte + 4) * lanes + lane] = residualHigh >>> (8 * byte);
    }
  }
}

function mergeWide(
  planes: Uint8Array,
  base: Uint8Array | undefined,
  layout: LaneLayout,
  raw: Uint8Array,
): void {
  const lanes = raw.length / 8;
  const orders = layout.lane === 'float' ? -1 : 0;
  for (let lane = 0; lane < lanes; lane++) {
    let residualLow = 0;
    let residualHigh = 0;
    for (let byte = 0; byte < 4; byte++) {
      residualLow |= planes[byte * lanes + lane] << (8 * byte);
      residualHigh |= planes[(byte + 4) * lanes + lane] << (8 * byte);
    }
    const sign = -(residualLow & 1);
    let low = ((residualLow >>> 1) | (residualHigh << 31)) ^ sign;
    let high = (residualHigh >>> 1) ^ sign;
    if (base !== undefined) {
      const baseHigh = loadNarrow(base, lane * 8 + 4, 4);
      const baseFlip = (baseHigh >> 31) & orders;
      const sum = (low >>> 0) + ((loadNarrow(base, lane * 8, 4) ^ baseFlip) >>> 0);
      high = (high + (baseHigh ^ (baseFlip >>> 1)) + (sum > 0xffffffff ? 1 : 0)) | 0;
      low = sum | 0;
    }
    const flip = (high >> 31) & orders;
    low ^= flip;
    high ^= flip >>> 1;
    for (let byte = 0; byte < 4; byte++) {
      raw[lane * 8 + byte] = low >>> (8 * byte);
      raw[lane * 8 + 4 + byte] = high >>> (8 * byte);
    }
  }
}
