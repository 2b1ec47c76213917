/**
 * Files that are stored in unpacked form, the whole way: saved, restored, verified, damaged, looked after. Seen to fail when the digest is
 * taken of the unpacked form (restores), when scratch files are not removed, when `rewriteManifest` forgets that files are unpacked
 * (compaction), and when a watch compares the decoded form with the file.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { estimateFiles, keep, MemoryStorage, type SaveResult, type Store } from '../../src/index.js';
import { DamagedStorage } from '../maintenance/damaged-storage.js';
import { scratchFolder } from '../reliability/scratch-folder.js';
import { WatchedFolder } from '../watch/watched-folder.js';
import { parseSafetensors, readTree } from './folders.js';
import { makeStore, openAgain, sizesOf } from './make-store.js';

const ORBAX = fileURLToPath(new URL('../../fixtures/orbax/', import.meta.url));
const STEPS = [20, 21];
/** A folder for scratch files that nothing else uses. */
let scratch: string;
let before: string | undefined;

beforeEach(() => {
  scratch = scratchFolder();
  before = process.env.TMPDIR;
  process.env.TMPDIR = scratch;
});
afterEach(() => {
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
});

interface Saved {
  store: Store;
  storage: MemoryStorage;
  results: SaveResult[];
}

async function saveSteps(storage = new MemoryStorage()): Promise<Saved> {
  const { store } = await makeStore(storage);
  const results: SaveResult[] = [];
  for (const step of STEPS) results.push(await store.saveFiles([join(ORBAX, `step-${step}`)], { run: 'r' }));
  return { store, storage, results };
}

async function expectRestored(store: Store, step: number, ref = `r@step:${step}`): Promise<void> {
  const out = join(scratchFolder(), 'out');
  await store.restoreFiles(ref, { out });
  expect(await readTree(join(out, `step-${step}`))).toEqual(await readTree(join(ORBAX, `step-${step}`)));
}

/** The tensors of a step, as JAX has them. */
function expected(step: number): Record<string, Uint8Array> {
  return bytesByName(readFileSync(join(ORBAX, `step-${step}.safetensors`)));
}

function bytesByName(file: Uint8Array): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(parseSafetensors(file)).map(([name, { bytes }]) => [name, bytes]));
}

describe('a checkpoint of Orbax', () => {
  test('comes back byte for byte, with the permissions and the step it has', async () => {
    const { store, results } = await saveSteps();
    expect(results.map(({ step, warnings }) => ({ step, warnings }))).toEqual(
      STEPS.map((step) => ({ step, warnings: [] })),
    );
    for (const step of STEPS) await expectRestored(store, step);
    expect((await store.check({ readData: 100 })).damaged).toEqual([]);
  });

  test('has the tensors that were trained, each once and under the same names at every step', async () => {
    const { store } = await saveSteps();
    for (const step of STEPS) {
      const { tensors } = await store.show(`r@step:${step}`);
      expect(tensors.map(({ name }) => name)).toEqual(Object.keys(expected(step)).sort());
      for (const [name, bytes] of Object.entries(expected(step))) {
        const { data } = await store.readTensor(`r@step:${step}`, name);
        expect(Buffer.from(data.buffer, data.byteOffset, data.byteLength).equals(bytes), name).toBe(true);
      }
    }
  });

  test('is stored as it is where there is no room to unpack it, with a warning, and comes back all the same', async () => {
    process.env.TMPDIR = join(scratch, 'missing');
    const { store, results } = await saveSteps();
    expect(results[0].warnings[0]).toMatchObject({ code: 'no-scratch' });
    const { files } = await store.show('r');
    expect(new Set(files.map(({ format }) => format))).toEqual(new Set(['opaque']));
    process.env.TMPDIR = scratch;
    await expectRestored(store, 20, 'r~1');
    await expectRestored(store, 21, 'r');
  });

  test('without a node that says what is in its files is stored as it is', async () => {
    const folder = scratchFolder();
    const { store } = await makeStore();
    const big = readdirSync(join(ORBAX, 'step-20/ocdbt.process_0/d')).map((name) => ({
      name,
      bytes: readFileSync(join(ORBAX, 'step-20/ocdbt.process_0/d', name)),
    }));
    const [{ name, bytes }] = big.filter((file) => file.bytes[0] === 0x28);
    mkdirSync(join(folder, 'd'));
    const end = bytes.indexOf(Buffer.from([0x0c, 0xdb, 0x20, 0xde]));
    writeFileSync(join(folder, 'd', name), end < 0 ? bytes : bytes.subarray(0, end));
    expect((await store.saveFiles([join(folder, 'd')], { run: 'r' })).warnings).toEqual([]);
    expect((await store.show('r')).files.map(({ format }) => format)).toEqual(['opaque']);
  });

  test('with a damaged node is stored with a warning, and comes back all the same', async () => {
    const folder = join(scratchFolder(), 'step-20');
    cpSync(join(ORBAX, 'step-20'), folder, { recursive: true });
    const node = join(folder, 'd', readdirSync(join(folder, 'd'))[0]);
    const bytes = readFileSync(node);
    // In the literals of its frame: keys and lengths.
    bytes.fill(0x55, 200, 260);
    writeFileSync(node, bytes);
    const { store } = await makeStore();
    await store.saveFiles([folder], { run: 'r' });
    const out = join(scratchFolder(), 'out');
    await store.restoreFiles('r', { out });
    expect(await readTree(join(out, 'step-20'))).toEqual(await readTree(folder));
  });
});

