/**
 * Marks of lanes that differ, the plain twin of assembly/lane-marks.ts: FORMAT.md, "Marked lanes". Lane i is coded with state
 * x = states[i mod 32]; with p the probability of its context, f = p where it is marked, else 128 - p:
 *
 *   encode, from the last lane on: if x >= f << 9, write the lowest byte of x, and x >>= 8
 *                                  x = floor(x / f) * 128 + x mod f + (0 where it is marked, else p)
 *   decode, from the first lane:   marked if x mod 128 < p;  x = f * floor(x / 128) + x mod 128 - (0 or p, as above)
 *                                  if x < 256, x = x << 8 | next byte
 */
import type { FloatLayout } from './kernels.js';
import { MARK_CONTEXTS, MARK_STATE_MIN, MARK_STATES, MARK_TOTAL, type MarkModel } from './mark-model.js';

function load(bytes: Uint8Array, lane: number): number {
  return bytes[2 * lane] | (bytes[2 * lane + 1] << 8);
}

/** The lanes of whole groups; those that are missing have all bits set. */
function paddedLanes(lanes: number): number {
  return Math.ceil(lanes / MARK_STATES) * MARK_STATES;
}

function chanceOf(base: number, { exponentBits }: FloatLayout, { low, probabilities }: MarkModel): number {
  const exponent = (base & 0x7fff) >>> (15 - exponentBits);
  return probabilities[Math.min(MARK_CONTEXTS - 1, Math.max(0, exponent - low))];
}

export function markLanesReference(raw: Uint8Array, base: Uint8Array, marks: Uint8Array): void {
  marks.fill(0);
  for (let lane = 0; lane < raw.length / 2; lane++) {
    if (load(raw, lane) !== load(base, lane)) marks[lane >>> 3] |= 1 << (lane & 7);
  }
}

export function encodeMarksReference(
  raw: Uint8Array,
  base: Uint8Array,
  layout: FloatLayout,
  model: MarkModel,
): Uint8Array {
  const lanes = raw.length / 2;
  const padded = paddedLanes(lanes);
  const { states } = model;
  const bytes = new Uint8Array(padded);
  let at = padded;
  for (let lane = padded - 1; lane >= 0; lane--) {
    const before = lane < lanes ? load(base, lane) : 0xffff;
    const isMarked = lane < lanes && load(raw, lane) !== before;
    const p = chanceOf(before, layout, model);
    const f = isMarked ? p : MARK_TOTAL - p;
    let state = states[lane % MARK_STATES];
    if (state >= f << 9) {
      bytes[--at] = state;
      state >>>= 8;
    }
    states[lane % MARK_STATES] = Math.floor(state / f) * MARK_TOTAL + (state % f) + (isMarked ? 0 : p);
  }
  return bytes.subarray(at);
}

export function decodeMarksReference(
  coded: Uint8Array,
  base: Uint8Array,
  layout: FloatLayout,
  model: MarkModel,
  marks: Uint8Array,
): number {
  const lanes = base.length / 2;
  const { states } = model;
  let at = 0;
  marks.fill(0);
  for (let lane = 0; lane < paddedLanes(lanes); lane++) {
    const p = chanceOf(lane < lanes ? load(base, lane) : 0xffff, layout, model);
    const before = states[lane % MARK_STATES];
    const slot = before % MARK_TOTAL;
    const isMarked = slot < p;
    const f = isMarked ? p : MARK_TOTAL - p;
    let state = f * Math.floor(before / MARK_TOTAL) + slot - (isMarked ? 0 : p);
    if (state < MARK_STATE_MIN) {
      if (at >= coded.length) return -1;
      state = (state << 8) | coded[at++];
    }
    states[lane % MARK_STATES] = state;
    if (!isMarked) continue;
    if (lane >= lanes) return -1;
    marks[lane >>> 3] |= 1 << (lane & 7);
  }
  return at;
}

function isMarkedAt(marks: Uint8Array, lane: number): boolean {
  return ((marks[lane >>> 3] >>> (lane & 7)) & 1) === 1;
}

export function gatherMarkedReference(lanes: Uint8Array, marks: Uint8Array, output: Uint8Array): number {
  let at = 0;
  for (let lane = 0; lane < lanes.length / 2; lane++) {
    if (!isMarkedAt(marks, lane)) continue;
    output[at++] = lanes[2 * lane];
    output[at++] = lanes[2 * lane + 1];
  }
  return at;
}

export function scatterMarkedReference(
  values: Uint8Array,
  marks: Uint8Array,
  base: Uint8Array,
  raw: Uint8Array,
): number {
  raw.set(base);
  let at = 0;
  for (let lane = 0; lane < base.length / 2; lane++) {
    if (!isMarkedAt(marks, lane)) continue;
    raw[2 * lane] = values[at++];
    raw[2 * lane + 1] = values[at++];
  }
  return at;
}
