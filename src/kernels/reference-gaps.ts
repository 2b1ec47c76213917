/** Gaps by level, the plain twin of assembly/gaps.ts and assembly/gap-events.ts. */
import {
  type ChangeCounts,
  GAP_BITS,
  GAP_DENSE,
  GAP_EVENTS_MAX,
  GAP_FLAGS,
  GAP_LARGE,
  GAP_LENGTHS,
  GAP_NUMBER_MAX,
  GAP_NUMBERS,
  GAP_QUOTIENT_MAX,
  GAP_REMAINDER_BITS_MAX,
  GAP_SIZES,
  GAP_STREAM_BYTES_MAX,
  GAP_SUMS,
  GAP_TILE,
  GAP_TOPS,
  type GapModel,
  type GapStreams,
} from './gap-model.js';
import type { FloatLayout } from './kernels.js';
import { AdaptiveReader, AdaptiveWriter, BitSource, BitTarget } from './reference-adaptive-bits.js';
import { exponentOf, type LaneShape, laneShape, loadLane, ordered, storeLane } from './reference-lanes.js';

function laneLevels(base: Uint8Array, shape: LaneShape, { low, contexts }: GapModel): Uint8Array {
  const top = GAP_DENSE + contexts - 1;
  return Uint8Array.from({ length: base.length / shape.laneBytes }, (_, lane) =>
    Math.min(top, Math.max(0, exponentOf(loadLane(base, lane, shape), shape) + GAP_DENSE - low)),
  );
}

/** Goes through a block in the order in which lanes are told: by tiles; in a tile sparse levels first, then dense lanes. */
function forLanesInOrder(
  levels: Uint8Array,
  top: number,
  visit: (lane: number, level: number) => void,
): void {
  for (let start = 0; start < levels.length; start += GAP_TILE) {
    const end = Math.min(levels.length, start + GAP_TILE);
    for (let level = GAP_DENSE; level <= top; level++) {
      for (let lane = start; lane < end; lane++) if (levels[lane] === level) visit(lane, level);
    }
    for (let lane = start; lane < end; lane++) if (levels[lane] < GAP_DENSE) visit(lane, levels[lane]);
  }
}

/** Bits of the remainder of the next gap. */
function remainderBits(state: Uint32Array, context: number): number {
  let bits = 0;
  while (
    bits < GAP_REMAINDER_BITS_MAX &&
    state[GAP_NUMBERS + context] * 2 ** (bits + 1) < state[GAP_SUMS + context]
  )
    bits++;
  return bits;
}

function learnGap(state: Uint32Array, context: number, gap: number): void {
  state[GAP_SUMS + context] += gap;
  state[GAP_NUMBERS + context]++;
  if (state[GAP_NUMBERS + context] < GAP_NUMBER_MAX) return;
  state[GAP_SUMS + context] >>>= 1;
  state[GAP_NUMBERS + context] >>>= 1;
}

interface GapEvent {
  readonly level: number;
  readonly difference: number;
  /** For sparse levels: lanes of the level to the next one that differs, or to the end. */
  next: number;
}

/** A block as what is told about it; `first` are the gaps at its start. */
interface GapEvents {
  readonly first: readonly GapEvent[];
  readonly events: readonly GapEvent[];
}

function gapEvents(
  raw: Uint8Array,
  base: Uint8Array,
  layout: FloatLayout,
  model: GapModel,
): GapEvents | undefined {
  const shape = laneShape(layout);
  const first = Array.from({ length: model.contexts }, (_, context) => ({
    level: GAP_DENSE + context,
    difference: 0,
    next: 0,
  }));
  const latest: GapEvent[] = [...first];
  const events: GapEvent[] = [];
  const top = GAP_DENSE + model.contexts - 1;
  forLanesInOrder(laneLevels(base, shape, model), top, (lane, level) => {
    const difference = laneDifference(raw, base, lane, shape);
    const isSparse = level >= GAP_DENSE;
    if (isSparse && difference === 0) {
      latest[level - GAP_DENSE].next++;
      return;
    }
    const event = { level, difference, next: 0 };
    events.push(event);
    if (isSparse) latest[level - GAP_DENSE] = event;
  });
  return events.length > GAP_EVENTS_MAX ? undefined : { first, events };
}

function laneDifference(raw: Uint8Array, base: Uint8Array, lane: number, shape: LaneShape): number {
  const step = ordered(loadLane(raw, lane, shape), shape) - ordered(loadLane(base, lane, shape), shape);
  return (step << shape.spare) >> shape.spare;
}

export function encodeGapsReference(
  raw: Uint8Array,
  base: Uint8Array,
  layout: FloatLayout,
  model: GapModel,
): GapStreams | undefined {
  const found = gapEvents(raw, base, layout, model);
  if (found === undefined) return undefined;
  const state = model.state.slice();
  const coder = new AdaptiveWriter(state);
  const bits = new BitTarget();
  for (const { level, next } of found.first) writeGap(bits, state, level - GAP_DENSE, next);
  for (const { level, difference, next } of found.events) {
    if (level < GAP_DENSE) {
      coder.write(GAP_FLAGS + level, difference === 0 ? 0 : 1);
      if (difference === 0) continue;
    }
    writeDifference(coder, bits, level, difference);
    if (level >= GAP_DENSE) writeGap(bits, state, level - GAP_DENSE, next);
  }
  if (coder.length > GAP_STREAM_BYTES_MAX || bits.length > GAP_STREAM_BYTES_MAX) return undefined;
  model.state.set(state);
  return { coded: coder.finish(), bits: bits.finish() };
}

