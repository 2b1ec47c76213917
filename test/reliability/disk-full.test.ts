/**
 * A disk that fills up during a save, at every point of it. Seen to fail when `ObjectWriter.discard` deletes nothing (the
 * space does not come back), when `onFullDisk` does not give up the reserve (forget fails), and when `StagedFiles.discard`
 * leaves its files.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createStore, type Store } from '../../src/index.js';
import { randomBytes, safetensors, writeTree } from '../engine/folders.js';
import { randomNumbers } from '../engine/training-state.js';
import { SmallDisk, SmallStorage } from './small-disk.js';

const FULL = { kind: 'unavailable', code: 'disk-full' };
const UNTRIED = 'not tried on a real full disk: this user cannot mount a tmpfs';

/** States of 512 KiB, or of 64 KiB in step 4, that do not compress. */
const STATES = [0, 1, 2, 3, 4].map((step) => ({
  model: { w: randomBytes(step === 4 ? 2 ** 16 : 2 ** 19, step) },
  progress: { step },
}));

/** Saves, and returns whether it fitted; what does not fit is an error of its own that leaves nothing. */
async function trySave(store: Store, step: number): Promise<boolean> {
  try {
    await (await store.run('r').save(STATES[step])).committed;
    return true;
  } catch (error) {
    expect(error).toMatchObject(FULL);
    return false;
  }
}

async function assertSound(store: Store, steps: readonly number[]): Promise<void> {
  expect(await store.check({ readData: 100 })).toMatchObject({ damaged: [], checkpoints: steps.length });
  for (const step of steps) {
    const { model } = (await store.run('r').restore(`step:${step}`)) as (typeof STATES)[number];
    expect(Buffer.compare(model.w, STATES[step].model.w)).toBe(0);
  }
}

test('with an end at any byte of a save: it fits, or takes no space at all; forget and gc then make room', async () => {
  let refused = 0;
  for (let room = 0; room < 600_000; room += 24_611) {
    const storage = new SmallStorage();
    const store = await createStore(storage, { chunkElements: 65_536, workers: 0 });
    await trySave(store, 1);
    await trySave(store, 2);
    const used = await storage.used();
    storage.capacity = used + room;
    const fitted = await trySave(store, 3);
    if (!fitted) expect(await storage.used()).toBe(used);
    refused += fitted ? 0 : 1;
    await assertSound(store, fitted ? [1, 2, 3] : [1, 2]);
    storage.capacity = await storage.used();
    await store.forget({ refs: ['r'] });
    await store.gc();
    expect(await trySave(store, 4)).toBe(true);
    await assertSound(store, fitted ? [1, 2, 4] : [1, 4]);
  }
  expect(refused).toBeGreaterThan(15);
});

describe('on a real file system of 12 MiB', () => {
  let disk: SmallDisk | undefined;
  let other: SmallDisk | undefined;
  beforeAll(() => {
    disk = SmallDisk.mount(12 * 2 ** 20);
    other = disk && SmallDisk.mount(2 ** 20);
  });
  afterAll(() => {
    disk?.unmount();
    other?.unmount();
  });

  test('the same, with any number of bytes left', async (context) => {
    if (disk === undefined) return context.skip(UNTRIED);
    for (const [number, room] of [0, 9000, 20_000, 300_000, 2 ** 19, 540_000, 900_000].entries()) {
      const store = await createStore(join(disk.path, `store-${number}`), { workers: 0 });
      await trySave(store, 1);
      await trySave(store, 2);
      disk.fill(room);
      const free = disk.free;
      const fitted = await trySave(store, 3);
      expect(fitted).toBe(room > 600_000);
      if (!fitted) expect(free - disk.free).toBeLessThanOrEqual(4 * 4096);
      await assertSound(store, fitted ? [1, 2, 3] : [1, 2]);
      disk.fill(0);
      expect(disk.free).toBe(0);
      await store.forget({ refs: ['r'] });
      await store.gc();
      expect(disk.free).toBeGreaterThan(500_000);
      expect(await trySave(store, 4)).toBe(true);
      await assertSound(store, fitted ? [1, 2, 4] : [1, 4]);
      disk.unfill();
      await store.gc();
      expect(await readdir(store.location)).toContain('reserve');
      await store.close();
      await rm(store.location, { recursive: true });
    }
  });

  test('a restore or an export that does not fit leaves no file', async (context) => {
    if (disk === undefined || other === undefined) return context.skip(UNTRIED);
    const next = randomNumbers(7);
    const weights = Float32Array.from({ length: 150_000 }, () => next());
    const files = join(disk.path, 'files');
    await mkdir(files);
    await writeTree(files, {
      'a.safetensors': safetensors({ a: weights }),
      'b.safetensors': safetensors({ b: weights }),
    });
    const store = await createStore(join(disk.path, 'files-store'), { workers: 0 });
    await store.saveFiles([files], { run: 'f' });
    const out = join(other.path, 'out');
    await expect(store.restoreFiles('f', { out })).rejects.toMatchObject(FULL);
    await expect(store.restoreFiles('f', { out, tensors: '*' })).rejects.toMatchObject(FULL);
    for (const shardSize of [undefined, 400_000])
      await expect(store.export('f', { out, ...(shardSize && { shardSize }) })).rejects.toMatchObject(FULL);
    expect(await readdir(other.path)).toEqual([]);
    await store.close();
  });
});
