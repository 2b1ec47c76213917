/** Chunks of training data with the chunk before: from traces of real training where they are, else by the same law. */

import { bf16Of, hasTraces, momentsOf } from '../trace-files.mjs';
import { adamwFar, adamwStep, initialise, Noise, SETTINGS, toBf16 } from '../training-law.mjs';

/** Elements of a chunk in the default grid. */
export const CHUNK_ELEMENTS = 262_144;

const bytesOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const chunkOf = (array) => bytesOf(array.slice(0, CHUNK_ELEMENTS));

/** Where the data is from, for the report. */
export const origin = hasTraces ? 'traces of real training' : 'synthetic, by the law of AdamW';

/** Returns `{ id, name, dtype, base, raw }` of each kind of delta. */
export function deltaChunks() {
  const kinds = hasTraces ? tracedMoments() : syntheticMoments();
  const chunks = [];
  for (const [steps, before, after] of kinds) {
    for (const kind of ['weights', 'first', 'second']) {
      const id = kind === 'weights' ? `weights-${steps}` : `${kind}-moment-${steps}`;
      const [base, raw] = [before[kind], after[kind]].map(chunkOf);
      chunks.push({ id, name: `fp32 ${kind}, ${steps} apart`, dtype: 'f32', base, raw });
    }
  }
  return chunks;
}

function tracedMoments() {
  const before = momentsOf('gpt/step-700.pth');
  return [1, 10, 100].map((steps) => [steps, before, momentsOf(`gpt/step-${700 + steps}.pth`)]);
}

function parameters(elements, seed) {
  const made = {
    w: new Float32Array(elements),
    m: new Float32Array(elements),
    v: new Float32Array(elements),
  };
  initialise(made, new Noise(seed), 0.02);
  return made;
}

const copyOf = ({ w, m, v }) => ({ w: w.slice(), m: m.slice(), v: v.slice() });
const named = ({ w, m, v }) => ({ weights: w, first: m, second: v });

function syntheticMoments() {
  const start = parameters(CHUNK_ELEMENTS, 1);
  return [1, 10, 100].map((steps) => {
    const after = copyOf(start);
    if (steps === 1) adamwStep(after, new Noise(2), 700);
    else adamwFar(after, new Noise(2), steps);
    return [steps, named(start), named(after)];
  });
}

/** bf16 weights of which 9 % to 13 % changed, and of which about 1 % did (a learning rate as in reinforcement learning). */
export function bf16Chunks() {
  const start = hasTraces ? undefined : parameters(CHUNK_ELEMENTS, 3);
  const dense = hasTraces
    ? [bf16Of('bf16/step-700.safetensors'), bf16Of('bf16/step-701.safetensors')]
    : movedBf16(start, 3e-5);
  const sparse = movedBf16(parameters(CHUNK_ELEMENTS, 5), 2.2e-6);
  return [
    { id: 'bf16-context', name: 'bf16 weights', pair: dense },
    { id: 'bf16-sparse', name: 'bf16 weights, small steps', pair: sparse },
  ].map(({ id, name, pair }) => {
    const [base, raw] = pair.map((halves) => halves.slice(0, CHUNK_ELEMENTS));
    const changed = raw.reduce((count, half, at) => count + Number(half !== base[at]), 0) / raw.length;
    return { id, name, dtype: 'bf16', base: bytesOf(base), raw: bytesOf(raw), changed };
  });
}

function movedBf16(start, lr) {
  const after = copyOf(start);
  adamwStep(after, new Noise(4), 700, { settings: { ...SETTINGS, lr } });
  return [toBf16(start.w), toBf16(after.w)];
}

/**
 * Zigzag of the difference of lanes in float order, as byte planes from the lowest: what zstd gets to compress. Planes of
 * the whole chunk suit it best; `blockLanes` cuts them as coders that work block by block do.
 */
export function residualPlanes({ dtype, base, raw }, blockLanes = CHUNK_ELEMENTS) {
  const lanes = dtype === 'f32' ? Uint32Array : Uint16Array;
  const bits = 8 * lanes.BYTES_PER_ELEMENT;
  const before = new lanes(base.slice().buffer);
  const after = new lanes(raw.slice().buffer);
  const top = 2 ** (bits - 1);
  const ordered = (lane) => (lane >= top ? 2 ** bits - 1 - lane : lane + top);
  const planes = new Uint8Array(raw.length);
  for (let at = 0; at < after.length; at++) {
    const residual = zigzag(ordered(after[at]) - ordered(before[at]), bits);
    const start = at - (at % blockLanes);
    const lanesOfBlock = Math.min(blockLanes, after.length - start);
    const first = start * lanes.BYTES_PER_ELEMENT + (at - start);
    for (let plane = 0; plane < bits / 8; plane++)
      planes[first + plane * lanesOfBlock] = residual >>> (8 * plane);
  }
  return planes;
}

function zigzag(difference, bits) {
  const wrapped = (difference << (32 - bits)) >> (32 - bits);
  return ((wrapped << 1) ^ (wrapped >> (bits - 1))) >>> 0;
}

/** Entropy of the residuals of bf16 lanes given the exponent of the base, in bytes: H(d | exponent). */
export function contextBound(chunk) {
  const planes = residualPlanes(chunk);
  const count = chunk.raw.length / 2;
  const before = new Uint16Array(chunk.base.slice().buffer);
  const joint = new Map();
  const contexts = new Float64Array(256);
  for (let at = 0; at < count; at++) {
    const exponent = (before[at] >>> 7) & 255;
    const key = exponent * 65_536 + planes[at] + 256 * planes[count + at];
    joint.set(key, (joint.get(key) ?? 0) + 1);
    contexts[exponent]++;
  }
  let bits = 0;
  for (const [key, times] of joint) bits -= times * Math.log2(times / contexts[Math.floor(key / 65_536)]);
  return bits / 8;
}
