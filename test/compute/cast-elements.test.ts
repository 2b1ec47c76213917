/**
 * Conversion between float types. The values are those of torch 2.13 (`Tensor.to`, cpu). Seen to fail when NaNs of doubles get another
 * payload, and when `convert` cuts blocks as if all lanes had 4 bytes.
 */
import { describe, expect, test } from 'vitest';
import { type Cast, castElements, castLength } from '../../src/compute/index.js';
import { BLOCK_LANES, loadKernels } from '../../src/kernels/index.js';
import { randomBytes } from '../engine/folders.js';

/** f32, bf16, f16. */
const SINGLES = [
  [0x00000000, 0x0000, 0x0000],
  [0x80000000, 0x8000, 0x8000],
  [0x3f800000, 0x3f80, 0x3c00],
  [0x3f808000, 0x3f80, 0x3c04],
  [0x3f818000, 0x3f82, 0x3c0c],
  [0x3f808001, 0x3f81, 0x3c04],
  [0x3f807fff, 0x3f80, 0x3c04],
  [0x7f7fffff, 0x7f80, 0x7c00],
  [0x7f7f7fff, 0x7f7f, 0x7c00],
  [0x7f7f8000, 0x7f80, 0x7c00],
  [0x7f800000, 0x7f80, 0x7c00],
  [0xff800000, 0xff80, 0xfc00],
  [0x00000001, 0x0000, 0x0000],
  [0x00008000, 0x0000, 0x0000],
  [0x00008001, 0x0001, 0x0000],
  [0x00018000, 0x0002, 0x0000],
  [0x80000001, 0x8000, 0x8000],
  [0x477fe000, 0x4780, 0x7bff],
  [0x477fefff, 0x4780, 0x7bff],
  [0x477ff000, 0x4780, 0x7c00],
  [0xc77ff000, 0xc780, 0xfc00],
  [0x38800000, 0x3880, 0x0400],
  [0x387fc000, 0x3880, 0x03ff],
  [0x387fe000, 0x3880, 0x0400],
  [0x33800000, 0x3380, 0x0001],
  [0x33000000, 0x3300, 0x0000],
  [0x33000001, 0x3300, 0x0001],
  [0x33c00000, 0x33c0, 0x0002],
  [0x3f801000, 0x3f80, 0x3c00],
  [0x3f803000, 0x3f80, 0x3c02],
  [0x3f801001, 0x3f80, 0x3c01],
  [0xbf801000, 0xbf80, 0xbc00],
  // Any NaN; torch's own bits depend on the machine.
  [0x7f800001, 0x7fc0, 0x7e00],
  [0xffc12345, 0x7fc0, 0x7e00],
];

/** f64, f32, bf16, f16: the narrower ones are rounded twice, by way of f32. */
const DOUBLES = [
  [1, 0x3f800000, 0x3f80, 0x3c00],
  [1 + 2 ** -24, 0x3f800000, 0x3f80, 0x3c00],
  [1 + 2 ** -24 + 2 ** -50, 0x3f800001, 0x3f80, 0x3c00],
  [1 + 3 * 2 ** -24, 0x3f800002, 0x3f80, 0x3c00],
  [1e300, 0x7f800000, 0x7f80, 0x7c00],
  [-1e300, 0xff800000, 0xff80, 0xfc00],
  [1e-320, 0x00000000, 0x0000, 0x0000],
  [65519.999999999, 0x477ff000, 0x4780, 0x7c00],
  [65520, 0x477ff000, 0x4780, 0x7c00],
  [3.4028235677973366e38, 0x7f800000, 0x7f80, 0x7c00],
  [1 + 2 ** -9, 0x3f804000, 0x3f80, 0x3c02],
  [1 + 2 ** -8 + 2 ** -40, 0x3f808000, 0x3f80, 0x3c04],
  [1 + 2 ** -8 + 2 ** -24, 0x3f808000, 0x3f80, 0x3c04],
  [Number.NaN, 0x7fc00000, 0x7fc0, 0x7e00],
];

