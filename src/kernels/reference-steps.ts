/**
 * Lanes in levels of how far they are from their prediction, the plain twin of assembly/lane-steps.ts and lane-levels.ts:
 * FORMAT.md, "Steps". Marks are coded as in reference-marks.ts, lane i of a pass with states[i mod 64].
 */
import type { FloatLayout } from './kernels.js';
import { MARK_CONTEXTS, MARK_STATE_MIN, MARK_TOTAL } from './mark-model.js';
import {
  leastOfLevel,
  lowOfLevel,
  STEP_COUNT_STRIDE,
  STEP_COUNTS,
  STEP_LANES_MAX,
  STEP_RESTS_FROM,
  STEP_STATES,
  type StepBlock,
  type StepLength,
  type StepModel,
  type StepStreams,
  tableOfLevel,
} from './step-model.js';

/** Passes take lanes in groups; those that are missing have all bits set. */
const GROUP_LANES = 32;

function lanesOf(bytes: Uint8Array): Uint16Array {
  return Uint16Array.from(
    { length: bytes.length >>> 1 },
    (_, at) => bytes[2 * at] | (bytes[2 * at + 1] << 8),
  );
}

function storeLane(bytes: Uint8Array, lane: number, value: number): void {
  bytes[2 * lane] = value;
  bytes[2 * lane + 1] = value >>> 8;
}

function ordered(lane: number): number {
  return lane >= 0x8000 ? lane ^ 0x7fff : lane;
}

function exponentOf(key: number, { exponentBits }: FloatLayout): number {
  return (key & 0x7fff) >>> (15 - exponentBits);
}

function levelOf(size: number): number {
  const octave = 31 - Math.clz32(size);
  return size < 2 ? 1 : 2 * octave + ((size >>> (octave - 1)) & 1);
}

/** Bits that the level of a size does not tell; sizes from `least` on are told in full. */
function restWidth(size: number, least: number): number {
  return size < least ? 30 - Math.clz32(size) : 16;
}

export function splitStepsReference(
  raw: Uint8Array,
  base: Uint8Array,
  layout: FloatLayout,
  { changed, keys, sizes, signs, counts }: StepStreams,
): number {
  const [after, before] = [raw, base].map(lanesOf);
  let count = 0;
  after.forEach((lane, at) => {
    const key = before[at];
    changed[at] = lane === key ? 0 : 255;
    if (lane === key) return;
    const d = ((ordered(lane) - ordered(key)) << 16) >> 16;
    const size = Math.abs(d);
    storeLane(keys, count, key);
    storeLane(sizes, count, size);
    if (count % 8 === 0) signs[count >>> 3] = 0;
    if (d < 0 !== key >= 0x8000) signs[count >>> 3] |= 1 << (count & 7);
    if (count % STEP_COUNT_STRIDE === 0) {
      const row = exponentOf(key, layout) * STEP_COUNTS;
      counts[row]++;
      counts[row + levelOf(size)]++;
    }
    count++;
  });
  return count;
}

/** The probability of each lane of a pass, padded to whole groups. */
function chancesOf(keys: Uint16Array, level: number, layout: FloatLayout, model: StepModel): Uint8Array {
  const low = lowOfLevel(model.low, level);
  const table = tableOfLevel(level) * MARK_CONTEXTS;
  return Uint8Array.from({ length: Math.ceil(keys.length / GROUP_LANES) * GROUP_LANES }, (_, lane) => {
    const exponent = exponentOf(lane < keys.length ? keys[lane] : 0xffff, layout);
    return model.probabilities[table + Math.min(MARK_CONTEXTS - 1, Math.max(0, exponent - low))];
  });
}

/** Codes a pass before what is in `bytes` from `at` on; returns where it begins. */
function encodePass(
  chances: Uint8Array,
  isMarked: (lane: number) => boolean,
  states: Uint16Array,
  bytes: Uint8Array,
  end: number,
): number {
  let at = end;
  for (let lane = chances.length - 1; lane >= 0; lane--) {
    const marked = isMarked(lane);
    const f = marked ? chances[lane] : MARK_TOTAL - chances[lane];
    let state = states[lane % STEP_STATES];
    if (state >= f << 9) {
      bytes[--at] = state;
      state >>>= 8;
    }
    const start = marked ? 0 : chances[lane];
    states[lane % STEP_STATES] = Math.floor(state / f) * MARK_TOTAL + (state % f) + start;
  }
  return at;
}

/** Appends the rests of sizes of the highest level that holds them all; returns the bits that there are then. */
function packRests(sizes: Uint16Array, levels: number, bits: Uint8Array, from: number): number {
  let position = from;
  bits.fill(0, Math.ceil(from / 8));
  const write = (value: number, width: number) => {
    for (let bit = 0; bit < width; bit++, position++) {
      bits[position >>> 3] |= ((value >>> bit) & 1) << (position & 7);
    }
  };
  const first = leastOfLevel(Math.min(levels, STEP_RESTS_FROM));
  for (const size of sizes) if (size >= first) write(size, restWidth(size, leastOfLevel(levels)));
  return position;
}

