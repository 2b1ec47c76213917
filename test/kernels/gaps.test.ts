/** Gaps by level: both kernels against each other and against themselves. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BLOCK_LANES,
  type ChangeCounts,
  type FloatLayout,
  freshGapModel,
  GAP_EVENTS_MAX,
  type GapModel,
  type Kernels,
  loadKernels,
} from '../../src/kernels/index.js';
import { edgeLanes, randomBytes, randomNumbers, sameBytes, shifted } from './kernel-inputs.js';

const oracle = loadKernels('typescript');

const LAYOUTS: readonly FloatLayout[] = [
  { laneBytes: 2, exponentBits: 8 },
  { laneBytes: 2, exponentBits: 5 },
  { laneBytes: 4, exponentBits: 8 },
];

function copyOf(model: GapModel): GapModel {
  return { ...model, state: model.state.slice() };
}

function sameState(a: GapModel, b: GapModel): boolean {
  return sameBytes(new Uint8Array(a.state.buffer), new Uint8Array(b.state.buffer));
}

/** Encodes and decodes with the kernels under test, against the oracle; the model learns. Returns the bytes it took. */
function check(kernels: Kernels, raw: Uint8Array, base: Uint8Array, layout: FloatLayout, model: GapModel) {
  const [expecting, decoding] = [copyOf(model), copyOf(model)];
  const found = kernels.encodeGaps(raw, base, layout, model);
  const streams = found && { coded: found.coded.slice(), bits: found.bits.slice() };
  expect(streams).toEqual(oracle.encodeGaps(raw, base, layout, expecting));
  expect(sameState(model, expecting)).toBe(true);
  if (streams === undefined) return undefined;
  const { coded, bits } = streams;
  const restored = shifted(new Uint8Array(raw.length).fill(9), 3);
  const more = { coded, bits: Uint8Array.from([...bits, 255, 255]) };
  expect(kernels.decodeGaps(more, base, layout, decoding, restored)).toBe(bits.length);
  expect(sameBytes(restored, raw)).toBe(true);
  expect(sameState(decoding, expecting)).toBe(true);
  return coded.length + bits.length;
}

/** A block and a copy of it in which one lane in `every` has other bits, `wide` of them at most. */
function changedPair(lanes: number, { laneBytes }: FloatLayout, every: number, wide: number, seed: number) {
  const next = randomNumbers(seed);
  const base = new Uint8Array(lanes * laneBytes);
  for (let at = 0; at < base.length; at++) base[at] = next() >>> 11;
  for (let at = laneBytes - 1; at < base.length; at += laneBytes) base[at] = (base[at] & 0x81) | 0x3c;
  const raw = Uint8Array.from(base);
  for (let at = 0; at < raw.length; at += laneBytes) {
    if (next() % every !== 0) continue;
    for (let byte = 0; byte * 8 < wide; byte++)
      raw[at + byte] ^= next() & ((1 << Math.min(8, wide - 8 * byte)) - 1);
  }
  return { raw, base };
}

