/**
 * Both kernels over a million small blocks, random and adversarial, the same bytes out of each. Seeded: block `n` of a
 * failure is made from SEED + n alone. About four minutes on one core.
 */
import { describe, expect, it } from 'vitest';
import {
  type FloatLayout,
  type Formula,
  formulaShape,
  freshGapModel,
  huffmanBytesMax,
  type Kernels,
  knowsOrder,
  type LaneLayout,
  loadKernels,
  MARK_CONTEXTS,
  MARK_STATE_MIN,
  MARK_STATES,
  MARK_TOTAL,
  markBytes,
  markLowMax,
  type PrefixModel,
  prefixBytesMax,
  STEP_COUNTS,
  STEP_LEVELS_MAX,
  STEP_STATES,
  STEP_TABLES_MAX,
  sevenBytes,
  stepBitBytesMax,
} from '../../src/kernels/index.js';
import { anyFrequencies, edgeLanes, LAYOUTS, randomNumbers, sameBytes } from './kernel-inputs.js';

const SEED = 20261122;
const BLOCKS = 1_000_000;
const LANES_MAX = 80;

const wasm = loadKernels('wasm');
const plain = loadKernels('typescript');
type Next = () => number;

/** Bytes of one of several kinds: any, few values, mostly zero, edges of floats. */
function blockOf(next: Next, length: number, laneBytes: number): Uint8Array {
  const kind = next() % 4;
  if (kind === 0) return Uint8Array.from({ length }, () => next() >>> 13);
  if (kind === 1) return Uint8Array.from({ length }, () => next() % 3);
  if (kind === 2) return Uint8Array.from({ length }, () => (next() % 11 === 0 ? next() >>> 9 : 0));
  return edgeLanes(length / laneBytes + 16, laneBytes)
    .subarray(16 * laneBytes * (next() % 2))
    .slice(0, length);
}

/** Lanes near others, as after a step, or unrelated ones. */
function near(next: Next, base: Uint8Array, laneBytes: number): Uint8Array {
  if (next() % 5 === 0) return blockOf(next, base.length, laneBytes);
  const raw = base.slice();
  const reach = next() % laneBytes;
  const every = 1 + (next() % 9);
  for (let lane = 0; lane < raw.length; lane += laneBytes) {
    if (next() % every !== 0) continue;
    for (let byte = 0; byte <= reach; byte++) raw[lane + byte] = next() >>> 7;
  }
  return raw;
}

function same(what: string, a: Uint8Array | undefined, b: Uint8Array | undefined): void {
  if (a === undefined || b === undefined ? a !== b : !sameBytes(a, b)) throw new Error(`${what} differs`);
}

function bytesOf(counts: Uint32Array | Float64Array): Uint8Array {
  return new Uint8Array(counts.buffer, counts.byteOffset, counts.byteLength);
}

function planes(next: Next): void {
  const layout: LaneLayout = LAYOUTS[next() % LAYOUTS.length];
  const base = blockOf(next, (next() % LANES_MAX) * layout.laneBytes, layout.laneBytes);
  const raw = near(next, base, layout.laneBytes);
  const before = next() % 4 === 0 ? undefined : base;
  const run = (kernels: Kernels) => {
    const split = new Uint8Array(raw.length);
    kernels.splitPlanes(raw, before, layout, split);
    const merged = new Uint8Array(raw.length);
    kernels.mergePlanes(split, before, layout, merged);
    same('merged planes', merged, raw);
    return [split, bytesOf(Float64Array.of(kernels.planeBits(raw, before, layout, 1)))];
  };
  const expected = run(plain);
  run(wasm).forEach((bytes, at) => {
    same('planes', bytes, expected[at]);
  });
}

function classes(next: Next): void {
  const layouts: readonly FloatLayout[] = [
    { laneBytes: 2, exponentBits: 8 },
    { laneBytes: 2, exponentBits: 5 },
    { laneBytes: 4, exponentBits: 8 },
    { laneBytes: 4, exponentBits: 8, far: true },
  ];
  const layout = layouts[next() % layouts.length];
  const lanes = next() % LANES_MAX;
  const base = blockOf(next, lanes * layout.laneBytes, layout.laneBytes);
  const raw = near(next, base, layout.laneBytes);
  const run = (kernels: Kernels) => {
    const streams = {
      symbols: new Uint8Array(lanes),
      exponents: new Uint8Array(lanes),
      rests: new Uint8Array(4 * lanes),
      counts: COUNTS.fill(0),
    };
    const used = kernels.splitClasses(raw, base, layout, streams);
    const rests = streams.rests.subarray(0, used);
    const merged = new Uint8Array(raw.length);
    if (kernels.mergeClasses(streams.symbols, rests, base, layout, merged) !== used) throw new Error('rests');
    same('merged classes', merged, raw);
    const bits = bytesOf(Float64Array.of(kernels.classBits(raw, base, layout, 1)));
    return [streams.symbols, streams.exponents, rests.slice(), bits];
  };
  const expected = run(plain);
  run(wasm).forEach((bytes, at) => {
    same('classes', bytes, expected[at]);
  });
}
const COUNTS = new Uint32Array(65_536);

