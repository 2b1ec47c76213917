/**
 * Exports as files. Seen to fail when `publish` leaves out an equal index although it was taken away (a model without index), when
 * `otherModelFiles` finds nothing (an old model.safetensors stays beside new shards), when `placeChunks` does not scale positions of converted
 * chunks, and when `StagedFiles.discard` leaves its files.
 */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { MemoryStorage, openStore, type Store } from '../../src/index.js';
import { DamagedStorage } from '../maintenance/damaged-storage.js';
import { makeFolder, parseSafetensors, readTree, safetensors, writeTree } from './folders.js';
import { makeStore, openAgain, sizesOf } from './make-store.js';
import { trainingState } from './training-state.js';

let storage: MemoryStorage;
let store: Store;
let folder: string;
let out: string;

beforeEach(async () => {
  folder = await makeFolder();
  out = join(folder, 'out');
  storage = new MemoryStorage();
  store = (await makeStore(storage)).store;
  for (const step of [1, 2]) await (await store.run('r').save(trainingState(step))).committed;
});

/** Reads all tensors of a folder's safetensors files. */
async function tensorsIn(place: string) {
  const files = Object.entries(await readTree(place)).filter(([name]) => name.endsWith('.safetensors'));
  return Object.assign({}, ...files.map(([, bytes]) => parseSafetensors(bytes))) as ReturnType<
    typeof parseSafetensors
  >;
}

function bytesOf(view: unknown): Uint8Array {
  if (!ArrayBuffer.isView(view)) throw new Error('no array');
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}

test('a file that is called as its extension', async () => {
  await store.export('r', { out: join(folder, '.safetensors') });
  expect(await readdir(folder)).toEqual(['.safetensors']);
});

