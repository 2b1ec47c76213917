import fc from 'fast-check';
import { xxhash128 } from 'hash-wasm';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/bytes/index.js';
import { isThetalogError } from '../../src/errors.js';
import {
  BLOCK_LANES,
  type Kernels,
  type LaneLayout,
  loadKernels,
  STATE_COUNTS,
} from '../../src/kernels/index.js';
import {
  anyFrequencies,
  edgeLanes,
  inArena,
  LAYOUTS,
  randomBytes,
  sameBytes,
  shifted,
  skewedBytes,
  sparseBytes,
} from './kernel-inputs.js';

const oracle = loadKernels('typescript');

function split(kernels: Kernels, raw: Uint8Array, base: Uint8Array | undefined, layout: LaneLayout) {
  const planes = shifted(new Uint8Array(raw.length), 1);
  kernels.splitPlanes(raw, base, layout, planes);
  return Uint8Array.from(planes);
}

/** Splits and merges with the kernels under test, against the oracle. */
function checkPlanes(kernels: Kernels, raw: Uint8Array, base: Uint8Array | undefined, layout: LaneLayout) {
  const planes = split(kernels, raw, base, layout);
  expect(sameBytes(planes, split(oracle, raw, base, layout))).toBe(true);
  expect(kernels.planeBits(raw, base, layout, 0.5)).toBe(oracle.planeBits(raw, base, layout, 0.5));
  const restored = shifted(new Uint8Array(raw.length), 3);
  kernels.mergePlanes(planes, base, layout, restored);
  expect(sameBytes(restored, raw)).toBe(true);
}