export function encodeStepsReference(
  { base, changed, keys, sizes, bits }: StepBlock,
  layout: FloatLayout,
  model: StepModel,
): { coded: Uint8Array; bits: number } | undefined {
  const all = lanesOf(sizes);
  const allKeys = lanesOf(keys);
  const passes = [];
  let lanes = all.filter((size) => size >= leastOfLevel(model.levels)).length;
  for (let level = 1; level < model.levels; level++) {
    const isThere = (_: number, at: number) => all[at] >= leastOfLevel(level);
    passes.push({ level, keys: allKeys.filter(isThere), sizes: all.filter(isThere) });
    lanes += passes[level - 1].keys.length;
  }
  if (lanes > STEP_LANES_MAX) return undefined;
  const bytes = new Uint8Array(changed.length + lanes + GROUP_LANES * (model.levels + 1));
  let at = bytes.length;
  for (const pass of passes.reverse()) {
    const chances = chancesOf(pass.keys, pass.level, layout, model);
    const least = leastOfLevel(pass.level + 1);
    at = encodePass(chances, (lane) => pass.sizes[lane] >= least, model.states, bytes, at);
  }
  const chances = chancesOf(lanesOf(base), 0, layout, model);
  at = encodePass(chances, (lane) => changed[lane] === 255, model.states, bytes, at);
  return { coded: bytes.subarray(at), bits: packRests(all, model.levels, bits, all.length) };
}

/** Decodes a pass from `at` on. Returns its marked lanes and where it ended, or undefined for damage. */
function decodePass(
  coded: Uint8Array,
  from: number,
  chances: Uint8Array,
  lanes: number,
  states: Uint16Array,
): { marked: number[]; at: number } | undefined {
  const marked: number[] = [];
  let at = from;
  for (let lane = 0; lane < chances.length; lane++) {
    const p = chances[lane];
    const before = states[lane % STEP_STATES];
    const slot = before % MARK_TOTAL;
    const isMarked = slot < p;
    const f = isMarked ? p : MARK_TOTAL - p;
    let state = f * Math.floor(before / MARK_TOTAL) + slot - (isMarked ? 0 : p);
    if (state < MARK_STATE_MIN) {
      if (at >= coded.length) return undefined;
      state = (state << 8) | coded[at++];
    }
    states[lane % STEP_STATES] = state;
    if (isMarked && lane >= lanes) return undefined;
    if (isMarked) marked.push(lane);
  }
  return { marked, at };
}

export function decodeStepsReference(
  coded: Uint8Array,
  bitsOf: (bits: number, lanes: number) => Uint8Array | undefined,
  base: Uint8Array,
  layout: FloatLayout,
  model: StepModel,
  raw: Uint8Array,
): StepLength | undefined {
  const before = lanesOf(base);
  /** Lanes of the block that are in a level, and the level that each one ends in. */
  let there = Array.from(before.keys());
  const levels = new Uint8Array(before.length);
  let at = 0;
  let lanes = 0;
  for (let level = 0; level < model.levels; level++) {
    const keys = Uint16Array.from(there, (lane) => before[lane]);
    const pass = decodePass(coded, at, chancesOf(keys, level, layout, model), keys.length, model.states);
    if (pass === undefined) return undefined;
    const here = there;
    there = pass.marked.map((index) => here[index]);
    for (const lane of there) levels[lane]++;
    at = pass.at;
    lanes += there.length;
    if (lanes > STEP_LANES_MAX) return undefined;
  }
  const ends = Array.from(levels.keys()).filter((lane) => levels[lane] > 0);
  const least = leastOfLevel(model.levels);
  const widths = ends.map((lane) => {
    const size = leastOfLevel(levels[lane]);
    return levels[lane] < Math.min(model.levels, STEP_RESTS_FROM) ? 0 : restWidth(size, least);
  });
  const length = widths.reduce((sum, width) => sum + width, ends.length);
  const bits = bitsOf(length, ends.length);
  if (bits === undefined) return undefined;
  raw.set(base);
  let position = ends.length;
  ends.forEach((lane, index) => {
    let rest = 0;
    for (let bit = 0; bit < widths[index]; bit++, position++) {
      rest |= ((bits[position >>> 3] >>> (position & 7)) & 1) << bit;
    }
    const size = levels[lane] === model.levels ? rest : leastOfLevel(levels[lane]) + rest;
    const isNearer = ((bits[index >>> 3] >>> (index & 7)) & 1) === 1;
    const d = isNearer !== before[lane] >= 0x8000 ? -size : size;
    storeLane(raw, lane, ordered((ordered(before[lane]) + d) & 0xffff));
  });
  return { bytes: at, bits: length };
}
