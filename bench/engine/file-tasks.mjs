/** Files to save, written by processes of their own, and reads of single tensors. */
import { join } from 'node:path';
import { openStore } from '../../dist/index.js';
import { stateTensors, writeMostlyHoles, writeSafetensors, writeTorchFile } from '../checkpoint-files.mjs';
import { secondsUntil } from '../harness.mjs';
import { adamwFar, initialise, Noise } from '../training-law.mjs';
import { storeOptions } from './store-options.mjs';
import { TrainingState } from './training-state.mjs';

/** Elements of a tensor of 4 MiB. */
const PROBE_ELEMENTS = 2 ** 20;

/** Writes a checkpoint, the one a step later and the one a hundred steps later: base, one and far. */
export async function writeFiles({ folder, gib, format }) {
  const state = new TrainingState(gib);
  for (const [name, steps] of [
    ['base', 0],
    ['one', 1],
    ['far', 99],
  ]) {
    state.advance(steps);
    const path = join(folder, `${name}.${format}`);
    if (format === 'pth') writeTorchFile(path, state);
    else writeSafetensors(path, stateTensors(state));
  }
  return { bytes: state.bytes };
}

/** Writes three large files in which only one tensor changes. */
export async function writeProbes({ folder, bytes }) {
  const [w, m, v] = [0, 1, 2].map(() => new Float32Array(PROBE_ELEMENTS));
  const noise = new Noise(7);
  initialise({ w, m, v }, noise, 0.02);
  for (const name of ['probe-0', 'probe-1', 'probe-2']) {
    writeMostlyHoles(join(folder, `${name}.safetensors`), bytes, w);
    adamwFar({ w, m, v }, noise, 10);
  }
  return {};
}

/** Seconds to read one tensor of an open store, again and again, and to open the store. */
export async function readProbe({ folder, rounds, workers }) {
  const path = join(folder, 'store');
  const [opened, read] = [[], []];
  for (let round = 0; round < rounds + 1; round++) {
    let store;
    opened.push(
      await secondsUntil(async () => {
        store = await openStore(path, storeOptions({ workers }));
      }),
    );
    read.push(
      await secondsUntil(async () => {
        const { data } = await store.readTensor('bench', 'probe');
        if (data.length !== 4 * PROBE_ELEMENTS) throw new Error('not the tensor that was asked for');
      }),
    );
    await store.close();
  }
  // The first round also compiles; a process that reads tensors has done so long ago.
  return { first: read[0], read: read.slice(1), opened: opened.slice(1) };
}
