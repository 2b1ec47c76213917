/**
 * The checkpoint before is read where it lies in its files, as long as these are what they were. Seen to fail when the intake forgets them
 * (packs are read), and when a group is not encoded again without them (it is stored in full, with a warning).
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MemoryStorage } from '../../src/index.js';
import { scratchFolder } from '../reliability/scratch-folder.js';
import { WatchedFolder, weights } from './watched-folder.js';

/** Several groups of chunks. */
const ELEMENTS = 700_000;

class CountingStorage extends MemoryStorage {
  packReads = 0;

  override get(...args: Parameters<MemoryStorage['get']>): Promise<Uint8Array | undefined> {
    // Not footers, which are shorter.
    if (args[0].startsWith('packs/') && (args[1]?.length ?? 0) > 200_000) this.packReads += 1;
    return super.get(...args);
  }
}

/** Takes two checkpoints in one step apart; returns how often packs were read to save the second. */
async function readsOfSecond(meanwhile: (first: string, bytesRead: number) => void) {
  const storage = new CountingStorage();
  const folder = await WatchedFolder.make(storage);
  const second = weights(2, ELEMENTS);
  const first = join(folder.path, 'step-1.safetensors');
  await folder.write('step-1.safetensors', weights(1, ELEMENTS));
  await folder.write('step-2.safetensors', second);
  const end = new AbortController();
  let [before, reads, taken] = [0, 0, 0];
  const { problems } = await folder.watch({
    once: false,
    signal: end.signal,
    onCheckpoint: () => {
      taken += 1;
      before = storage.packReads;
      if (taken === 1) meanwhile(first, 0);
      // Or else it would go on with the first one, which is another now.
      else end.abort();
    },
    onProgress: ({ phase, bytesRead }) => {
      if (phase !== 'save' || taken !== 1) return;
      reads = storage.packReads - before;
      meanwhile(first, bytesRead);
    },
  });
  expect(problems).toEqual([]);
  const { height } = await folder.store.show('r');
  const out = scratchFolder();
  await folder.store.restoreFiles('r', { out });
  expect(readFileSync(join(out, 'step-2.safetensors')).equals(second)).toBe(true);
  return { reads, height };
}

test('nothing of it is read from the store', async () => {
  expect(await readsOfSecond(() => {})).toEqual({ reads: 0, height: 1 });
});

test.each<[string, (first: string, bytesRead: number) => void]>([
  ['deleted', (first) => rmSync(first, { force: true })],
  ['overwritten', (first, bytesRead) => bytesRead === 0 && writeFileSync(first, weights(7, ELEMENTS))],
  [
    'overwritten while it is read',
    (first, bytesRead) => bytesRead > 0 && writeFileSync(first, weights(7, ELEMENTS)),
  ],
  ['cut off while it is read', (first, bytesRead) => bytesRead > 0 && writeFileSync(first, 'short')],
])('it is read from the store if its file was %s', async (_, meanwhile) => {
  const { reads, height } = await readsOfSecond(meanwhile);
  expect(reads).toBeGreaterThan(0);
  expect(height).toBe(1);
});
