/** Bytes that one more save adds to a store, on real training traces: deterministic, so they are asserted. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createStore, MemoryStorage, type Store } from '../../src/index.js';

const TRACES = join(import.meta.dirname, '../../../shared/traces');
const hasTraces = existsSync(join(TRACES, 'gpt'));
const scratch = mkdtempSync(join(tmpdir(), 'thetalog-traces-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function trace(job: string, step: number): string {
  return join(TRACES, job, `step-${step}.${job === 'bf16' ? 'safetensors' : 'pth'}`);
}

async function sizeOf(storage: MemoryStorage): Promise<number> {
  let bytes = 0;
  for await (const object of storage.list('')) bytes += object.size;
  return bytes;
}

/** Saves base and next into a new store; returns how many bytes the second save added. */
async function increment(job: string, base: number, next: number): Promise<{ bytes: number; store: Store }> {
  const storage = new MemoryStorage();
  const store = await createStore(storage);
  await store.saveFiles([trace(job, base)], { run: 'r', step: base });
  const before = await sizeOf(storage);
  await store.saveFiles([trace(job, next)], { run: 'r', step: next });
  return { bytes: (await sizeOf(storage)) - before, store };
}

describe.skipIf(!hasTraces)('increments on ../shared/traces (skipped where it is absent)', () => {
  const rows: [job: string, base: number, next: number, ratio: number][] = [
    ['gpt', 700, 701, 3.6],
    ['gpt', 100, 101, 3.6],
    ['gpt', 700, 710, 1.54],
    ['gpt', 700, 800, 1.43],
    ['gpt', 100, 110, 1.37],
    ['gpt-bf16grad', 700, 701, 7.6],
    ['gpt-torch1.13', 700, 701, 3.6],
    ['bf16', 700, 701, 30],
    ['bf16', 700, 710, 9.5],
    ['bf16', 700, 800, 5.9],
  ];
  it.each(rows)(
    '%s %i -> %i is stored at %fx or better, and restored byte for byte',
    async (job, base, next, ratio) => {
      const { bytes, store } = await increment(job, base, next);
      const reached = statSync(trace(job, next)).size / bytes;
      console.log(`${job} ${base} -> ${next}: ${reached.toFixed(3)}x (wanted ${ratio}x)`);
      expect(reached).toBeGreaterThanOrEqual(ratio);
      const out = join(scratch, `${job}-${base}-${next}`);
      for (const step of [base, next]) {
        const { files } = await store.restoreFiles(`r@step:${step}`, { out });
        expect(readFileSync(join(out, files[0])).equals(readFileSync(trace(job, step)))).toBe(true);
      }
    },
  );

  it.each([
    ['gpt', 700, 1.24],
    ['bf16', 700, 1.48],
  ] as const)('the first save of %s %i is stored at %fx or better', async (job, step, ratio) => {
    const storage = new MemoryStorage();
    const store = await createStore(storage);
    const { storedBytes, logicalBytes } = await store.saveFiles([trace(job, step)], { run: 'r' });
    console.log(`${job} ${step} alone: ${(logicalBytes / storedBytes).toFixed(3)}x (wanted ${ratio}x)`);
    expect(logicalBytes / storedBytes).toBeGreaterThanOrEqual(ratio);
  });

  it('the same file again adds less than 2 KB', async () => {
    const { bytes } = await increment('gpt', 700, 700);
    expect(bytes).toBeLessThan(2000);
  });

  it('stats agrees with the sizes of the objects in the store', async () => {
    const storage = new MemoryStorage();
    const store = await createStore(storage);
    for (const step of [700, 701, 710]) await store.saveFiles([trace('gpt', step)], { run: 'r' });
    const { storedBytes } = await store.stats();
    expect(Math.abs(storedBytes / (await sizeOf(storage)) - 1)).toBeLessThan(0.01);
  });

  // Footers are parts of packs; the index of a save of a single pack is its footer, that of others a segment.
  it('manifest, index segment and page take at most 0.02 % of the logical bytes and 2 KB', async () => {
    const storage = new MemoryStorage();
    const store = await createStore(storage);
    await store.saveFiles([trace('gpt', 700)], { run: 'r' });
    const before = await metadataBytes(storage);
    const { logicalBytes } = await store.saveFiles([trace('gpt', 701)], { run: 'r' });
    const metadata = (await metadataBytes(storage)) - before;
    console.log(`metadata of gpt 701: ${metadata} bytes`);
    expect(metadata).toBeLessThanOrEqual(0.0002 * logicalBytes + 2048);
  });

  async function metadataBytes(storage: MemoryStorage): Promise<number> {
    let bytes = 0;
    for (const kind of ['manifests', 'segments', 'pages'])
      for await (const { size } of storage.list(`${kind}/`)) bytes += size;
    return bytes;
  }
});