function coders(next: Next): void {
  const bytes = blockOf(next, 4 * (next() % 100), 1);
  const frequencies = anyFrequencies(bytes);
  const states = next() % 2 === 0 ? 1 : 4;
  const coded = plain.encodeEntropy(bytes, frequencies, states)?.slice();
  same('entropy', wasm.encodeEntropy(bytes, frequencies, states), coded);
  const contexts = Uint8Array.from(bytes, () => next() & 255);
  const tables = { groups: new Uint8Array(256), frequencies };
  same(
    'contexts',
    wasm.encodeContexts(bytes, contexts, tables),
    plain.encodeContexts(bytes, contexts, tables),
  );
  if (coded === undefined) return;
  if (next() % 4 === 0 && coded.length > 0) coded[next() % coded.length] ^= 1 << (next() & 7);
  const [a, b] = [new Uint8Array(bytes.length), new Uint8Array(bytes.length)];
  const isWhole = wasm.decodeEntropy(coded, frequencies, states, a);
  if (isWhole !== plain.decodeEntropy(coded, frequencies, states, b)) throw new Error('entropy of damage');
  if (isWhole) same('decoded entropy', a, b);
}

function prefix(next: Next): void {
  const shape = [1, 2, 3, 4, 7, 7, 7, 7, 7, 7, 8, 9, 9, 9, 9, 9, 9];
  const turn = next() % 17;
  const lengths = Uint8Array.from({ length: 255 }, (_, at) => shape[(at + turn + Math.floor(at / 17)) % 17]);
  const model: PrefixModel = { lowBytes: next() % 2 === 0 ? 1 : 2, firstExponent: next() & 255, lengths };
  const base = blockOf(next, (next() % LANES_MAX) * 4, 4);
  const raw = near(next, base, 4);
  const room = prefixBytesMax(raw.length / 4);
  const [a, b] = [new Uint8Array(room), new Uint8Array(room)];
  const coded = a.subarray(0, wasm.encodePrefix(raw, base, model, a));
  same('prefix', coded, b.subarray(0, plain.encodePrefix(raw, base, model, b)));
  const [c, d] = [new Uint8Array(raw.length), new Uint8Array(raw.length)];
  if (wasm.decodePrefix(coded, base, model, c) !== coded.length) throw new Error('prefix length');
  same('decoded prefix', c, raw);
  coded[next() % coded.length] ^= 1 << (next() & 7);
  const used = wasm.decodePrefix(coded, base, model, c);
  if (used !== plain.decodePrefix(coded, base, model, d)) throw new Error('prefix of damage');
  if (used >= 0) same('damaged prefix', c, d);
}

function huffman(next: Next): void {
  const lengths = new Uint8Array(256);
  // A random complete code: a leaf is split until there are enough.
  const leaves = [0];
  for (let turn = 0; turn < 1 + (next() % 40); turn++) {
    const leaf = next() % leaves.length;
    if (leaves[leaf] < 11) leaves.push(++leaves[leaf]);
  }
  if (leaves.length < 2) return;
  const first = next() % (257 - leaves.length);
  lengths.set(leaves, first);
  const bytes = Uint8Array.from({ length: next() % 400 }, () => first + (next() % leaves.length));
  const room = huffmanBytesMax(bytes.length);
  const [a, b] = [new Uint8Array(room), new Uint8Array(room)];
  const coded = a.subarray(0, wasm.encodeHuffman(bytes, lengths, a));
  same('huffman', coded, b.subarray(0, plain.encodeHuffman(bytes, lengths, b)));
  const [c, d] = [new Uint8Array(bytes.length), new Uint8Array(bytes.length)];
  if (wasm.decodeHuffman(coded, lengths, c) !== coded.length) throw new Error('huffman length');
  same('decoded huffman', c, bytes);
  coded[next() % coded.length] ^= 1 << (next() & 7);
  const used = wasm.decodeHuffman(coded, lengths, c);
  if (used !== plain.decodeHuffman(coded, lengths, d)) throw new Error('huffman of damage');
  if (used >= 0) same('damaged huffman', c, d);
}

