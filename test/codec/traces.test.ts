/** Byte counts on real training traces: deterministic, so they are asserted. */
import { describe, expect, it } from 'vitest';
import { createCodec, type Level } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { encodeTrace, hasTraces, safetensorsTrace, type Tensors, torchTrace } from './trace-chunks.js';

const codec = createCodec(loadKernels());

function report(what: string, ratio: number): void {
  console.info(`${what}: ${ratio.toFixed(3)}x`);
}

describe.skipIf(!hasTraces)('chunk records of the bf16 trace', () => {
  const steps: [base: number | undefined, next: number, level: Level, atLeast: number][] = [
    [700, 701, 'fast', 32.3],
    [700, 701, 'max', 32.3],
    [700, 710, 'fast', 9.7],
    [700, 800, 'fast', 6.05],
    [100, 101, 'fast', 6.4],
    [undefined, 700, 'fast', 1.44],
  ];
  it.each(steps)('%s -> %s at level %s is at least %sx', (base, next, level, atLeast) => {
    const before = base === undefined ? undefined : safetensorsTrace(base);
    const { ratio } = encodeTrace(codec, 'bf16', 2, safetensorsTrace(next), before, level);
    report(`bf16 ${base} -> ${next} ${level}`, ratio);
    expect(ratio).toBeGreaterThanOrEqual(atLeast);
  });
});

describe.skipIf(!hasTraces)('chunk records of the fp32 traces', () => {
  const steps: [trace: string, base: number | undefined, next: number, level: Level, atLeast: number][] = [
    ['gpt', 700, 701, 'fast', 1.735],
    ['gpt', 700, 701, 'max', 1.775],
    ['gpt', 700, 710, 'fast', 1.555],
    ['gpt', 700, 800, 'fast', 1.46],
    ['gpt', 100, 101, 'fast', 1.57],
    ['gpt', 100, 110, 'fast', 1.395],
    ['gpt', undefined, 700, 'fast', 1.18],
    ['gpt-bf16grad', 700, 701, 'fast', 1.735],
    ['gpt-torch1.13', 700, 701, 'fast', 1.71],
  ];
  it.each(steps)('%s %s -> %s at level %s is at least %sx', (trace, base, next, level, atLeast) => {
    const before = base === undefined ? undefined : torchTrace(`${trace}/step-${base}.pth`);
    const after = torchTrace(`${trace}/step-${next}.pth`);
    const { ratio } = encodeTrace(codec, 'f32', 4, after, before, level);
    report(`${trace} ${base} -> ${next} ${level}`, ratio);
    expect(ratio).toBeGreaterThanOrEqual(atLeast);
  });

  const kinds: [kind: string, next: number, atLeast: number][] = [
    ['weights', 701, 2.32],
    ['weights', 710, 1.9],
    ['weights', 800, 1.74],
    ['first moments', 701, 1.29],
    ['second moments', 701, 2.06],
    ['second moments', 710, 1.74],
  ];
  it.each(kinds)('%s, 700 -> %s, are at least %sx', (kind, next, atLeast) => {
    const before = torchTrace('gpt/step-700.pth');
    const after = ofKind(torchTrace(`gpt/step-${next}.pth`), kind);
    const { ratio } = encodeTrace(codec, 'f32', 4, after, before, 'max');
    report(`${kind}, 700 -> ${next}`, ratio);
    expect(ratio).toBeGreaterThanOrEqual(atLeast);
  });
});

/** Storages in the order of their numbers: weights, then the step, first and second moment of each. */
function ofKind(tensors: Tensors, kind: string): Tensors {
  const number = (name: string) => Number(name.slice(name.lastIndexOf('/') + 1));
  const storages = [...tensors].sort(([a], [b]) => number(a) - number(b));
  let sinceStep = Number.NEGATIVE_INFINITY;
  return new Map(
    storages.filter(([, { length }]) => {
      sinceStep = length === 4 ? 0 : sinceStep + 1;
      const moment = sinceStep === 1 ? 'first moments' : 'second moments';
      return length > 4 && kind === (sinceStep > 0 ? moment : 'weights');
    }),
  );
}
