/** Predictions by both kernels, which must agree to the last bit. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOCK_LANES, type Formula, formulaShape, knowsOrder, loadKernels } from '../../src/kernels/index.js';
import { edgeLanes, randomBytes, randomNumbers, sameBytes, shifted } from './kernel-inputs.js';

const wasm = loadKernels('wasm');
const twin = loadKernels('typescript');

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

const FORMULA_ORDERS = FORMULAS.flatMap((formula) =>
  Array.from({ length: formulaShape(formula).orders }, (_, order) => ({ formula, order })).filter(
    ({ order }) => knowsOrder(formula, order),
  ),
);

/** Lanes as a training job has them: of one magnitude, with some zeros; or any bits; or edges. */
function lanesOf(lanes: number, bytes: 2 | 4, seed: number): Uint8Array {
  if (seed % 4 === 0) return randomBytes(lanes * bytes, seed);
  if (seed % 4 === 1) return edgeLanes(lanes, bytes);
  const next = randomNumbers(seed);
  const exponent = (next() % 60) - 50;
  const values = Float32Array.from({ length: lanes }, () => {
    const sign = seed % 4 === 2 ? 1 : (next() % 3) - 1;
    return sign * (next() / 2 ** 32) * 2 ** exponent;
  });
  const raw = new Uint8Array(values.buffer);
  return bytes === 4 ? raw : raw.filter((_, at) => at % 4 > 1);
}

const CONSTANTS: readonly (readonly number[])[] = [
  [0.9, 0.1, 0.999, 0.001, 1e-8, 0.9, 0.1],
  [0.9999, -1e-3, 0.25, 0.3, 1e-8, 0.5, 2],
  [1, -0.5, 1e-30, 1e30, 0, 1, 1e-3],
  [0, 0, 0, 0, 0, 0, 0],
  [Number.NaN, Number.POSITIVE_INFINITY, -1, 2 ** -140, Number.NEGATIVE_INFINITY, 3, 0],
];

function predicted(formula: Formula, order: number, lanes: number, seed: number, shift: number): void {
  const shape = formulaShape(formula);
  const constants = Float32Array.from(CONSTANTS[seed % CONSTANTS.length].slice(0, shape.constants));
  const inputs = shape.inputBytes.map((bytes, index) =>
    shifted(lanesOf(lanes, bytes, seed + index * 7), shift + index),
  );
  // Rules that leave rows alone look at whether lanes of two inputs are the same.
  if (seed % 3 === 0 && inputs.length > 2) inputs[inputs.length - 1].set(inputs[1].subarray(0, lanes * 2));
  const outputs = [wasm, twin].map((kernels) => {
    const output = shifted(new Uint8Array(lanes * shape.outputBytes).fill(9), shift);
    kernels.predict(formula, order, constants, inputs, output);
    return output;
  });
  expect(sameBytes(outputs[0], outputs[1]), `${formula} ${order}`).toBe(true);
}

/** Positive lanes below `2 ** exponent`. */
function magnitudes(lanes: number, exponent: number, seed: number): Uint8Array {
  const next = randomNumbers(seed);
  const values = Float32Array.from({ length: lanes }, () => (next() / 2 ** 32) * 2 ** exponent);
  return new Uint8Array(values.buffer);
}

function agree(formula: Formula, order: number, constants: readonly number[], inputs: Uint8Array[]): void {
  const outputs = [wasm, twin].map((kernels) => {
    const output = new Uint8Array(inputs[0].length);
    kernels.predict(formula, order, Float32Array.from(constants), inputs, output);
    return output;
  });
  expect(sameBytes(outputs[0], outputs[1]), `${formula} ${order} ${constants}`).toBe(true);
}

/** The bits of a float32 lane. */
function bitsOf(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0];
}

function castLane(formula: Formula, input: Uint8Array): number {
  const output = new Uint8Array(formulaShape(formula).outputBytes);
  wasm.predict(formula, 0, new Float32Array(0), [input], output);
  return output.reduceRight((value, byte) => value * 256 + byte, 0);
}

const word = (bits: number) => new Uint8Array(Uint32Array.of(bits).buffer);