function sevenBits(next: Next): void {
  const bit = next() & 7;
  const value = next() % 2 === 0 ? 0 : 1;
  const plane = blockOf(next, next() % 300, 1).map((byte) => (byte & ~(1 << bit)) | (value << bit));
  const [a, b] = [0, 1].map(() => new Uint8Array(sevenBytes(plane.length)));
  wasm.packSeven(plane, { bit, value }, a);
  plain.packSeven(plane, { bit, value }, b);
  same('seven bits', a, b);
  if (next() % 3 === 0 && a.length > 0) a[next() % a.length] ^= 1 << (next() & 7);
  const [c, d] = [0, 1].map(() => new Uint8Array(plane.length));
  const isWhole = wasm.unpackSeven(a, { bit, value }, c);
  if (isWhole !== plain.unpackSeven(a, { bit, value }, d)) throw new Error('seven bits of damage');
  if (isWhole) same('unpacked seven bits', c, d);
}

/** Two kinds of planes in turn. */
function codedPlanes(next: Next): void {
  if (next() % 2 === 0) huffman(next);
  else sevenBits(next);
}

function gaps(next: Next): void {
  const layout = { laneBytes: 2, exponentBits: 8 } as const;
  const base = blockOf(next, (next() % LANES_MAX) * 2, 2);
  const raw = near(next, base, 2);
  const [low, contexts] = [next() % 128, 1 + (next() % 8)];
  const run = (kernels: Kernels) => {
    const streams = kernels.encodeGaps(raw, base, layout, freshGapModel(low, contexts));
    if (streams === undefined) return undefined;
    const copy = { coded: streams.coded.slice(), bits: streams.bits.slice() };
    const merged = new Uint8Array(raw.length);
    kernels.decodeGaps(copy, base, layout, freshGapModel(low, contexts), merged);
    same('merged gaps', merged, raw);
    return copy;
  };
  const [a, b] = [run(wasm), run(plain)];
  same('coded gaps', a?.coded, b?.coded);
  same('bits of gaps', a?.bits, b?.bits);
}

function marks(next: Next): void {
  const layout = { laneBytes: 2, exponentBits: next() % 2 === 0 ? 8 : 5 } as const;
  const base = blockOf(next, (next() % LANES_MAX) * 2, 2);
  const raw = near(next, base, 2);
  const low = next() % (markLowMax(layout.exponentBits) + 1);
  const probabilities = Uint8Array.from({ length: MARK_CONTEXTS }, () => 1 + (next() % (MARK_TOTAL - 1)));
  const start = Uint16Array.from({ length: MARK_STATES }, () => MARK_STATE_MIN + (next() & 255));
  const run = (kernels: Kernels) => {
    const model = { low, probabilities, states: start.slice() };
    const coded = kernels.encodeMarks(raw, base, layout, model).slice();
    const [told, found] = [0, 1].map(() => new Uint8Array(markBytes(base.length / 2)));
    kernels.markLanes(raw, base, told);
    if (kernels.decodeMarks(coded, base, layout, model, found) !== coded.length) throw new Error('marks');
    same('decoded marks', found, told);
    const values = new Uint8Array(raw.length);
    const used = kernels.gatherMarked(raw, found, values);
    const merged = new Uint8Array(raw.length);
    if (kernels.scatterMarked(values, found, base, merged) !== used) throw new Error('marked lanes');
    same('merged marks', merged, raw);
    return coded;
  };
  same('coded marks', run(wasm), run(plain));
}

function steps(next: Next): void {
  const layout = { laneBytes: 2, exponentBits: next() % 2 === 0 ? 8 : 5 } as const;
  const base = blockOf(next, (next() % LANES_MAX) * 2, 2);
  const raw = near(next, base, 2);
  const lanes = base.length / 2;
  const levels = 1 + (next() % STEP_LEVELS_MAX);
  const low = next() % (markLowMax(layout.exponentBits) + 1);
  const length = MARK_CONTEXTS * Math.min(levels, STEP_TABLES_MAX);
  const probabilities = Uint8Array.from({ length }, () => 1 + (next() % (MARK_TOTAL - 1)));
  const start = Uint16Array.from({ length: STEP_STATES }, () => MARK_STATE_MIN + (next() & 255));
  const run = (kernels: Kernels) => {
    const model = { low, levels, probabilities, states: start.slice() };
    const [keys, sizes] = [raw, base].map((bytes) => new Uint8Array(bytes.length));
    const [changed, bits] = [new Uint8Array(lanes), new Uint8Array(stepBitBytesMax(lanes))];
    const counts = new Uint32Array(256 * STEP_COUNTS);
    const count = kernels.splitSteps(raw, base, layout, { changed, keys, sizes, signs: bits, counts });
    const [ofKeys, ofSizes] = [keys, sizes].map((bytes) => bytes.subarray(0, 2 * count));
    const block = { base, changed, keys: ofKeys, sizes: ofSizes, bits };
    const piece = kernels.encodeSteps(block, layout, model);
    if (piece === undefined) return undefined;
    const coded = piece.coded.slice();
    const merged = new Uint8Array(raw.length);
    const used = kernels.decodeSteps(
      coded,
      () => bits.slice(0, Math.ceil(piece.bits / 8)),
      base,
      layout,
      model,
      merged,
    );
    if (used?.bytes !== coded.length || used.bits !== piece.bits) throw new Error('steps');
    same('merged steps', merged, raw);
    return { coded, bits: bits.slice(0, Math.ceil(piece.bits / 8)), counts: new Uint8Array(counts.buffer) };
  };
  const [a, b] = [run(wasm), run(plain)];
  same('coded steps', a?.coded, b?.coded);
  same('bits of steps', a?.bits, b?.bits);
  same('counts of steps', a?.counts, b?.counts);
}

