/** Marks of lanes that differ: both kernels against each other and against themselves. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BLOCK_LANES,
  type FloatLayout,
  type Kernels,
  loadKernels,
  MARK_CONTEXTS,
  MARK_STATE_MIN,
  MARK_STATES,
  type MarkModel,
  markBytes,
} from '../../src/kernels/index.js';
import { edgeLanes, randomBytes, randomNumbers, sameBytes, shifted } from './kernel-inputs.js';

const oracle = loadKernels('typescript');

const LAYOUTS: readonly FloatLayout[] = [
  { laneBytes: 2, exponentBits: 8 },
  { laneBytes: 2, exponentBits: 5 },
];

function anyModel(seed: number, lowMax: number): MarkModel {
  const next = randomNumbers(seed);
  return {
    low: next() % (lowMax + 1),
    probabilities: Uint8Array.from({ length: MARK_CONTEXTS }, () => 1 + (next() % 127)),
    states: Uint16Array.from({ length: MARK_STATES }, () => MARK_STATE_MIN + (next() % MARK_STATE_MIN)),
  };
}

function copyOf(model: MarkModel): MarkModel {
  return { ...model, states: model.states.slice() };
}

/** Codes and decodes with the kernels under test, against the oracle. Returns the bytes it took. */
function check(
  kernels: Kernels,
  raw: Uint8Array,
  base: Uint8Array,
  layout: FloatLayout,
  model: MarkModel,
): number {
  const [mine, expecting] = [copyOf(model), copyOf(model)];
  const coded = kernels.encodeMarks(raw, base, layout, mine).slice();
  expect(sameBytes(coded, oracle.encodeMarks(raw, base, layout, expecting))).toBe(true);
  expect(mine).toEqual(expecting);
  const count = markBytes(raw.length / 2);
  const [marks, decoded] = [shifted(new Uint8Array(count), 1), new Uint8Array(count).fill(7)];
  kernels.markLanes(raw, base, marks);
  expect(kernels.decodeMarks(Uint8Array.of(...coded, 1, 2), base, layout, mine, decoded)).toBe(coded.length);
  expect(mine).toEqual(model);
  expect(decoded).toEqual(Uint8Array.from(marks));
  const values = new Uint8Array(raw.length + 3);
  const used = kernels.gatherMarked(raw, marks, values);
  const restored = shifted(new Uint8Array(raw.length).fill(9), 3);
  expect(kernels.scatterMarked(values, marks, base, restored)).toBe(used);
  expect(sameBytes(restored, raw)).toBe(true);
  const expected = new Uint8Array(raw.length);
  expect(oracle.gatherMarked(raw, marks, expected)).toBe(used);
  expect(sameBytes(values.subarray(0, used), expected.subarray(0, used))).toBe(true);
  return coded.length;
}

/** Lanes, and the same with other bits in one of `every`. */
function changedPair(lanes: number, every: number, seed: number) {
  const next = randomNumbers(seed);
  const base = edgeLanes(lanes, 2);
  const raw = Uint8Array.from(base);
  for (let lane = 0; lane < lanes; lane++) {
    base[2 * lane] = raw[2 * lane] = next() >>> 11;
    if (next() % every === 0) raw[2 * lane + (next() % 2)] ^= 1 + (next() % 255);
  }
  return { raw, base };
}

describe.each(['wasm', 'typescript'] as const)('marks by %s kernels', (implementation) => {
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
        check(kernels, shifted(raw, seed % 5), shifted(base, seed % 3), layout, model);
      }),
      { numRuns: 200 },
    );
  });

  it('take what their probabilities say: 0.54 bits a lane at 1 of 8', () => {
    const { raw, base } = changedPair(BLOCK_LANES, 8, 3);
    const model = { ...anyModel(1, 240), probabilities: new Uint8Array(MARK_CONTEXTS).fill(16) };
    const bits = (8 * check(kernels, raw, base, LAYOUTS[0], model)) / BLOCK_LANES;
    expect(bits).toBeGreaterThan(0.53);
    expect(bits).toBeLessThan(0.55);
  });

  it('go on from block to block by their states', () => {
    const { raw, base } = changedPair(320, 6, 5);
    const [whole, pieces] = [anyModel(2, 240), anyModel(2, 240)];
    const coded = oracle.encodeMarks(raw, base, LAYOUTS[0], whole).slice();
    const last = kernels.encodeMarks(raw.subarray(256), base.subarray(256), LAYOUTS[0], pieces).slice();
    const first = kernels.encodeMarks(raw.subarray(0, 256), base.subarray(0, 256), LAYOUTS[0], pieces);
    expect(Uint8Array.of(...first, ...last)).toEqual(coded);
    expect(pieces).toEqual(whole);
  });

  it('are refused like by the oracle where bytes are damaged', () => {
    const { raw, base } = changedPair(333, 5, 8);
    const model = anyModel(9, 240);
    const coded = oracle.encodeMarks(raw, base, LAYOUTS[0], model).slice();
    fc.assert(
      fc.property(fc.nat(coded.length - 1), fc.nat(255), fc.nat(coded.length), (at, byte, length) => {
        const damaged = coded.slice(0, length);
        if (at < length) damaged[at] = byte;
        const results = [kernels, oracle].map((either) => {
          const marks = new Uint8Array(markBytes(333));
          const used = either.decodeMarks(damaged, base, LAYOUTS[0], copyOf(model), marks);
          return { used, marks: used < 0 ? undefined : marks };
        });
        expect(results[0]).toEqual(results[1]);
      }),
      { numRuns: 300 },
    );
    const none = new Uint8Array(markBytes(333));
    expect(kernels.decodeMarks(coded.subarray(1), base, LAYOUTS[0], copyOf(model), none)).toBe(-1);
  });

  it('refuse models that do not fit', () => {
    const none = new Uint8Array(0);
    const model = anyModel(1, 16);
    const odd = [
      { low: 241 },
      { probabilities: new Uint8Array(16) },
      { probabilities: new Uint8Array(16).fill(128) },
      { states: new Uint16Array(3) },
    ];
    for (const other of odd) {
      expect(() => kernels.encodeMarks(none, none, LAYOUTS[0], { ...model, ...other })).toThrow(RangeError);
    }
    expect(() => kernels.gatherMarked(randomBytes(8, 1), Uint8Array.of(15), none)).toThrow(RangeError);
  });
});
