/** Bits per element of update rules on real training traces: deterministic, so they are asserted. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { segmentFile } from '../../src/adapters/index.js';
import { createCodec, type Prediction, type Rule } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { sameBytes } from '../kernels/kernel-inputs.js';
import { gradientMoment } from './optimizer-steps.js';
import { hasTraces, TRACES } from './trace-chunks.js';

const codec = createCodec(loadKernels());

/** make_traces.py: AdamW under a cosine schedule. */
const SCHEDULE_STEPS = 820;
const BETAS = { beta1: 0.9, beta2: 0.999 };
const TENSOR_BYTES_MIN = 4096;

type Streams = Map<string, Uint8Array>;

async function streamsOf(path: string): Promise<Streams> {
  const file = openSync(`${TRACES}${path}`, 'r');
  try {
    const read = async (offset: number, length: number) => {
      const bytes = new Uint8Array(length);
      readSync(file, bytes, 0, length, offset);
      return bytes;
    };
    const { segmentation } = await segmentFile({ name: path, size: fstatSync(file).size, read });
    const streams: Streams = new Map();
    for (const { key, offset, length } of segmentation.ranges) streams.set(key, await read(offset, length));
    return streams;
  } finally {
    closeSync(file);
  }
}

function learningRate(base: number): number {
  return (1e-3 * (1 + Math.cos((Math.PI * base) / SCHEDULE_STEPS))) / 2;
}

function weightsRule(base: number, lr: number): Rule & { kind: 'adam-weights' } {
  const step = base + 1;
  return { kind: 'adam-weights', lr, ...BETAS, eps: 1e-8, weightDecay: 0.1, decoupled: true, step };
}

interface Measured {
  /** Bits per element: first moment, second moment, weights. */
  readonly m: number;
  readonly v: number;
  readonly w: number;
  /** Kinds of rules that records were made with. */
  readonly kinds: Set<string>;
}

function encodedBits(raw: Uint8Array | undefined, predictions: Prediction[], kinds: Set<string>): number {
  if (raw === undefined) throw new Error('no such tensor');
  const { record, prediction } = codec.encode(raw, 'f32', predictions, 'fast');
  const decoded = codec.decode(record, raw.length, prediction?.inputs ?? [], 'trace');
  if (!sameBytes(decoded, raw)) throw new Error('does not round-trip');
  kinds.add(prediction?.rule.kind ?? 'none');
  return record.length * 8;
}

async function measure(
  trace: string,
  base: number,
  rules: readonly Rule[] = [learningRate(base + 1), learningRate(base)].map((lr) => weightsRule(base, lr)),
): Promise<Measured> {
  const [before, after] = await Promise.all(
    [base, base + 1].map((step) => streamsOf(`${trace}/step-${step}.pth`)),
  );
  const kinds = new Set<string>();
  const bits = { m: 0, v: 0, w: 0 };
  let elements = 0;
  for (const [key, w] of after) {
    if (!key.startsWith('model.') || w.length < TENSOR_BYTES_MIN) continue;
    elements += w.length / 4;
    const stateKey = `optimizer.state.${key.slice('model.'.length)}`;
    const streams = [key, `${stateKey}.exp_avg`, `${stateKey}.exp_avg_sq`];
    const [, m, v] = streams.map((name) => after.get(name) ?? w);
    const [w0, m0, v0] = streams.map((name) => before.get(name) ?? w);
    const from = (base: Uint8Array): Prediction => ({ rule: { kind: 'base' }, inputs: [base] });
    const firstMoment = gradientMoment(BETAS.beta1, 1 - BETAS.beta1);
    const secondMoment = { kind: 'adam-second-moment', ...BETAS } as const;
    bits.m += encodedBits(m, [from(m0), { rule: firstMoment, inputs: [m0] }], kinds);
    bits.v += encodedBits(v, [from(v0), { rule: secondMoment, inputs: [v0, m, m0] }], kinds);
    const guesses = rules.map((rule) => ({ rule, inputs: [w0, m, v] }));
    bits.w += encodedBits(w, [from(w0), ...guesses], kinds);
  }
  return { m: bits.m / elements, v: bits.v / elements, w: bits.w / elements, kinds };
}

describe.skipIf(!hasTraces)('update rules on the AdamW traces', () => {
  const traces: [trace: string, base: number, mMax: number, vMax: number, wMax: number][] = [
    ['gpt', 700, 25.2, 0.05, 0.01],
    ['gpt', 100, 25, 0.11, 0.015],
    ['gpt-torch1.13', 700, 25.5, 0.05, 0.01],
    ['gpt-bf16grad', 700, 10.6, 0.01, 0.01],
  ];
  it.each(traces)('%s %i + 1: at most %d, %d and %d bits for m, v and w', async (trace, base, ...most) => {
    const { m, v, w, kinds } = await measure(trace, base);
    console.info(
      `${trace} ${base}: m ${m.toFixed(3)}, v ${v.toFixed(4)}, w ${w.toFixed(4)} bits, ${[...kinds]}`,
    );
    expect(m).toBeLessThan(most[0]);
    expect(v).toBeLessThan(most[1]);
    expect(w).toBeLessThan(most[2]);
  });

  it('finds the learning rate that was used from the weights', async () => {
    const rules = [learningRate(701), 0.5].map((lr) => weightsRule(700, lr));
    const { w, kinds } = await measure('gpt', 700, rules);
    console.info(`rate unknown: w ${w.toFixed(4)} bits`);
    expect(w).toBeLessThan(0.02);
    expect(kinds).toContain('adam-weights');
  });

  it.each([
    ['gpt', 700, 0.04],
    ['gpt', 100, 0.05],
    ['gpt-torch1.13', 700, 0.04],
    ['gpt-bf16grad', 700, 0.04],
  ])(
    '%s %i + 1: finds all that a file of tensors does not say, at most %d bits for w',
    async (trace, base, most) => {
      const guess = { ...weightsRule(base, 1e-3), weightDecay: 0, step: Number.POSITIVE_INFINITY };
      const { w } = await measure(trace, base, [guess]);
      console.info(`${trace} ${base}, nothing known: w ${w.toFixed(4)} bits`);
      expect(w).toBeLessThan(most);
    },
  );
});