function sparse(next: Next): void {
  const plane = blockOf(next, next() % 600, 1);
  const expected = plain.gatherSparse(plane);
  const found = wasm.gatherSparse(plane);
  same('gaps', found.gaps, expected.gaps);
  same('values', found.values, expected.values);
  const values = expected.values.slice();
  const [a, b] = [new Uint8Array(plane.length), new Uint8Array(plane.length)];
  const damaged = expected.gaps.slice();
  if (next() % 3 === 0 && damaged.length > 0) damaged[next() % damaged.length] = next() & 255;
  const fits = wasm.scatterSparse(damaged, values, a);
  if (fits !== plain.scatterSparse(damaged, values, b)) throw new Error('sparse of damage');
  if (fits) same('scattered', a, b);
}

function hashes(next: Next): void {
  const bytes = blockOf(next, next() % 1500, 1);
  same('hash', wasm.contentHash(bytes), plain.contentHash(bytes));
  const other = bytes.slice();
  if (other.length > 0 && next() % 2 === 0) other[next() % other.length] ^= 1 << (next() & 7);
  if (wasm.isSame(bytes, other) !== plain.isSame(bytes, other)) throw new Error('isSame differs');
  const rule = {
    minBytes: next() % 64,
    normalBytes: next() % 512,
    earlyMask: next() & 1023,
    lateMask: next() & 63,
  };
  if (wasm.contentBoundary(bytes, rule) !== plain.contentBoundary(bytes, rule))
    throw new Error('boundary differs');
}

const FORMULAS: readonly Formula[] = [
  'narrow-bf16',
  'widen-bf16',
  'narrow-f16',
  'widen-f16',
  'adam-second-moment',
  'adam-weights',
  'lazy-adam-weights',
  'nadam-weights',
  'momentum-weights',
  'nesterov-weights',
  'lion-weights',
  'adam-first-moment',
  'faded-moment',
  'scaled-moment',
  'decayed-moment',
  'step-square',
  'average',
  'maximum',
  'recover-gradient',
  'recover-scaled',
  'recover-decayed',
];

function predictions(next: Next): void {
  const formula = FORMULAS[next() % FORMULAS.length];
  const { inputBytes, outputBytes, constants, orders } = formulaShape(formula);
  const order = next() % orders;
  if (!knowsOrder(formula, order)) return;
  const lanes = next() % LANES_MAX;
  const inputs = inputBytes.map((bytes) => blockOf(next, lanes * bytes, bytes));
  const numbers = Float32Array.from(
    { length: constants },
    () => (next() / 2 ** 31 - 1) * 2 ** ((next() % 40) - 30),
  );
  const [a, b] = [new Uint8Array(lanes * outputBytes), new Uint8Array(lanes * outputBytes)];
  wasm.predict(formula, order, numbers, inputs, a);
  plain.predict(formula, order, numbers, inputs, b);
  same(`${formula}, order ${order}`, a, b);
}

describe('both kernels', () => {
  const trials = [
    planes,
    coders,
    prefix,
    sparse,
    hashes,
    predictions,
    gaps,
    marks,
    steps,
    codedPlanes,
    classes,
  ];
  it.each(trials.map((trial, index) => ({ name: trial.name, trial, index })))(
    `agree on ${Math.floor(BLOCKS / trials.length)} blocks: $name`,
    ({ trial, index }) => {
      for (let block = index; block < BLOCKS; block += trials.length) {
        try {
          trial(randomNumbers(SEED + block));
        } catch (error) {
          throw new Error(`block ${block} of seed ${SEED}`, { cause: error });
        }
      }
      expect(wasm.implementation).toBe('wasm');
    },
  );
});
