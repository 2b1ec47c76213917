/** Records against a second implementation of FORMAT.md, in Python; skipped where there is none. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/bytes/index.js';
import { createCodec, fromBase, type Prediction } from '../../src/codec/index.js';
import { type Formula, formulaShape, knowsOrder, loadKernels } from '../../src/kernels/index.js';
import type { DType } from '../../src/tensor/index.js';
import { edgeLanes, randomBytes, randomNumbers } from '../kernels/kernel-inputs.js';
import { oneSidedUpdate, pairs, scaledUpdate, sparseUpdate, touchedRows } from './chunk-inputs.js';
import { adamStep, bytesOf, castOf, momentumStep, spread } from './optimizer-steps.js';

const hasPython = spawnSync('python3', ['--version']).status === 0;

interface Sample {
  readonly what: string;
  readonly record: Uint8Array;
  readonly raw: Uint8Array;
  readonly inputs: readonly Uint8Array[];
}

const codec = createCodec(loadKernels());

function checkInPython(samples: readonly Sample[]): void {
  const input = samples.map(({ record, raw, inputs }) => {
    const hex = inputs.map((bytes) => toHex(bytes));
    return JSON.stringify({ record: toHex(record), length: raw.length, inputs: hex });
  });
  const script = fileURLToPath(new URL('decode_record.py', import.meta.url));
  const { stdout, stderr } = spawnSync('python3', ['-B', script], {
    input: input.join('\n'),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  expect(stderr).toBe('');
  const lines = stdout.split('\n');
  samples.forEach(({ raw, what }, index) => {
    expect(lines[index] === toHex(raw), `sample ${index}, ${what}`).toBe(true);
  });
}

function encoded(raw: Uint8Array, dtype: DType, predictions: readonly Prediction[], what: string): Sample {
  const { record, prediction } = codec.encode(raw, dtype, predictions, 'fast');
  return { what, record, raw, inputs: prediction?.inputs ?? [] };
}

/** Predictors by id: their formula, and where the gradients of a record without residual have their dtype. */
const FORMULAS: readonly [id: number, Formula, gradients?: 'bf16' | 'by order'][] = [
  [4, 'adam-second-moment'],
  [5, 'adam-weights'],
  [6, 'momentum-weights'],
  [7, 'nesterov-weights'],
  [8, 'adam-first-moment', 'bf16'],
  [9, 'lazy-adam-weights'],
  [10, 'nadam-weights'],
  [11, 'lion-weights'],
  [12, 'faded-moment'],
  [13, 'scaled-moment', 'by order'],
  [14, 'decayed-moment', 'by order'],
  [15, 'step-square'],
  [16, 'average'],
  [17, 'maximum'],
];

/** A record without a residual, which decodes to what a rule predicts, for every order of the rule. */
function bareRecords(constants: readonly number[]): Sample[] {
  const lanes = 60;
  const raw = new Uint8Array(4 * lanes);
  const halves = edgeLanes(lanes, 2);
  const samples: Sample[] = [];
  for (const [id, formula, gradients] of FORMULAS) {
    const shape = formulaShape(formula);
    const floats = new Uint8Array(Float32Array.from(constants.slice(0, shape.constants)).buffer);
    const side =
      gradients === undefined ? [] : [2, 3, ...halves.subarray(0, lanes), 3, ...halves.subarray(lanes)];
    for (let order = 0; order < shape.orders; order++) {
      if (!knowsOrder(formula, order)) continue;
      const record = Uint8Array.of(4, 15, id, order, ...floats, ...side, 1);
      const inputs = Array.from({ length: codec.inputsOf(record) }, (_, index) =>
        (order + index) % 2 === 0
          ? edgeLanes(lanes + index, 4).subarray(4 * index)
          : numbers(lanes, order + index),
      );
      // Some lanes that stay as they are.
      if (inputs.length > 2) inputs[inputs.length - 1].set(inputs[1].subarray(0, 2 * lanes));
      const what = `predictor ${id}, order ${order}, ${constants}`;
      samples.push({ what, record, raw: codec.decode(record, raw.length, inputs, what), inputs });
    }
  }
  return samples;
}

describe.skipIf(!hasPython)('a decoder written from FORMAT.md', () => {
  it('reads what the codec writes', () => {
    const samples = fc.sample(pairs(3000), { numRuns: 250, seed: 20260101 });
    samples.push(scaledUpdate('f32', 70_000, 1e-4), scaledUpdate('f32', 20_000, 1e-2));
    samples.push(sparseUpdate(150_000, 60, 3), sparseUpdate(70_000, 2000, 4), touchedRows(1200, 64, 40, 2));
    samples.push(oneSidedUpdate(70_001, 12, 5), sparseUpdate(70_001, 12, 5), {
      ...sparseUpdate(66_000, 6, 5),
      dtype: 'f16',
    });
    checkInPython(samples.map(({ dtype, raw, base }) => encoded(raw, dtype, fromBase(base), dtype)));
  });

  it('reads planes in Huffman codes, and rows of zeros', () => {
    const alone = bytesOf(spread(150_000, 3));
    const rows = alone.slice();
    for (let row = 0; row < rows.length; row += 40_960) rows.fill(0, row, row + 4096);
    checkInPython([
      encoded(alone, 'f32', [], 'alone'),
      encoded(alone.subarray(0, 200_000), 'bf16', [], 'halves'),
      encoded(rows, 'f32', [], 'rows of zeros'),
      encoded(squares(50_000), 'f32', [], 'positive numbers'),
      encoded(rows, 'f32', fromBase(alone), 'rows of zeros after others'),
    ]);
  });

  it('reads records of rules that hold', () => {
    const { m, v, w, predictions } = adamStep(3000, 4);
    const momentum = [false, true].map((nesterov) => momentumStep(3000, 6, nesterov));
    const master = bytesOf(spread(3000, 2));
    const from = (dtype: DType, input: Uint8Array): Prediction => ({
      rule: { kind: 'cast', from: dtype },
      inputs: [input],
    });
    const halves = (['bf16', 'f16'] as const).map((dtype) => ({ dtype, copy: castOf(master, dtype) }));
    checkInPython([
      encoded(m, 'f32', [predictions.m], 'm'),
      encoded(v, 'f32', [predictions.v], 'v'),
      encoded(w, 'f32', [predictions.w], 'w'),
      ...momentum.map((step) => encoded(step.w, 'f32', [step.prediction], 'momentum')),
      ...halves.map(({ dtype, copy }) => encoded(copy, dtype, [from('f32', master)], dtype)),
      ...halves.map(({ dtype, copy }) => encoded(master, 'f32', [from(dtype, copy)], dtype)),
    ]);
  });

  it('predicts the same in every order', () => {
    const lists = [
      [0.9, 0.1, 0.999, 0.001, 1e-8, 0.9, 0.1],
      [-0.5, 1e-3, 1e30, 1e-30, 0, 2, 3],
      [0, 0, 0, 0, 0, 0, 0],
    ];
    checkInPython(lists.flatMap(bareRecords));
  });
});

/** Second moments: no sign, and noise below. */
function squares(lanes: number): Uint8Array {
  const next = randomNumbers(5);
  return bytesOf(Float32Array.from({ length: lanes }, () => ((1 + (next() >>> 8)) / 2 ** 24) ** 2));
}

/** Numbers of several magnitudes, or any bits. */
function numbers(lanes: number, seed: number): Uint8Array {
  return seed % 3 === 0 ? randomBytes(4 * lanes, seed) : bytesOf(spread(lanes, seed));
}
