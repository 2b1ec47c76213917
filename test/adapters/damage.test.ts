/** Truncations and bit flips in the structure of real files: never an untyped error, a bad range, or a long wait. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type SegmentedFile, segmentFile } from '../../src/adapters/index.js';
import { expectSound, inMemory } from './sources.js';

const FIXTURES = new URL('../../fixtures/', import.meta.url).pathname;
const CASES_PER_FILE = 400;
const SLOW_MS = 1000;

const FILES = [
  'run-safetensors/step-100.safetensors',
  'torch/step-256.pth',
  'torch/module.pth',
  'torch/views.pth',
  'torch/plain-data.pth',
  'torch/protocol4.pth',
  'torch/legacy-10.pth',
  'torch/sparse.pth',
  'torch/new-dtypes.pth',
  'numpy/stored.npz',
  'numpy/structured.npy',
  'hf-trainer/checkpoint-100/rng_state.pth',
  'hf-trainer/checkpoint-100/trainer_state.json',
];

interface Damage {
  /** Where in the bytes outside the tensors, 0 to 1. */
  place: number;
  bytes: Uint8Array;
  /** Keep only this share of the file. */
  keep: number;
}

const damage: fc.Arbitrary<Damage[]> = fc.array(
  fc.record({
    place: fc.double({ min: 0, max: 0.999999, noNaN: true }),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 4 }),
      fc.constantFrom(0, 1, 0x7f, 0x80, 0xff).map((byte) => new Uint8Array(4).fill(byte)),
    ),
    keep: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, fc.double({ min: 0, max: 1, noNaN: true })),
  }),
  { minLength: 1, maxLength: 3 },
);

/** Offsets of all bytes that no tensor covers: headers, pickles, directories. */
function structureOf({ segmentation }: SegmentedFile, size: number): number[] {
  const offsets: number[] = [];
  let at = 0;
  for (const { offset, length } of [...segmentation.ranges, { offset: size, length: 0 }]) {
    while (at < offset) offsets.push(at++);
    at = offset + length;
  }
  return offsets;
}

test.for(FILES)('%s', async (file) => {
  const bytes = readFileSync(FIXTURES + file);
  const sound = await segmentFile(inMemory(file, bytes));
  expect(sound.problem).toBeUndefined();
  const structure = structureOf(sound, bytes.length);
  await fc.assert(
    fc.asyncProperty(damage, async (hits) => {
      let damaged = new Uint8Array(bytes);
      for (const hit of hits) {
        damaged.set(hit.bytes.subarray(0, 1), structure[Math.floor(hit.place * structure.length)]);
        const at = structure[Math.floor(hit.place * structure.length)];
        damaged.set(hit.bytes.subarray(0, damaged.length - at), Math.min(at, damaged.length));
      }
      damaged = damaged.slice(0, Math.floor(damaged.length * Math.min(...hits.map(({ keep }) => keep))));
      const source = inMemory(file, damaged);
      const started = performance.now();
      const result = await segmentFile(source);
      expect(performance.now() - started).toBeLessThan(SLOW_MS);
      expectSound(result, source);
      if (result.problem === undefined) return;
      expect(['corrupt', 'unsupported']).toContain(result.problem.kind);
      expect(result.problem.code).not.toBe('unreadable-content');
      expect(result.segmentation).toEqual({ format: 'opaque', ranges: [] });
    }),
    { numRuns: CASES_PER_FILE },
  );
});
