/** Classes of residuals and the coder with contexts: both kernels against each other and against themselves. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BLOCK_LANES,
  type ContextTables,
  type FloatLayout,
  type Kernels,
  loadKernels,
  REST_BYTES_MAX,
} from '../../src/kernels/index.js';
import {
  anyFrequencies,
  edgeLanes,
  randomBytes,
  sameBytes,
  shifted,
  skewedBytes,
  sparseBytes,
} from './kernel-inputs.js';

const oracle = loadKernels('typescript');

const FLOAT_LAYOUTS: readonly FloatLayout[] = [
  { laneBytes: 1, exponentBits: 7 },
  { laneBytes: 2, exponentBits: 8 },
  { laneBytes: 2, exponentBits: 5 },
  { laneBytes: 4, exponentBits: 8 },
  { laneBytes: 4, exponentBits: 8, far: true },
];

function split(kernels: Kernels, raw: Uint8Array, base: Uint8Array, layout: FloatLayout) {
  const lanes = raw.length / layout.laneBytes;
  const symbols = shifted(new Uint8Array(lanes), 1);
  const exponents = shifted(new Uint8Array(lanes), 2);
  const rests = shifted(new Uint8Array(lanes * REST_BYTES_MAX), 3);
  const counts = new Uint32Array(65_536).fill(3);
  const restBytes = kernels.splitClasses(raw, base, layout, { symbols, exponents, rests, counts });
  return { symbols, exponents, rests: rests.subarray(0, restBytes), counts };
}

/** Splits and merges with the kernels under test, against the oracle. */
function checkClasses(kernels: Kernels, raw: Uint8Array, base: Uint8Array, layout: FloatLayout) {
  const streams = split(kernels, raw, base, layout);
  const expected = split(oracle, raw, base, layout);
  expect(sameBytes(streams.symbols, expected.symbols)).toBe(true);
  expect(sameBytes(streams.exponents, expected.exponents)).toBe(true);
  expect(sameBytes(streams.rests, expected.rests)).toBe(true);
  expect(Buffer.compare(new Uint8Array(streams.counts.buffer), new Uint8Array(expected.counts.buffer))).toBe(
    0,
  );
  expect(kernels.classBits(raw, base, layout, 0.5)).toBe(oracle.classBits(raw, base, layout, 0.5));
  const exponents = shifted(new Uint8Array(streams.symbols.length), 1);
  kernels.laneExponents(base, layout, exponents);
  expect(sameBytes(exponents, streams.exponents)).toBe(true);
  const restored = shifted(new Uint8Array(raw.length), 3);
  const { length } = streams.rests;
  expect(kernels.mergeClasses(streams.symbols, streams.rests, base, layout, restored)).toBe(length);
  expect(sameBytes(restored, raw)).toBe(true);
  const longer = Uint8Array.from([...streams.rests, 255, 255]);
  expect(kernels.mergeClasses(streams.symbols, longer, base, layout, restored)).toBe(length);
  if (length === 0) return;
  const shorter = streams.rests.subarray(1);
  expect(kernels.mergeClasses(streams.symbols, shorter, base, layout, restored)).toBe(-1);
}

/** Two or three tables, by the lowest bits of the context. */
function tablesFor(symbols: Uint8Array, contexts: Uint8Array): ContextTables {
  const groups = Uint8Array.from({ length: 256 }, (_, context) => context % 3);
  const frequencies = new Uint16Array(768);
  for (let group = 0; group < 3; group++) {
    const members = symbols.filter((_, index) => groups[contexts[index]] === group);
    frequencies.set(anyFrequencies(members), 256 * group);
  }
  return { groups, frequencies };
}

