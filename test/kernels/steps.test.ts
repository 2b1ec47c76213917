/** Lanes in levels of how far they are from their base: both kernels against each other and against themselves. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BLOCK_LANES,
  type FloatLayout,
  type Kernels,
  loadKernels,
  MARK_CONTEXTS,
  MARK_STATE_MIN,
  STEP_COUNTS,
  STEP_LANES_MAX,
  STEP_STATES,
  type StepModel,
  stepBitBytesMax,
} from '../../src/kernels/index.js';
import { edgeLanes, randomNumbers, sameBytes, shifted } from './kernel-inputs.js';

const oracle = loadKernels('typescript');

const LAYOUTS: readonly FloatLayout[] = [
  { laneBytes: 2, exponentBits: 8 },
  { laneBytes: 2, exponentBits: 5 },
];

function anyModel(seed: number, lowMax: number): StepModel {
  const next = randomNumbers(seed);
  const levels = 1 + (next() % 30);
  return {
    low: next() % (lowMax + 1),
    levels,
    probabilities: Uint8Array.from({ length: MARK_CONTEXTS * Math.min(4, levels) }, () => 1 + (next() % 127)),
    states: Uint16Array.from({ length: STEP_STATES }, () => MARK_STATE_MIN + (next() % MARK_STATE_MIN)),
  };
}

function copyOf(model: StepModel): StepModel {
  return { ...model, states: model.states.slice() };
}

/** Lanes, and the same with other bits in one of `every`: mostly the lowest ones. */
function changedPair(lanes: number, every: number, seed: number) {
  const next = randomNumbers(seed);
  const base = edgeLanes(lanes, 2);
  const raw = Uint8Array.from(base);
  for (let lane = 0; lane < lanes; lane++) {
    base[2 * lane] = raw[2 * lane] = next() >>> 11;
    if (next() % every !== 0) continue;
    if (next() % 9 === 0) raw[2 * lane + 1] ^= 1 + (next() % 255);
    else raw[2 * lane] ^= 1 + (next() % 3);
  }
  return { raw, base };
}

function split(kernels: Kernels, raw: Uint8Array, base: Uint8Array, layout: FloatLayout) {
  const lanes = raw.length / 2;
  const [keys, sizes, signs, changed, bits] = [
    2 * lanes,
    2 * lanes,
    lanes,
    lanes,
    stepBitBytesMax(lanes),
  ].map((length) => shifted(new Uint8Array(length).fill(9), 1));
  const counts = new Uint32Array(256 * STEP_COUNTS).fill(1);
  const count = kernels.splitSteps(raw, base, layout, { changed, keys, sizes, signs, counts });
  bits.set(signs.subarray(0, Math.ceil(count / 8)));
  return {
    base,
    changed,
    keys: keys.subarray(0, 2 * count),
    sizes: sizes.subarray(0, 2 * count),
    bits,
    counts,
  };
}

/** Splits, codes and decodes with the kernels under test, against the oracle. Returns what it took, or undefined. */
function check(kernels: Kernels, raw: Uint8Array, base: Uint8Array, layout: FloatLayout, model: StepModel) {
  const [block, expected] = [kernels, oracle].map((either) => split(either, raw, base, layout));
  const told = Math.ceil(block.keys.length / 16);
  for (const key of ['changed', 'keys', 'sizes'] as const)
    expect(sameBytes(block[key], expected[key]), key).toBe(true);
  expect(sameBytes(block.bits.subarray(0, told), expected.bits.subarray(0, told))).toBe(true);
  expect(block.counts).toEqual(expected.counts);
  const [mine, theirs] = [copyOf(model), copyOf(model)];
  const piece = kernels.encodeSteps(block, layout, mine);
  const coded = piece?.coded.slice();
  const other = oracle.encodeSteps(expected, layout, theirs);
  expect(coded === undefined).toBe(other === undefined);
  if (piece === undefined || coded === undefined || other === undefined) return undefined;
  expect(sameBytes(coded, other.coded)).toBe(true);
  expect(piece.bits).toBe(other.bits);
  expect(mine).toEqual(theirs);
  const bits = block.bits.slice(0, Math.ceil(piece.bits / 8));
  expect(sameBytes(bits, expected.bits.subarray(0, bits.length))).toBe(true);
  const restored = shifted(new Uint8Array(raw.length).fill(9), 3);
  const asked: number[] = [];
  const bitsOf = (...numbers: [number, number]) => {
    asked.push(...numbers);
    return bits;
  };
  const used = kernels.decodeSteps(Uint8Array.of(...coded, 1, 2), bitsOf, base, layout, mine, restored);
  expect(used).toEqual({ bytes: coded.length, bits: piece.bits });
  expect(asked).toEqual([piece.bits, block.keys.length / 2]);
  expect(mine).toEqual(model);
  expect(sameBytes(restored, raw)).toBe(true);
  return { coded, bits };
}