describe('scratch files', () => {
  test('are gone after a save, after one that fails, and after one that is aborted', async () => {
    const { store } = await saveSteps();
    expect(readdirSync(scratch)).toEqual([]);
    await expect(store.saveFiles([join(ORBAX, 'step-20')], { run: 'bad/name' })).rejects.toThrow();
    expect(readdirSync(scratch)).toEqual([]);
    const abort = new AbortController();
    const saving = store.saveFiles([join(ORBAX, 'step-20')], {
      run: 'other',
      signal: abort.signal,
      onProgress: () => abort.abort(),
    });
    await expect(saving).rejects.toMatchObject({ kind: 'aborted' });
    expect(readdirSync(scratch)).toEqual([]);
  });

  test('of restores are gone too, also of one that fails', async () => {
    const memory = new MemoryStorage();
    await saveSteps(memory);
    const storage = new DamagedStorage(memory);
    const store = await openAgain(storage);
    for (const key of (await sizesOf(memory)).keys()) if (key.startsWith('packs/')) storage.flipRecord(key);
    const out = join(scratchFolder(), 'out');
    await expect(store.restoreFiles('r', { out })).rejects.toMatchObject({ kind: 'corrupt' });
    expect(await readTree(join(out, '..'))).toEqual({});
  });
});

describe('what else is done with a checkpoint', () => {
  test('files that are there already are left alone, others need force', async () => {
    const { store } = await saveSteps();
    const out = join(scratchFolder(), 'out');
    expect((await store.restoreFiles('r', { out })).files.length).toBeGreaterThan(5);
    expect((await store.restoreFiles('r', { out })).files).toEqual([]);
    const [name] = readdirSync(join(out, 'step-21/d'));
    writeFileSync(join(out, 'step-21/d', name), 'other');
    await expect(store.restoreFiles('r', { out })).rejects.toMatchObject({ code: 'file-exists' });
    expect((await store.restoreFiles('r', { out, force: true })).files).toEqual([`step-21/d/${name}`]);
    expect(await readTree(join(out, 'step-21'))).toEqual(await readTree(join(ORBAX, 'step-21')));
  });

  test('compaction, collection, repair and forks keep it', async () => {
    const { store } = await saveSteps();
    await store.fork('r', 'fork');
    await store.compact();
    await store.gc();
    await store.repair();
    for (const step of STEPS) await expectRestored(store, step);
    expect((await store.check({ readData: 100 })).damaged).toEqual([]);
    expect((await store.show('fork')).tensors).toHaveLength(20);
  });

  test('tensors are restored, exported and compared', async () => {
    const { store } = await saveSteps();
    const out = join(scratchFolder(), 'out');
    const { files } = await store.restoreFiles('r@step:20', { out, tensors: 'params.*' });
    const found = bytesByName(readFileSync(join(out, files[0])));
    expect(Object.keys(found)).toHaveLength(6);
    for (const [name, bytes] of Object.entries(found)) expect(bytes).toEqual(expected(20)[name]);
    const { tensors } = await store.diff('r@step:20', 'r@step:21');
    expect(tensors.filter(({ change }) => change === 'changed').length).toBeGreaterThan(10);
  });

  test('with moments dropped the weights are left, and the files are not offered', async () => {
    const { store } = await saveSteps();
    await store.forget({ run: 'r', keep: [keep.last(1), keep.groups(['model']).last(5)] });
    await store.compact();
    await store.gc();
    await expect(
      store.restoreFiles('r@step:20', { out: join(scratchFolder(), 'out') }),
    ).rejects.toMatchObject({
      code: 'group-dropped',
    });
    const { data } = await store.readTensor('r@step:20', 'params.Dense_0.kernel');
    expect(Buffer.from(data.buffer).equals(expected(20)['params.Dense_0.kernel'])).toBe(true);
    await expectRestored(store, 21);
  });

  test('an estimate agrees with saving', async () => {
    const folder = scratchFolder();
    for (const step of STEPS)
      cpSync(join(ORBAX, `step-${step}`), join(folder, String(step)), { recursive: true });
    const { checkpoints, problems } = await estimateFiles(folder);
    expect(problems).toEqual([]);
    const { store } = await makeStore(undefined, { chunkElements: 262_144 });
    for (const { source, storedBytes } of checkpoints) {
      const real = await store.saveFiles([join(folder, source)], { run: 'r' });
      expect(Math.abs(real.storedBytes - storedBytes)).toBeLessThan(64);
    }
    expect(checkpoints).toHaveLength(2);
    expect(readdirSync(scratch)).toEqual([]);
  });

  test('a watch takes it in, reads it back and deletes it', async () => {
    const folder = await WatchedFolder.make();
    onTestFinished(() => rmSync(folder.path, { recursive: true, force: true }));
    for (const step of STEPS)
      cpSync(join(ORBAX, `step-${step}`), join(folder.path, String(step)), { recursive: true });
    const { taken, problems } = await folder.watch({ removeSourceFiles: true });
    expect(problems).toEqual([]);
    expect(taken.map(({ verified, removed }) => ({ verified, removed }))).toEqual([
      { verified: true, removed: true },
      { verified: true, removed: true },
    ]);
    expect(readdirSync(folder.path)).toEqual([]);
    const out = join(scratchFolder(), 'out');
    await folder.store.restoreFiles('r@step:21', { out });
    expect(await readTree(join(out, '21'))).toEqual(await readTree(join(ORBAX, 'step-21')));
    expect(readdirSync(scratch)).toEqual([]);
  });
});