describe.each(['wasm', 'typescript'] as const)('classes by %s kernels', (implementation) => {
  const kernels = loadKernels(implementation);

  it.each(FLOAT_LAYOUTS)(
    'splits and merges every tail, $laneBytes bytes, $exponentBits bits, far: $far',
    (layout) => {
      for (let lanes = 0; lanes <= 64; lanes++) {
        const raw = shifted(edgeLanes(lanes, layout.laneBytes), lanes % 5);
        const base = shifted(randomBytes(raw.length, lanes), (lanes + 1) % 3);
        checkClasses(kernels, raw, base, layout);
        checkClasses(kernels, base, raw, layout);
        checkClasses(kernels, raw, new Uint8Array(raw.length), layout);
        checkClasses(kernels, raw, raw, layout);
      }
    },
  );

  it.each(FLOAT_LAYOUTS)(
    'splits and merges a whole block, $laneBytes bytes, $exponentBits bits, far: $far',
    (layout) => {
      const raw = edgeLanes(BLOCK_LANES, layout.laneBytes);
      checkClasses(kernels, raw, randomBytes(raw.length, 3), layout);
      const longer = new Uint8Array(raw.length + layout.laneBytes);
      expect(() => split(kernels, longer, longer, layout)).toThrow(RangeError);
    },
  );

  it('splits any block like the oracle', () => {
    const block = fc.tuple(fc.constantFrom(...FLOAT_LAYOUTS), fc.nat(300), fc.nat(), fc.nat(24), fc.nat(7));
    fc.assert(
      fc.property(block, ([layout, lanes, seed, drop, shift]) => {
        const raw = shifted(randomBytes(lanes * layout.laneBytes, seed), shift);
        const base = Uint8Array.from(raw);
        for (let at = 0; at < base.length; at++) if ((at * 8) % 32 <= drop) base[at] ^= seed >>> (at % 9);
        checkClasses(kernels, raw, base, layout);
      }),
      { numRuns: 200 },
    );
  });

  it('merges symbols that are never written like the oracle', () => {
    for (const layout of FLOAT_LAYOUTS) {
      const symbols = Uint8Array.from({ length: 1024 }, (_, index) => index);
      const base = randomBytes(1024 * layout.laneBytes, 1);
      const rests = randomBytes(4096, 2);
      const outputs = [new Uint8Array(base.length), new Uint8Array(base.length)];
      const used = kernels.mergeClasses(symbols, rests, base, layout, outputs[0]);
      expect(used).toBe(oracle.mergeClasses(symbols, rests, base, layout, outputs[1]));
      expect(sameBytes(outputs[0], outputs[1])).toBe(true);
    }
  });

  it('codes every tail with contexts', () => {
    for (let length = 0; length <= 300; length += length < 70 ? 1 : 23) {
      const contexts = shifted(randomBytes(length, length + 1), 2);
      for (const symbols of [
        skewedBytes(length, length),
        new Uint8Array(length),
        sparseBytes(length, 9, 1),
      ]) {
        const tables = tablesFor(symbols, contexts);
        const coded = kernels.encodeContexts(shifted(symbols, 1), contexts, tables);
        expect(coded).toEqual(oracle.encodeContexts(symbols, contexts, tables));
        if (coded === undefined) continue;
        const decoded = shifted(new Uint8Array(length).fill(9), 1);
        expect(kernels.decodeContexts(shifted(coded, 3), contexts, tables, decoded)).toBe(true);
        expect(Uint8Array.from(decoded)).toEqual(symbols);
      }
    }
  });

  it('codes a whole block like the oracle', () => {
    const symbols = skewedBytes(BLOCK_LANES, 3);
    const contexts = randomBytes(BLOCK_LANES, 4);
    const tables = tablesFor(symbols, contexts);
    const coded = kernels.encodeContexts(symbols, contexts, tables) ?? symbols;
    expect(sameBytes(coded, oracle.encodeContexts(symbols, contexts, tables) ?? symbols)).toBe(true);
    const decoded = new Uint8Array(BLOCK_LANES);
    expect(kernels.decodeContexts(coded, contexts, tables, decoded)).toBe(true);
    expect(sameBytes(decoded, symbols)).toBe(true);
  });

  it('decodes damaged streams like the oracle', () => {
    const symbols = skewedBytes(123, 4);
    const contexts = randomBytes(123, 5);
    const tables = tablesFor(symbols, contexts);
    const whole = oracle.encodeContexts(symbols, contexts, tables) ?? symbols;
    for (let length = 0; length < whole.length; length++) {
      expect(kernels.decodeContexts(whole.subarray(0, length), contexts, tables, symbols.slice())).toBe(
        false,
      );
    }
    fc.assert(
      fc.property(fc.nat(10_000), fc.integer({ min: 1, max: 255 }), (position, flip) => {
        const coded = Uint8Array.from(whole);
        coded[position % coded.length] ^= flip;
        const outputs = [new Uint8Array(123), new Uint8Array(123)];
        const fits = kernels.decodeContexts(coded, contexts, tables, outputs[0]);
        expect(fits).toBe(oracle.decodeContexts(coded, contexts, tables, outputs[1]));
        if (fits) expect(outputs[0]).toEqual(outputs[1]);
      }),
      { numRuns: 200 },
    );
  });

  it('refuses tables that do not fit', () => {
    const contexts = new Uint8Array(4);
    const tables = tablesFor(contexts, contexts);
    const unknown = { ...tables, groups: new Uint8Array(256).fill(3) };
    expect(() => kernels.encodeContexts(contexts, contexts, unknown)).toThrow(RangeError);
    expect(() => kernels.decodeContexts(contexts, contexts.subarray(1), tables, contexts)).toThrow(
      RangeError,
    );
  });
});
