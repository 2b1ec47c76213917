/**
 * The synthetic law that NeMo-DCR publishes figures for: 20 million N(0, 1) values in bf16, moved by Gaussian noise of a
 * given size in fp32 and rounded again. Its figures are of the values alone: 0.33, 3.23 and 14.93 MB. Here a save has all
 * of it, so the values are what is left after the least that the places of the changed elements can take: the entropy of
 * "changed" given the exponent.
 */
import { createStore, MemoryStorage } from '../../src/index.js';
import { normals, toBf16 } from './laws.js';

/** Megabytes for 20 million elements: of the values, and of everything that a save adds. */
export const PUBLISHED = [
  { noise: 1e-4, values: 0.19, all: 0.3 },
  { noise: 1e-3, values: 1.85, all: 2.5 },
  { noise: 1e-2, values: 9.9, all: 9.9 },
] as const;

/** Elements that figures are for. */
const ELEMENTS = 20e6;

/** Bytes, for 20 million elements, of a save after noise, and of its values. */
export async function savedBytes(count: number, noise: number): Promise<{ all: number; values: number }> {
  const before = toBf16(normals(count, 1, 11));
  const floats = new Float32Array(Uint32Array.from(before, (half) => half << 16).buffer);
  const steps = normals(count, noise, 12);
  const after = toBf16(floats.map((value, index) => value + steps[index]));
  const tensor = (data: Uint16Array) => ({ model: { w: { dtype: 'bf16' as const, shape: [count], data } } });
  const run = (await createStore(new MemoryStorage())).run('r');
  await (await run.save(tensor(before))).committed;
  const { storedBytes } = await (await run.save(tensor(after))).committed;
  const scale = ELEMENTS / count;
  return { all: storedBytes * scale, values: (storedBytes - placesBits(before, after) / 8) * scale };
}

/** Entropy, in bits, of which elements changed, given their exponents. */
function placesBits(before: Uint16Array, after: Uint16Array): number {
  const counts = new Float64Array(512);
  before.forEach((half, index) => {
    counts[2 * ((half >>> 7) & 255) + (half === after[index] ? 0 : 1)]++;
  });
  const bits = (count: number, total: number) => (count === 0 ? 0 : count * Math.log2(total / count));
  let sum = 0;
  for (let at = 0; at < 512; at += 2) {
    const total = counts[at] + counts[at + 1];
    sum += bits(counts[at], total) + bits(counts[at + 1], total);
  }
  return sum;
}