describe('predictions', () => {
  it.each(FORMULAS)('%s: both kernels agree in every order, tail and value', (formula) => {
    const orders = FORMULA_ORDERS.filter((entry) => entry.formula === formula);
    for (const { order } of orders) {
      for (let lanes = 0; lanes < 40; lanes += 3) predicted(formula, order, lanes, lanes * 5 + order, 1);
      for (let seed = 0; seed < 20; seed++) predicted(formula, order, 64, seed, 0);
    }
    predicted(formula, 0, BLOCK_LANES, 3, 2);
  });

  it('agree for any lanes and constants', () => {
    const any = fc.tuple(fc.constantFrom(...FORMULA_ORDERS), fc.nat(50), fc.nat(), fc.nat(3));
    fc.assert(
      fc.property(any, ([{ formula, order }, lanes, seed, shift]) => {
        predicted(formula, order, lanes, seed, shift);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([0, 2])('agree where new squares weigh little, however large they are: order %i', (order) => {
    const lanes = 4096;
    for (let exponent = -44; exponent < 4; exponent += 4) {
      const moments = [1, 2].map((seed) => magnitudes(lanes, -5, seed));
      const before = magnitudes(lanes, exponent, 3);
      // Rows without a gradient, then rows with one.
      for (const input of [before, ...moments]) input.fill(0, 0, exponent % 8 === 0 ? 8192 : 64);
      agree('adam-second-moment', order, [0.9, 0.1, 0.999, 0.001], [before, ...moments]);
      agree('adam-second-moment', order, [0.9, 0.1, 0.997, 1 / 256], [before, ...moments]);
    }
  });

  it.each([0, 1, 33])('agree on quotients by divisors of any size: order %i', (order) => {
    const lanes = 1024;
    for (const divisor of [2 ** -149, 2 ** -20, 1 / 3, 0.7, 1, 2 ** 50, 2 ** 60, 3e38]) {
      for (const exponent of [-149, -130, -60, -10, 0, 100]) {
        const inputs = [-4, -7, exponent].map((size, index) => magnitudes(lanes, size, index + 1));
        agree('adam-weights', order, [0.999, -1e-3, 0.9, divisor, 0], inputs);
      }
    }
  });

  it('agree on quotients midway between two subnormal numbers', () => {
    // 49 * (1 / 49) is less than 1 in double precision.
    const divisor = 49;
    const roots = Array.from({ length: 32 }, (_, lane) => divisor * (2 * lane + 1) * 2 ** -50);
    const inputs = [roots.map(() => 0), roots.map(() => 2 ** -130), roots.map((root) => root ** 2)];
    const lanes = inputs.map((input) => new Uint8Array(Float32Array.from(input).buffer));
    for (const order of [0, 1, 33])
      agree('adam-weights', order, [1, 2 ** -10, 1, divisor * 2 ** 100, 0], lanes);
  });

  it('makes one NaN of all', () => {
    const nan = new Uint8Array(Uint32Array.of(0xffc12345, bitsOf(1), 0x7f800001, bitsOf(-1)).buffer);
    const output = new Uint8Array(16);
    for (const kernels of [wasm, twin]) {
      kernels.predict('adam-weights', 0, Float32Array.of(1, 1, 1, 1, 1), [nan, nan, nan], output);
      expect([...new Uint32Array(output.buffer)]).toEqual([0x7fc00000, bitsOf(1.5), 0x7fc00000, 0x7fc00000]);
    }
  });

  it('casts to nearest even, NaN to one pattern, and back exactly', () => {
    expect(castLane('narrow-bf16', word(0x3f808000))).toBe(0x3f80);
    expect(castLane('narrow-bf16', word(0x3f818000))).toBe(0x3f82);
    expect(castLane('narrow-bf16', word(0x7f7fffff))).toBe(0x7f80);
    expect(castLane('narrow-bf16', word(0xff800001))).toBe(0x7fc0);
    expect(castLane('narrow-f16', word(bitsOf(65519.996)))).toBe(0x7bff);
    expect(castLane('narrow-f16', word(bitsOf(65520)))).toBe(0x7c00);
    expect(castLane('narrow-f16', word(bitsOf(-(2 ** -24))))).toBe(0x8001);
    expect(castLane('narrow-f16', word(bitsOf(2 ** -25)))).toBe(0);
    expect(castLane('narrow-f16', word(bitsOf(2 ** -25 * 1.0001)))).toBe(1);
    expect(castLane('narrow-f16', word(0xffc00001))).toBe(0x7e00);
    expect(castLane('widen-f16', Uint8Array.of(1, 0x80))).toBe(bitsOf(-(2 ** -24)));
    for (const [widen, narrow, nan] of [
      ['widen-bf16', 'narrow-bf16', 0x7f80],
      ['widen-f16', 'narrow-f16', 0x7c00],
    ] as const) {
      const halves = new Uint8Array(Uint16Array.from({ length: 65_536 }, (_, half) => half).buffer);
      const wide = new Uint8Array(4 * 65_536);
      const back = new Uint8Array(halves.length);
      wasm.predict(widen, 0, new Float32Array(0), [halves], wide);
      wasm.predict(narrow, 0, new Float32Array(0), [wide], back);
      new Uint16Array(back.buffer).forEach((half, index) => {
        if ((index & 0x7fff) <= nan) expect(half).toBe(index);
      });
    }
  });

  it('demands what a formula takes', () => {
    const output = new Uint8Array(8);
    const constants = new Float32Array(2);
    const refused: [Formula, number, Float32Array, Uint8Array[]][] = [
      ['adam-first-moment', 5, constants, [output, output.subarray(4)]],
      ['adam-second-moment', 6, new Float32Array(4), [output, output, output]],
      ['adam-first-moment', 0, constants, [output, output]],
      ['adam-first-moment', 0, constants, [output]],
      ['adam-first-moment', 0, new Float32Array(3), [output, output.subarray(4)]],
    ];
    for (const kernels of [wasm, twin]) {
      for (const [formula, order, given, inputs] of refused) {
        expect(() => kernels.predict(formula, order, given, inputs, output)).toThrow(RangeError);
      }
    }
  });
});
