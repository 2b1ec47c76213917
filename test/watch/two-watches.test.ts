/**
 * Two watches of one folder: each checkpoint is stored once. Seen to fail when the save does not ask before its commit (the first test), and
 * when the ledger is not updated before a checkpoint is planned (the second: it is read though it is there).
 */
import { expect, test } from 'vitest';
import { MemoryStorage, openStore, type WatchResult } from '../../src/index.js';
import { TestEnvironment } from '../engine/make-store.js';
import { WatchedFolder } from './watched-folder.js';

/** Lets something happen once, before a save puts its manifest. */
class GatedStorage extends MemoryStorage {
  beforeManifest: (() => Promise<unknown>) | undefined;

  override async putIfAbsent(...args: Parameters<MemoryStorage['putIfAbsent']>): Promise<boolean> {
    const { beforeManifest } = this;
    if (beforeManifest !== undefined && args[0].startsWith('manifests/')) {
      this.beforeManifest = undefined;
      await beforeManifest();
    }
    return super.putIfAbsent(...args);
  }
}

test('the later one sees when it commits that the checkpoint is there', async () => {
  const storage = new GatedStorage();
  const folder = await WatchedFolder.make(storage);
  for (const step of [1, 2]) await folder.write(`step-${step}.safetensors`, step);
  const other = await openStore(storage, { environment: new TestEnvironment(2), workers: 0 });
  let others: WatchResult | undefined;
  storage.beforeManifest = async () => {
    others = await other.watch(folder.path, { run: 'r', once: true, settleMs: 0 });
  };
  const { result, problems } = await folder.watch();
  expect(others).toMatchObject({ taken: 2, present: 0, problems: [] });
  expect(result).toMatchObject({ taken: 0, present: 2, problems: [] });
  expect(problems).toEqual([]);
  expect(await folder.stored()).toEqual([
    { source: 'step-1.safetensors', step: 1 },
    { source: 'step-2.safetensors', step: 2 },
  ]);
  expect((await folder.store.check({ readData: 100 })).damaged).toEqual([]);
  await other.close();
});

test('what the other one has stored is not read again', async () => {
  const storage = new MemoryStorage();
  const folder = await WatchedFolder.make(storage);
  await folder.write('step-1.safetensors', 1);
  const other = await openStore(storage, { environment: new TestEnvironment(2), workers: 0 });
  // This watch knows what was there when it began; the other one is done before the files have been quiet for long enough.
  folder.time.at(1, async () => {
    await other.watch(folder.path, { run: 'r', once: true, settleMs: 0 });
  });
  let saves = 0;
  const seen = await folder.watch({
    until: 20,
    onProgress: ({ phase }) => {
      if (phase === 'save') saves += 1;
    },
  });
  expect(seen.result).toMatchObject({ taken: 0, present: 1, problems: [] });
  expect(saves).toBe(0);
  await other.close();
});
