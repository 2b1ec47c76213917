/** Of a checkpoint that was stored only its files are kept. Seen to fail when the plan itself is: a hundred of them took 70 MB more. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { LoadedManifest, SavePlan } from '../../src/checkpoints/index.js';
import type { StoreConfig } from '../../src/format/index.js';
import { ChunkFiles } from '../../src/lifecycle/chunk-files.js';

async function nothing(): Promise<void> {}

/** Adds a plan that was predicted from something; returns whether that is still there. */
function addPredicted(files: ChunkFiles): WeakRef<object> {
  const before = { parts: () => undefined };
  // Closures of its own scope would keep it, too.
  const plan = { sources: [], assertUnchanged: nothing, close: nothing };
  const predicted = { ...plan, baseParts: () => before.parts() } as unknown as SavePlan;
  const loaded = { layout: { streams: [] }, content: { streams: [] } } as unknown as LoadedManifest;
  files.add(predicted, loaded, {} as StoreConfig);
  return new WeakRef(before);
}

test('what a checkpoint was predicted from is not kept along with its files', async () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const files = new ChunkFiles();
  const before = addPredicted(files);
  await sleep(1);
  collect();
  expect(before.deref()).toBeUndefined();
  expect(await files.forgetChanged()).toEqual([]);
});