describe('a folder', () => {
  test('gets one file with all tensors under their full names', async () => {
    const result = await store.export('r', { out });
    expect(result).toMatchObject({
      run: 'r',
      step: 2,
      files: ['model.safetensors'],
      tensors: 6,
      tied: {},
      droppedGroups: [],
    });
    expect((await stat(join(out, 'model.safetensors'))).size).toBe(result.bytes);
    const tensors = await tensorsIn(out);
    const { model, optimizer } = trainingState(2);
    expect(tensors['model.weight']).toEqual({ dtype: 'F32', shape: [4196], bytes: bytesOf(model.weight) });
    expect(tensors['model.embedding']).toMatchObject({ dtype: 'BF16', shape: [64, 32] });
    expect(Object.keys(tensors)).toContain('optimizer.state.0.exp_avg');
    expect(optimizer).toBeDefined();
  });

  test('gets the model alone, in shards with an index, under the names of the model', async () => {
    const { files } = await store.export('r', { out, groups: ['model'], shardSize: 16_000 });
    expect(files).toEqual([
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ]);
    expect((await readdir(out)).sort()).toEqual(files);
    const tensors = await tensorsIn(out);
    expect(Object.keys(tensors).sort()).toEqual(['bias', 'embedding', 'frozen', 'scale', 'weight']);
    expect(tensors.frozen.bytes).toEqual(bytesOf(trainingState(2).model.frozen));
    const index = JSON.parse(await readFile(join(out, 'model.safetensors.index.json'), 'utf8'));
    expect(Object.keys(index.weight_map).sort()).toEqual(Object.keys(tensors).sort());
  });

  test('gets what the globs want, by the names of show', async () => {
    await store.export('r', {
      out,
      include: ['model.*', 'optimizer.*'],
      exclude: ['*.weight', 'model.?ias'],
      fullNames: true,
    });
    expect(Object.keys(await tensorsIn(out)).sort()).toEqual([
      'model.embedding',
      'model.frozen',
      'model.scale',
      'optimizer.state.0.exp_avg',
    ]);
    await expect(store.export('r', { out, include: ['no.such'] })).rejects.toMatchObject({
      kind: 'not-found',
      code: 'no-such-tensor',
    });
  });

  test('gets floats in another type, the rest as it is', async () => {
    const state = {
      model: {
        wide: Float64Array.of(1 / 3, Number.NaN),
        long: Float32Array.from({ length: 5000 }, (_, at) => at / 7),
        half: { dtype: 'f16' as const, shape: [2], data: Uint16Array.of(0x3c00, 0x7bff) },
        count: BigInt64Array.of(7n),
        mask: { dtype: 'bool' as const, shape: [3], data: Uint8Array.of(1, 0, 1) },
        tiny: { dtype: 'f8e4m3' as const, shape: [2], data: Uint8Array.of(1, 2) },
      },
    };
    await (await store.run('types').save(state)).committed;
    await store.export('types', { out, dtype: 'bf16' });
    const { wide, long, half, count, mask, tiny } = await tensorsIn(out);
    expect(new Uint16Array(wide.bytes.buffer)).toEqual(Uint16Array.of(0x3eab, 0x7fc0));
    const expected = Uint16Array.from(state.model.long, (value) => {
      const [word] = new Uint32Array(Float32Array.of(value).buffer);
      return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
    });
    expect(new Uint16Array(long.bytes.buffer)).toEqual(expected);
    expect(new Uint16Array(half.bytes.buffer)).toEqual(Uint16Array.of(0x3f80, 0x4780));
    expect([wide, long, half].map(({ dtype }) => dtype)).toEqual(['BF16', 'BF16', 'BF16']);
    expect([count.dtype, mask.dtype, tiny.dtype]).toEqual(['I64', 'BOOL', 'F8_E4M3']);
    expect(count.bytes).toEqual(bytesOf(state.model.count));
  });

  test('gets tensors in the order of their rows where they were saved by columns, converted or not', async () => {
    const [rows, columns] = [3, 700];
    const header = `{'descr': '<f4', 'fortran_order': True, 'shape': (${rows}, ${columns}), }`.padEnd(
      117,
      ' ',
    );
    const values = Float32Array.from({ length: rows * columns }, (_, at) => at);
    const npy = Buffer.concat([
      Buffer.from('\x93NUMPY\x01\x00v\x00', 'latin1'),
      Buffer.from(`${header}\n`),
      bytesOf(values),
    ]);
    await writeTree(folder, { 'by-column.npy': npy });
    await store.saveFiles([join(folder, 'by-column.npy')], { run: 'np' });
    const byRow = Float32Array.from(
      { length: rows * columns },
      (_, at) => (at % columns) * rows + Math.floor(at / columns),
    );
    for (const dtype of [undefined, 'f16'] as const) {
      const place = join(folder, dtype ?? 'as-it-is');
      await store.export('np', { out: place, ...(dtype && { dtype }) });
      const [tensor] = Object.values(await tensorsIn(place));
      expect(tensor.shape).toEqual([rows, columns]);
      if (dtype === undefined) expect(tensor.bytes).toEqual(bytesOf(byRow));
      // Every number up to 2048 is a half; 1024 is 0x6400.
      else expect(new DataView(tensor.bytes.buffer).getUint16(2 * byRow.indexOf(1024), true)).toBe(0x6400);
    }
  });
});