describe.each(['wasm', 'typescript'] as const)('gaps by %s kernels', (implementation) => {
  const kernels = loadKernels(implementation);

  it.each(LAYOUTS)('codes every tail, $laneBytes bytes, $exponentBits bits', (layout) => {
    for (let lanes = 0; lanes <= 200; lanes += lanes < 70 ? 1 : 13) {
      const raw = shifted(edgeLanes(lanes, layout.laneBytes), lanes % 5);
      const base = shifted(randomBytes(raw.length, lanes), (lanes + 1) % 3);
      const model = freshGapModel(lanes % 31, 1 + (lanes % 8));
      check(kernels, raw, base, layout, model);
      check(kernels, base, raw, layout, model);
      check(kernels, raw, raw, layout, model);
    }
  });

  it('codes any block after any other like the oracle', () => {
    const block = fc.record({
      layout: fc.constantFrom(...LAYOUTS),
      lanes: fc.nat(700),
      every: fc.constantFrom(1, 2, 5, 30, 400),
      wide: fc.constantFrom(1, 3, 12, 32),
      low: fc.nat(130),
      contexts: fc.integer({ min: 1, max: 8 }),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(block, ({ layout, lanes, every, wide, low, contexts, seed }) => {
        const model = freshGapModel(low, contexts);
        for (const turn of [0, 1]) {
          const { raw, base } = changedPair(
            lanes,
            layout,
            every,
            Math.min(wide, 8 * layout.laneBytes),
            seed + turn,
          );
          check(kernels, raw, base, layout, model);
        }
      }),
      { numRuns: 150 },
    );
  });

  it.each(LAYOUTS)('codes whole blocks, $laneBytes bytes, $exponentBits bits', (layout) => {
    const model = freshGapModel(layout.exponentBits === 5 ? 10 : 110, 8);
    for (const every of [100, 3000]) {
      const { raw, base } = changedPair(BLOCK_LANES, layout, every, 1, every);
      const bytes = check(kernels, raw, base, layout, model);
      expect(bytes).toBeLessThan((BLOCK_LANES / every) * 3);
    }
    const { raw, base } = changedPair(BLOCK_LANES, layout, 1, 8 * layout.laneBytes, 1);
    expect(check(kernels, raw, base, layout, model)).toBe(undefined);
  });

  it('gives up where too many lanes are told, whether they changed or not', () => {
    const layout = LAYOUTS[0];
    const base = new Uint8Array(2 * (GAP_EVENTS_MAX + 1)).fill(0x3c);
    const fits = base.subarray(2);
    expect(check(kernels, fits, fits, layout, freshGapModel(240, 1))).toBeDefined();
    expect(check(kernels, base, base, layout, freshGapModel(240, 1))).toBe(undefined);
  });

  it('decodes damaged streams like the oracle', () => {
    const layout = LAYOUTS[0];
    const { raw, base } = changedPair(400, layout, 9, 6, 4);
    const model = freshGapModel(120, 4);
    const { coded, bits } = oracle.encodeGaps(raw, base, layout, copyOf(model)) ?? { coded: raw, bits: raw };
    const results = (streams: { coded: Uint8Array; bits: Uint8Array }) =>
      [kernels, oracle].map((either) => {
        const output = new Uint8Array(raw.length);
        const used = either.decodeGaps(streams, base, layout, copyOf(model), output);
        return { used, output: used < 0 ? undefined : output };
      });
    for (let length = 0; length < bits.length; length++) {
      expect(results({ coded, bits: bits.subarray(0, length) })[0].used).toBe(-1);
    }
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.nat(coded.length),
        (position, flip, length) => {
          const damaged = { coded: coded.slice(0, length), bits: bits.slice() };
          const at = position % (length + bits.length);
          if (at < length) damaged.coded[at] ^= flip;
          else damaged.bits[at - length] ^= flip;
          const [mine, expected] = results(damaged);
          expect(mine).toEqual(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('counts lanes and changes by exponent', () => {
    for (const layout of LAYOUTS) {
      const { raw, base } = changedPair(1000, layout, 40, 9, 7);
      const counts = (): ChangeCounts => ({
        lanes: new Uint32Array(256),
        changed: new Uint32Array(256),
        touchedTiles: 0,
      });
      for (const stride of [1, 3]) {
        const [mine, expected] = [counts(), counts()];
        for (const turn of [1, 2]) {
          kernels.sampleChanges(raw, base, layout, stride * turn, mine);
          oracle.sampleChanges(raw, base, layout, stride * turn, expected);
        }
        expect(mine).toEqual(expected);
        expect(mine.lanes.reduce((sum, count) => sum + count)).toBeGreaterThan(0);
      }
    }
  });

  it('refuses models that do not fit', () => {
    const none = new Uint8Array(0);
    const model = freshGapModel(10, 8);
    for (const other of [{ low: 241 }, { contexts: 0 }, { contexts: 9 }, { state: new Uint32Array(3) }]) {
      expect(() => kernels.encodeGaps(none, none, LAYOUTS[0], { ...model, ...other })).toThrow(RangeError);
    }
  });
});