describe.each(['wasm', 'typescript'] as const)('steps by %s kernels', (implementation) => {
  const kernels = loadKernels(implementation);

  it('are coded for any lanes, tails and models', () => {
    const block = fc.record({
      layout: fc.constantFrom(...LAYOUTS),
      lanes: fc.nat(300),
      every: fc.constantFrom(1, 2, 9, 100),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(block, ({ layout, lanes, every, seed }) => {
        const { raw, base } = changedPair(lanes, every, seed);
        const model = anyModel(seed, layout.exponentBits === 5 ? 16 : 240);
        const done = check(kernels, shifted(raw, seed % 5), shifted(base, seed % 3), layout, model);
        expect(done).toBeDefined();
      }),
      { numRuns: 120 },
    );
  });

  it('are coded for whole blocks, in the arena and elsewhere', () => {
    const { raw, base } = changedPair(BLOCK_LANES, 12, 3);
    const model = anyModel(4, 240);
    const elsewhere = check(kernels, raw, base, LAYOUTS[0], { ...model, levels: 9 });
    const mark = kernels.arena.mark();
    const placed = [raw, base].map((bytes) => {
      const place = kernels.arena.take(bytes.length) ?? bytes;
      place.set(bytes);
      return place;
    });
    const inside = check(kernels, placed[0], placed[1], LAYOUTS[0], { ...model, levels: 9 });
    kernels.arena.release(mark);
    expect(inside).toEqual(elsewhere);
  });

  it('are refused where levels have too many lanes, on both sides', () => {
    const base = edgeLanes(BLOCK_LANES, 2);
    const raw = base.map((byte, at) => (at % 2 === 0 ? byte : byte ^ 0x30));
    const model = { ...anyModel(2, 240), levels: 4, probabilities: new Uint8Array(64).fill(127) };
    expect(check(kernels, raw, base, LAYOUTS[0], model)).toBeUndefined();
    expect(4 * BLOCK_LANES).toBeGreaterThan(STEP_LANES_MAX);
    const states = new Uint16Array(STEP_STATES).fill(0xff00);
    const none = () => new Uint8Array(stepBitBytesMax(BLOCK_LANES));
    const bytes = new Uint8Array(300_000);
    expect(kernels.decodeSteps(bytes, none, base, LAYOUTS[0], { ...model, states }, raw)).toBeUndefined();
  });

  it('are refused like by the oracle where bytes are damaged', () => {
    const { raw, base } = changedPair(333, 5, 8);
    const model = anyModel(9, 240);
    const done = check(oracle, raw, base, LAYOUTS[0], model);
    const coded = done?.coded ?? new Uint8Array(0);
    fc.assert(
      fc.property(fc.nat(coded.length - 1), fc.nat(255), fc.nat(coded.length), (at, byte, length) => {
        const damaged = coded.slice(0, length);
        if (at < length) damaged[at] = byte;
        const results = [kernels, oracle].map((either) => {
          const decoded = new Uint8Array(raw.length);
          const bitsOf = (bits: number) => new Uint8Array(Math.ceil(bits / 8)).fill(0x5a);
          const used = either.decodeSteps(damaged, bitsOf, base, LAYOUTS[0], copyOf(model), decoded);
          return { used, decoded: used && decoded };
        });
        expect(results[0]).toEqual(results[1]);
      }),
      { numRuns: 300 },
    );
    const refusing = () => undefined;
    expect(
      kernels.decodeSteps(coded, refusing, base, LAYOUTS[0], copyOf(model), raw.slice()),
    ).toBeUndefined();
  });

  it('refuse models that do not fit', () => {
    const none = new Uint8Array(0);
    const model = { ...anyModel(1, 16), levels: 4, probabilities: new Uint8Array(64).fill(9) };
    const odd = [
      { low: 241 },
      { levels: 0 },
      { levels: 31 },
      { probabilities: new Uint8Array(64) },
      { probabilities: new Uint8Array(48).fill(9) },
      { probabilities: new Uint8Array(64).fill(128) },
      { states: new Uint16Array(32) },
    ];
    for (const other of odd) {
      const decode = () =>
        kernels.decodeSteps(none, () => none, none, LAYOUTS[0], { ...model, ...other }, none);
      expect(decode).toThrow(RangeError);
    }
  });
});