describe.each(['wasm', 'typescript'] as const)('%s kernels', (implementation) => {
  const kernels = loadKernels(implementation);

  /** Converts, and gives back what was taken of the arena. */
  function cast(input: ArrayBufferView, how: Cast): ArrayBuffer {
    const mark = kernels.arena.mark();
    const bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    const made = castElements(kernels, bytes, how).slice();
    kernels.arena.release(mark);
    expect(made.length).toBe(castLength(bytes.length, how));
    return made.buffer;
  }

  test('singles become what torch makes of them', () => {
    const singles = Uint32Array.from(SINGLES, ([single]) => single);
    const halves = (to: 'bf16' | 'f16') => [...new Uint16Array(cast(singles, { from: 'f32', to }))];
    expect(halves('bf16')).toEqual(SINGLES.map(([, bf16]) => bf16));
    expect(halves('f16')).toEqual(SINGLES.map(([, , f16]) => f16));
  });

  test('doubles become what torch makes of them', () => {
    const doubles = Float64Array.from(DOUBLES, ([double]) => double);
    expect([...new Uint32Array(cast(doubles, { from: 'f64', to: 'f32' }))]).toEqual(
      DOUBLES.map((row) => row[1]),
    );
    expect([...new Uint16Array(cast(doubles, { from: 'f64', to: 'bf16' }))]).toEqual(
      DOUBLES.map((row) => row[2]),
    );
    expect([...new Uint16Array(cast(doubles, { from: 'f64', to: 'f16' }))]).toEqual(
      DOUBLES.map((row) => row[3]),
    );
  });

  test('a part of a Buffer is as good as any other bytes', () => {
    const doubles = Float64Array.of(7, 1.5, -2, 9);
    const part = Buffer.from(doubles.buffer).subarray(8, 24);
    const made = castElements(kernels, part, { from: 'f64', to: 'f32' }).slice();
    expect([...new Float32Array(made.buffer)]).toEqual([1.5, -2]);
  });

  test('every half is exact as a single, and comes back as it was', () => {
    const all = Uint16Array.from({ length: 65_536 }, (_, pattern) => pattern);
    for (const [from, exponent, quiet] of [
      ['bf16', 0x7f80, 0x7fc0],
      ['f16', 0x7c00, 0x7e00],
    ] as const) {
      const back = new Uint16Array(
        cast(new Uint8Array(cast(all, { from, to: 'f32' })), { from: 'f32', to: from }),
      );
      const isNan = (pattern: number): boolean => (pattern & 0x7fff) > exponent;
      expect(back).toEqual(all.map((pattern) => (isNan(pattern) ? quiet : pattern)));
    }
    const [one, small] = new Float32Array(cast(Uint16Array.of(0x3c00, 1), { from: 'f16', to: 'f32' }));
    expect([one, small]).toEqual([1, 2 ** -24]);
  });

  test('between the two halves by way of singles', () => {
    expect([...new Uint16Array(cast(Uint16Array.of(0x4780, 0x3f81), { from: 'bf16', to: 'f16' }))]).toEqual([
      0x7c00, 0x3c08,
    ]);
    expect([...new Uint16Array(cast(Uint16Array.of(0x3c01, 0x3c0c), { from: 'f16', to: 'bf16' }))]).toEqual([
      0x3f80, 0x3f82,
    ]);
  });

  test.each([0, 1, 7, BLOCK_LANES, 2 * BLOCK_LANES + 5])(
    '%d lanes are as many conversions of one',
    (lanes) => {
      for (const how of [
        { from: 'f32', to: 'bf16' },
        { from: 'bf16', to: 'f32' },
        { from: 'f64', to: 'f16' },
      ] as const) {
        const bytes = { f64: 8, f32: 4, bf16: 2 }[how.from];
        const input = randomBytes(lanes * bytes, lanes + 1);
        const together = new Uint8Array(cast(input, how));
        const out = castLength(bytes, how);
        for (const lane of [0, 1, BLOCK_LANES - 1, BLOCK_LANES, lanes - 1].filter(
          (at) => at >= 0 && at < lanes,
        )) {
          const alone = new Uint8Array(cast(input.subarray(lane * bytes, (lane + 1) * bytes).slice(), how));
          expect(together.subarray(lane * out, (lane + 1) * out)).toEqual(alone);
        }
      }
    },
  );
});