function writeGap(bits: BitTarget, state: Uint32Array, context: number, gap: number): void {
  const remainder = remainderBits(state, context);
  const quotient = gap >>> remainder;
  if (quotient < GAP_QUOTIENT_MAX) {
    bits.write(2 ** quotient - 1, quotient + 1);
    bits.write(gap & ((1 << remainder) - 1), remainder);
  } else {
    bits.write(2 ** GAP_QUOTIENT_MAX - 1, GAP_QUOTIENT_MAX);
    bits.write(gap, GAP_BITS);
  }
  learnGap(state, context, gap);
}

function writeDifference(coder: AdaptiveWriter, bits: BitTarget, level: number, difference: number): void {
  const rest = Math.abs(difference) - 1;
  coder.write(GAP_LARGE + level, rest > 0 ? 1 : 0);
  if (rest > 0) {
    const length = 31 - Math.clz32(rest);
    const row = level * GAP_SIZES;
    for (let shorter = 0; shorter < length; shorter++) coder.write(GAP_LENGTHS + row + shorter, 1);
    coder.write(GAP_LENGTHS + row + length, 0);
    if (length > 0) {
      coder.write(GAP_TOPS + row + length, (rest >>> (length - 1)) & 1);
      bits.write(rest & ((1 << (length - 1)) - 1), length - 1);
    }
  }
  bits.write(difference < 0 ? 1 : 0, 1);
}

export function decodeGapsReference(
  { coded, bits }: GapStreams,
  base: Uint8Array,
  layout: FloatLayout,
  model: GapModel,
  raw: Uint8Array,
): number {
  const shape = laneShape(layout);
  const { state } = model;
  if (coded.length > GAP_STREAM_BYTES_MAX) return -1;
  const coder = new AdaptiveReader(coded, state);
  const source = new BitSource(bits.subarray(0, GAP_STREAM_BYTES_MAX));
  const left = Array.from({ length: model.contexts }, (_, context) => readGap(source, state, context));
  const top = GAP_DENSE + model.contexts - 1;
  let isDamaged = false;
  raw.set(base);
  forLanesInOrder(laneLevels(base, shape, model), top, (lane, level) => {
    const context = level - GAP_DENSE;
    if (isDamaged || source.isPast) return;
    if (context >= 0 ? left[context]-- > 0 : coder.read(GAP_FLAGS + level) === 0) return;
    const difference = readDifference(coder, source, level);
    if (difference === undefined) {
      isDamaged = true;
      return;
    }
    storeLane(raw, lane, ordered(ordered(loadLane(base, lane, shape), shape) + difference, shape), shape);
    if (context >= 0) left[context] = readGap(source, state, context);
  });
  return isDamaged || !coder.isWhole ? -1 : source.finish();
}

function readGap(bits: BitSource, state: Uint32Array, context: number): number {
  const remainder = remainderBits(state, context);
  let quotient = 0;
  while (quotient < GAP_QUOTIENT_MAX && bits.read(1) === 1) quotient++;
  const gap =
    quotient < GAP_QUOTIENT_MAX ? quotient * 2 ** remainder + bits.read(remainder) : bits.read(GAP_BITS);
  learnGap(state, context, gap);
  return gap;
}

/** Returns undefined for damage. */
function readDifference(coder: AdaptiveReader, bits: BitSource, level: number): number | undefined {
  let rest = 0;
  if (coder.read(GAP_LARGE + level) === 1) {
    const row = level * GAP_SIZES;
    let length = 0;
    while (coder.read(GAP_LENGTHS + row + length) === 1) {
      length++;
      if (length >= GAP_SIZES - 1) return undefined;
    }
    rest = 1;
    if (length > 0) {
      rest = 2 + coder.read(GAP_TOPS + row + length);
      rest = rest * 2 ** (length - 1) + bits.read(length - 1);
    }
  }
  return bits.read(1) === 1 ? -(rest + 1) : rest + 1;
}

export function sampleChangesReference(
  raw: Uint8Array,
  base: Uint8Array,
  layout: FloatLayout,
  stride: number,
  counts: ChangeCounts,
): void {
  const shape = laneShape(layout);
  const lanes = raw.length / layout.laneBytes;
  for (let start = 0; start < lanes; start += stride * GAP_TILE) {
    let isTouched = false;
    for (let lane = start; lane < Math.min(lanes, start + GAP_TILE); lane++) {
      const before = loadLane(base, lane, shape);
      const differs = loadLane(raw, lane, shape) !== before;
      counts.lanes[exponentOf(before, shape)]++;
      if (differs) counts.changed[exponentOf(before, shape)]++;
      isTouched ||= differs;
    }
    if (isTouched) counts.touchedTiles++;
  }
}