describe('what is there already', () => {
  const sharded = { groups: ['model' as const], shardSize: 16_000 };

  test('is left alone if it is the same', async () => {
    await store.export('r', { out, ...sharded });
    const path = join(out, 'model-00001-of-00002.safetensors');
    const { ino, mtimeMs } = await stat(path);
    expect(await store.export('r', { out, ...sharded })).toMatchObject({ files: [] });
    expect(await stat(path)).toMatchObject({ ino, mtimeMs });
  });

  test('is a conflict if it is another model, in whatever files; nothing changes', async () => {
    await store.export('r', { out, ...sharded });
    const before = await readTree(out);
    for (const options of [{ ...sharded }, { groups: sharded.groups }, { ...sharded, shardSize: 9000 }]) {
      const conflict = { kind: 'conflict', code: 'file-exists' };
      await expect(store.export('r@step:1', { out, ...options })).rejects.toMatchObject(conflict);
      expect(await readTree(out)).toEqual(before);
    }
  });

  test('goes if it is of another model and force is used; other files stay', async () => {
    await store.export('r', { out, ...sharded });
    await writeFile(join(out, 'config.json'), '{}');
    await store.export('r@step:1', { out, groups: ['model'], force: true });
    expect((await readdir(out)).sort()).toEqual(['config.json', 'model.safetensors']);
    await store.export('r', { out, ...sharded, force: true });
    expect((await readdir(out)).sort()).toEqual([
      'config.json',
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ]);
    const { files } = await store.export('r@step:1', { out, ...sharded, force: true });
    expect(files).toContain('model-00001-of-00002.safetensors');
    expect(await readdir(out)).toContain('model.safetensors.index.json');
    expect((await tensorsIn(out)).weight.bytes).toEqual(bytesOf(trainingState(1).model.weight));
  });

  test('a file is one target: other files of its folder are not looked at', async () => {
    await store.export('r', { out, ...sharded });
    const path = join(out, 'other.safetensors');
    expect(await store.export('r', { out: path })).toMatchObject({ files: ['other.safetensors'] });
    await expect(store.export('r@step:1', { out: path })).rejects.toMatchObject({ kind: 'conflict' });
    await store.export('r@step:1', { out: path, force: true });
    expect(parseSafetensors(new Uint8Array(await readFile(path)))['model.weight'].bytes).toEqual(
      bytesOf(trainingState(1).model.weight),
    );
    await expect(store.export('r', { out: path, shardSize: 10 })).rejects.toMatchObject({ kind: 'invalid' });
  });
});

describe('what cannot be exported leaves nothing', () => {
  test('an element type that safetensors lacks', async () => {
    await (
      await store.run('c').save({ model: { w: { dtype: 'c128', shape: [1], data: new Float64Array(2) } } })
    ).committed;
    await expect(store.export('c', { out })).rejects.toMatchObject({ kind: 'unsupported', object: 'w' });
    expect(await readdir(folder)).toEqual([]);
  });

  test('damage', async () => {
    const damaged = new DamagedStorage(storage);
    for (const [key, size] of await sizesOf(storage))
      if (key.startsWith('packs/')) damaged.flip(key, Math.floor(size / 2));
    const again = await openAgain(damaged);
    await expect(again.export('r', { out, shardSize: 9000 })).rejects.toMatchObject({ kind: 'corrupt' });
    expect(await readdir(folder)).toEqual([]);
  });

  test('an abort', async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    const stopped = store.export('r', { out, shardSize: 9000, signal: controller.signal, onProgress });
    await expect(stopped).rejects.toMatchObject({ kind: 'aborted' });
    expect(await readdir(folder)).toEqual([]);
  });
});

test('of a checkpoint that lost groups, what is left is exported, and what is gone is said', async () => {
  await store.forget({ refs: ['r'], keepGroups: ['model'] });
  expect(await store.export('r', { out })).toMatchObject({ tensors: 5, droppedGroups: ['optimizer'] });
  expect(await store.export('r', { out: join(folder, 'b'), groups: ['model'] })).toMatchObject({
    droppedGroups: [],
  });
  const gone = store.export('r', { out: join(folder, 'c'), groups: ['optimizer'] });
  await expect(gone).rejects.toMatchObject({ code: 'group-dropped' });
});

test('the same bytes come out after compaction, and of any number of threads', async () => {
  await store.export('r', { out, shardSize: 9000 });
  const before = await readTree(out);
  await store.compact();
  await store.gc();
  for (const workers of [0, 3]) {
    const other = await openStore(storage, { workers });
    const place = join(folder, `threads-${workers}`);
    await other.export('r', { out: place, shardSize: 9000 });
    expect(await readTree(place)).toEqual(before);
    await other.close();
  }
});

test('a file of safetensors comes out with the names and values that it had', async () => {
  const tensors = { 'model.embed': Float32Array.of(1, 2), 'model.out': new Float32Array(3000).fill(3) };
  await writeTree(folder, { 'in/model.safetensors': safetensors(tensors) });
  await store.saveFiles([join(folder, 'in')], { run: 'hf' });
  await store.export('hf', { out });
  expect(await tensorsIn(out)).toEqual(parseSafetensors(safetensors(tensors)));
});