describe.each(['wasm', 'typescript'] as const)('%s kernels', (implementation) => {
  const kernels = loadKernels(implementation);

  it('finds the lines that differ', () => {
    const runsOf = (by: Kernels, a: Uint8Array, b: Uint8Array | undefined) => {
      const edges = new Uint32Array(Math.ceil(a.length / 64) + 1);
      return [...edges.subarray(0, 2 * by.differingRuns(a, b, edges))];
    };
    for (const length of [0, 1, 63, 64, 65, 1000, 128 * 64]) {
      for (const step of [1, 64, 100, 197, 10_000]) {
        const a = shifted(randomBytes(length, length), 1);
        const b = shifted(Uint8Array.from(a), 3);
        for (let at = 0; at < length; at += step) b[at] ^= 1 << (at % 8);
        expect(runsOf(kernels, a, b)).toEqual(runsOf(oracle, a, b));
        expect(runsOf(kernels, a, Uint8Array.from(a))).toEqual([]);
        b.fill(0);
        expect(runsOf(kernels, a, undefined)).toEqual(runsOf(oracle, a, b));
      }
    }
    const [a, b] = [new Uint8Array(640), new Uint8Array(640)];
    for (const at of [0, 64, 191, 639]) a[at] = 1;
    expect(runsOf(kernels, a, b)).toEqual([0, 3, 9, 10]);
    expect(() => kernels.differingRuns(a, b, new Uint32Array(10))).toThrow(RangeError);
  });

  it('counts the lines that differ in some pieces', () => {
    const a = randomBytes(40 * 256, 5);
    const b = Uint8Array.from(a);
    for (let at = 0; at < a.length; at += 90) b[at] ^= 1;
    const mark = kernels.arena.mark();
    for (const pieces of [2, 7, 40]) {
      const expected = oracle.sampleLines(a, b, pieces, 4);
      expect(expected.touched).toBeGreaterThan(expected.runs);
      expect(kernels.sampleLines(a, b, pieces, 4)).toEqual(expected);
      expect(kernels.sampleLines(inArena(kernels, a), inArena(kernels, b), pieces, 4)).toEqual(expected);
      expect(kernels.sampleLines(inArena(kernels, a), b, pieces, 4)).toEqual(expected);
      const all = { touched: 4 * pieces, runs: pieces };
      expect(kernels.sampleLines(a, undefined, pieces, 4)).toEqual(all);
      expect(kernels.sampleLines(inArena(kernels, a), undefined, pieces, 4)).toEqual(all);
    }
    kernels.arena.release(mark);
    expect(() => kernels.sampleLines(a, b, 41, 4)).toThrow(RangeError);
  });

  it('says what it is', () => {
    expect(kernels.implementation).toBe(implementation);
  });

  it.each(LAYOUTS)('splits and merges every tail, $laneBytes bytes, $lane', (layout) => {
    for (let lanes = 0; lanes <= 64; lanes++) {
      const raw = shifted(edgeLanes(lanes, layout.laneBytes), lanes % 5);
      const base = shifted(randomBytes(raw.length, lanes), (lanes + 1) % 3);
      checkPlanes(kernels, raw, base, layout);
      checkPlanes(kernels, base, raw, layout);
      checkPlanes(kernels, raw, undefined, layout);
    }
  });

  it.each(LAYOUTS)('splits and merges a whole block, $laneBytes bytes, $lane', (layout) => {
    const raw = edgeLanes(BLOCK_LANES, layout.laneBytes);
    checkPlanes(kernels, raw, randomBytes(raw.length, 3), layout);
    expect(() => split(kernels, new Uint8Array(raw.length + layout.laneBytes), undefined, layout)).toThrow(
      RangeError,
    );
  });

  it('gives a zero residual for equal lanes and 2 for the next larger one', () => {
    const layout = { laneBytes: 2, lane: 'float' } as const;
    // bf16: -0.0 -> +0.0 is one step up, 1.0 -> next is one step up, -1.0 -> towards zero is one step up
    const base = new Uint8Array([0x00, 0x80, 0x80, 0x3f, 0x80, 0xbf, 0xc1, 0x7f]);
    const raw = new Uint8Array([0x00, 0x00, 0x81, 0x3f, 0x7f, 0xbf, 0xc1, 0x7f]);
    expect([...split(kernels, raw, base, layout)]).toEqual([2, 2, 2, 0, 0, 0, 0, 0]);
  });

  it('splits any block like the oracle', () => {
    const block = fc.tuple(fc.constantFrom(...LAYOUTS), fc.nat(200), fc.nat(), fc.boolean(), fc.nat(7));
    fc.assert(
      fc.property(block, ([layout, lanes, seed, hasBase, shift]) => {
        const raw = shifted(randomBytes(lanes * layout.laneBytes, seed), shift);
        const base = hasBase ? sparseBytes(raw.length, 3, seed + 1) : undefined;
        checkPlanes(kernels, raw, base, layout);
      }),
      { numRuns: 100 },
    );
  });

  it('counts bytes', () => {
    for (const bytes of [new Uint8Array(0), sparseBytes(4099, 9, 1), randomBytes(77, 2)]) {
      const counts = new Uint32Array(256).fill(1);
      const expected = new Uint32Array(256);
      for (const byte of bytes) expected[byte]++;
      kernels.histogram(shifted(bytes, 1), counts);
      expect(counts).toEqual(expected);
    }
  });

  it.each(STATE_COUNTS)('entropy-codes every tail with %i states', (states) => {
    for (let length = 0; length <= 300; length += length < 70 ? 1 : 23) {
      for (const bytes of [skewedBytes(length, length), new Uint8Array(length), randomBytes(length, 5)]) {
        const frequencies = anyFrequencies(bytes);
        const coded = kernels.encodeEntropy(shifted(bytes, 1), frequencies, states);
        expect(coded).toEqual(oracle.encodeEntropy(bytes, frequencies, states));
        if (coded === undefined) continue;
        const decoded = shifted(new Uint8Array(length).fill(9), 1);
        expect(kernels.decodeEntropy(shifted(coded, 3), frequencies, states, decoded)).toBe(true);
        expect(Uint8Array.from(decoded)).toEqual(bytes);
      }
    }
  });

  it('entropy-codes far below one bit a symbol', () => {
    const bytes = sparseBytes(BLOCK_LANES, 1000, 8);
    const frequencies = new Uint16Array(256).fill(1);
    frequencies[0] = 4096 - 255;
    const coded = kernels.encodeEntropy(bytes, frequencies, 4) ?? bytes;
    expect(coded.length * 8).toBeLessThan(BLOCK_LANES * 0.12);
  });

  it('refuses every truncation and extension of a coded stream', () => {
    const bytes = skewedBytes(200, 4);
    const frequencies = anyFrequencies(bytes);
    for (const states of STATE_COUNTS) {
      const coded = kernels.encodeEntropy(bytes, frequencies, states) ?? bytes;
      const output = new Uint8Array(bytes.length);
      for (let length = 0; length < coded.length; length++) {
        expect(kernels.decodeEntropy(coded.subarray(0, length), frequencies, states, output)).toBe(false);
      }
      const longer = new Uint8Array(coded.length + 2);
      longer.set(coded);
      expect(kernels.decodeEntropy(longer, frequencies, states, output)).toBe(false);
    }
  });

  it('decodes damaged streams like the oracle', () => {
    const bytes = skewedBytes(123, 4);
    const frequencies = anyFrequencies(bytes);
    const damage = fc.tuple(
      fc.constantFrom(...STATE_COUNTS),
      fc.nat(10_000),
      fc.integer({ min: 1, max: 255 }),
    );
    fc.assert(
      fc.property(damage, ([states, position, flip]) => {
        const coded = Uint8Array.from(oracle.encodeEntropy(bytes, frequencies, states) ?? bytes);
        coded[position % coded.length] ^= flip;
        const outputs = [new Uint8Array(123), new Uint8Array(123)];
        const whole = kernels.decodeEntropy(coded, frequencies, states, outputs[0]);
        expect(whole).toBe(oracle.decodeEntropy(coded, frequencies, states, outputs[1]));
        if (whole) expect(outputs[0]).toEqual(outputs[1]);
      }),
      { numRuns: 200 },
    );
  });

  it('refuses frequencies that do not add up', () => {
    const frequencies = new Uint16Array(256).fill(16);
    frequencies[3] = 17;
    expect(() => kernels.encodeEntropy(new Uint8Array(4), frequencies, 1)).toThrow(RangeError);
    expect(() => kernels.decodeEntropy(new Uint8Array(4), frequencies, 1, new Uint8Array(9))).toThrow(
      RangeError,
    );
  });

  it('gathers and scatters sparse planes', () => {
    const long = new Uint8Array(1024);
    long[255] = 1;
    long[511] = 2;
    long[1023] = 3;
    const planes = [long, new Uint8Array(300), randomBytes(100, 1), sparseBytes(BLOCK_LANES, 70, 5)];
    for (let length = 0; length <= 130; length++) planes.push(sparseBytes(length, 3, length));
    for (const plane of planes) {
      const { gaps, values } = kernels.gatherSparse(shifted(plane, 1));
      const streams = { gaps: Uint8Array.from(gaps), values: Uint8Array.from(values) };
      expect(streams).toEqual(oracle.gatherSparse(plane));
      const restored = shifted(new Uint8Array(plane.length).fill(5), 1);
      expect(kernels.scatterSparse(streams.gaps, streams.values, restored)).toBe(true);
      expect(sameBytes(restored, plane)).toBe(true);
    }
  });

  it('refuses sparse streams that do not fit', () => {
    const plane = new Uint8Array(10);
    const refused: [number[], number[]][] = [
      [[10], [1]],
      [
        [9, 0],
        [1, 1],
      ],
      [[1, 1], [1]],
      [[1], [1, 1]],
      [[], [1]],
      [[255], []],
      [[1, 255], [1]],
      [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [1]],
    ];
    for (const [gaps, values] of refused) {
      expect(kernels.scatterSparse(Uint8Array.from(gaps), Uint8Array.from(values), plane)).toBe(false);
    }
    expect(kernels.scatterSparse(Uint8Array.of(9), Uint8Array.of(4), plane)).toBe(true);
  });

  it('hashes every short length and the edges of long ones like xxhsum', async () => {
    const edges = [1023, 1024, 1025, 2048, 65_536, 262_143, 262_144, 262_145, 263_168, 263_169, 600_001];
    for (const length of [...Array(520).keys(), ...edges]) {
      if (implementation === 'typescript' && length > 300_000) continue;
      const bytes = randomBytes(length, length);
      expect(toHex(kernels.contentHash(shifted(bytes, length % 4))), `${length}`).toBe(
        await xxhash128(bytes),
      );
    }
  });

  it('finds the boundaries that the oracle finds, again after an insertion', () => {
    const rule = { minBytes: 64, normalBytes: 256, earlyMask: 0xff000000, lateMask: 0xfc000000 };
    const cut = (bytes: Uint8Array) => {
      const ends: string[] = [];
      for (let at = 0; at < bytes.length; ) {
        const window = bytes.subarray(at, at + 4096);
        const length = kernels.contentBoundary(window, rule);
        expect(length).toBe(oracle.contentBoundary(window, rule));
        expect(length === window.length || length > 64).toBe(true);
        ends.push(toHex(bytes, at, at + length));
        at += length;
      }
      return ends;
    };
    const bytes = randomBytes(50_000, 6);
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes.subarray(0, 20_000));
    longer.set(bytes.subarray(20_000), 20_001);
    const before = cut(bytes);
    const kept = cut(longer).filter((chunk) => before.includes(chunk));
    expect(before.length).toBeGreaterThan(100);
    expect(kept.length).toBeGreaterThan(before.length - 12);
    expect(kernels.contentBoundary(bytes.subarray(0, 64), rule)).toBe(64);
  });
});

describe('loadKernels', () => {
  it('prefers WebAssembly and falls back where it is missing', () => {
    expect(loadKernels().implementation).toBe('wasm');
    const host = globalThis as { WebAssembly?: unknown };
    const kept = host.WebAssembly;
    host.WebAssembly = undefined;
    try {
      expect(loadKernels().implementation).toBe('typescript');
      expect(() => loadKernels('wasm')).toThrow(/SIMD/);
      try {
        loadKernels('wasm');
      } catch (error) {
        expect(isThetalogError(error, 'unsupported')).toBe(true);
      }
    } finally {
      host.WebAssembly = kept;
    }
  });
});
