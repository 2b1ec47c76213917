/** Records against a second implementation of FORMAT.md, in Python; skipped where there is none. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/bytes/index.js';
import { createCodec } from '../../src/codec/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { pairs, sparseUpdate, touchedRows } from './chunk-inputs.js';

const hasPython = spawnSync('python3', ['--version']).status === 0;

describe.skipIf(!hasPython)('a decoder written from FORMAT.md', () => {
  it('reads what the codec writes', () => {
    const codec = createCodec(loadKernels());
    const samples = fc.sample(pairs(3000), { numRuns: 250, seed: 20260101 });
    samples.push(sparseUpdate(150_000, 60, 3), touchedRows(1200, 64, 40, 2));
    const input = samples.map(({ dtype, raw, base }) => {
      const { record } = codec.encode(raw, dtype, base, 'fast');
      return JSON.stringify({ record: toHex(record), length: raw.length, base: base ? toHex(base) : null });
    });
    const script = fileURLToPath(new URL('decode_record.py', import.meta.url));
    const { stdout, stderr } = spawnSync('python3', [script], {
      input: input.join('\n'),
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    expect(stderr).toBe('');
    const lines = stdout.split('\n');
    samples.forEach(({ raw, dtype }, index) => {
      expect(lines[index] === toHex(raw), `sample ${index}, ${dtype}`).toBe(true);
    });
  });
});
