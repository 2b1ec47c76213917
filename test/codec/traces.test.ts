/** Byte counts on real training traces: deterministic, so they are asserted. */
import { describe, expect, it } from 'vitest';
import { createCodec, type Level } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { encodeTrace, hasTraces, safetensorsTrace, torchTrace } from './trace-chunks.js';

const codec = createCodec(loadKernels());

function report(what: string, ratio: number): void {
  console.info(`${what}: ${ratio.toFixed(3)}x`);
}

describe.skipIf(!hasTraces)('chunk records of the bf16 trace', () => {
  const steps: [base: number | undefined, next: number, level: Level, atLeast: number][] = [
    [700, 701, 'fast', 20],
    [700, 701, 'max', 20],
    [700, 710, 'fast', 6.5],
    [700, 800, 'fast', 4.4],
    [100, 101, 'fast', 4.8],
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
    ['gpt', 700, 701, 'fast', 1.55],
    ['gpt', 700, 701, 'max', 1.55],
    ['gpt', 700, 710, 'fast', 1.44],
    ['gpt', 700, 800, 'fast', 1.36],
    ['gpt', 100, 101, 'fast', 1.45],
    ['gpt', 100, 110, 'fast', 1.32],
    ['gpt', undefined, 700, 'fast', 1.18],
    ['gpt-bf16grad', 700, 701, 'fast', 1.55],
    ['gpt-torch1.13', 700, 701, 'fast', 1.55],
  ];
  it.each(steps)('%s %s -> %s at level %s is at least %sx', (trace, base, next, level, atLeast) => {
    const before = base === undefined ? undefined : torchTrace(`${trace}/step-${base}.pth`);
    const after = torchTrace(`${trace}/step-${next}.pth`);
    const { ratio } = encodeTrace(codec, 'f32', 4, after, before, level);
    report(`${trace} ${base} -> ${next} ${level}`, ratio);
    expect(ratio).toBeGreaterThanOrEqual(atLeast);
  });
});
