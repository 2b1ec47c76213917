/** When a watch takes a checkpoint, by a clock that the tests turn. */
import { appendFileSync } from 'node:fs';
import { appendFile, open, readdir, rename, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MemoryStorage, ThetalogError } from '../../src/index.js';
import { WatchedFolder, weights } from './watched-folder.js';

const sources = (seen: { taken: { source: string }[] }) => seen.taken.map(({ source }) => source);

describe('a checkpoint is taken once it is whole', () => {
  test('three seconds after its last change, not before', async () => {
    const folder = await WatchedFolder.make();
    const bytes = weights(1);
    const path = join(folder.path, 'step-1.bin');
    for (let part = 0; part < 4; part++)
      folder.time.at(part * 2, () => appendFile(path, bytes.subarray(part * 3026, (part + 1) * 3026)));
    const seen = await folder.watch({ until: 12 });
    expect(seen.taken).toMatchObject([{ source: 'step-1.bin', logicalBytes: bytes.length, verified: true }]);
    // Seen at 7 s (a look each second), as it has been since 6 s.
    expect(seen.taken[0].at).toBeGreaterThanOrEqual(9);
    expect(seen.problems).toEqual([]);
  });

  test('by rename: never under its temporary name', async () => {
    const folder = await WatchedFolder.make();
    await folder.write('step-1.pth.tmp', 1);
    await folder.write('tmp-checkpoint-2/model.safetensors', 2);
    folder.time.at(20, () => rename(join(folder.path, 'step-1.pth.tmp'), join(folder.path, 'step-1.pth')));
    const seen = await folder.watch({ until: 30 });
    expect(sources(seen)).toEqual(['step-1.pth']);
    expect(seen.taken[0].at).toBeGreaterThan(22);
  });

  test('a folder whose files come one by one is one checkpoint, with all of them', async () => {
    const folder = await WatchedFolder.make();
    for (const [at, name] of ['model.safetensors', 'optimizer.bin', 'config.json'].entries())
      folder.time.at(at * 2, () => folder.write(`checkpoint-5/${name}`, at));
    const seen = await folder.watch({ until: 15 });
    expect(sources(seen)).toEqual(['checkpoint-5']);
    expect((await folder.store.show('r')).files).toHaveLength(3);
  });

  test('not while a temporary file is in it, or some of its parts are missing', async () => {
    const folder = await WatchedFolder.make();
    await folder.write('checkpoint-1/model.safetensors', 1);
    await folder.write('checkpoint-1/optimizer.bin.tmp', 1);
    await folder.write('model-00001-of-00002.safetensors', 1);
    const { result } = await folder.watch();
    expect(result.problems.map(({ error }) => error.message)).toEqual([
      'checkpoint-1 is not complete: checkpoint-1/optimizer.bin.tmp is a temporary file.',
      'model.safetensors is not complete: 1 of 2 parts are there.',
    ]);
    await rm(join(folder.path, 'checkpoint-1/optimizer.bin.tmp'));
    await folder.write('model-00002-of-00002.safetensors', 2);
    expect(sources(await folder.watch())).toEqual(['checkpoint-1', 'model.safetensors']);
  });

  test.runIf(process.platform === 'linux')('not while a process has it open for writing', async () => {
    const folder = await WatchedFolder.make();
    await folder.write('step-1.pth', 1);
    const writer = await open(join(folder.path, 'step-1.pth'), 'r+');
    const reader = await open(join(folder.path, 'step-1.pth'), 'r');
    const { result, problems } = await folder.watch();
    expect(result).toMatchObject({ taken: 0, problems: [{ error: { code: 'incomplete' }, retry: 'never' }] });
    expect(problems[0].error.message).toContain('a process is writing it');
    await writer.close();
    expect(sources(await folder.watch())).toEqual(['step-1.pth']);
    await reader.close();
  });

  test('never cut off, however long nothing changes: told once, taken when the rest has come', async () => {
    const folder = await WatchedFolder.make();
    await folder.write('step-1.safetensors', weights(1).subarray(0, 5000));
    folder.time.at(60, () => folder.write('step-1.safetensors', 1));
    const seen = await folder.watch({ until: 90 });
    expect(seen.problems).toMatchObject([
      { source: 'step-1.safetensors', error: { kind: 'corrupt', code: 'truncated' }, retry: 'when-changed' },
    ]);
    const [{ error }] = seen.problems;
    expect(error.message).toContain(join(folder.path, 'step-1.safetensors'));
    expect(error.hint).toMatch(/step-1\.safetensors as it is: thetalog save/);
    expect(sources(seen)).toEqual(['step-1.safetensors']);
    expect(seen.taken[0].at).toBeGreaterThan(62);
    expect(seen.result.problems).toEqual([]);
  });

  test('not if it changes while it is read: nothing of it is stored, and it is tried again', async () => {
    const folder = await WatchedFolder.make();
    await folder.write('last.bin', 'what a program has written');
    let changed = false;
    const seen = await folder.watch({
      until: 20,
      onProgress: ({ phase }) => {
        if (changed || phase !== 'save') return;
        changed = true;
        appendFileSync(join(folder.path, 'last.bin'), ' and more');
      },
    });
    expect(seen.taken).toMatchObject([{ logicalBytes: 35 }]);
    expect(await folder.stored()).toHaveLength(1);
  });
});

describe('with a marker', () => {
  test('in a folder, or beside a file: taken as soon as it is there, and not before', async () => {
    const folder = await WatchedFolder.make();
    await folder.write('checkpoint-1/model.safetensors', 1);
    await folder.write('step-2.pth', 2);
    folder.time.at(10, () => folder.write('checkpoint-1/done', ''));
    folder.time.at(15, () => folder.write('step-2.pth.done', ''));
    const seen = await folder.watch({ until: 30, marker: 'done' });
    expect(sources(seen)).toEqual(['checkpoint-1', 'step-2.pth']);
    expect(seen.taken.map(({ at }) => Math.floor(at / 5))).toEqual([2, 3]);
  });

  test('one older than what it marks does not count', async () => {
    const folder = await WatchedFolder.make();
    await folder.write('last.pth', 1);
    await folder.write('last.pth.done', '');
    const past = new Date(Date.now() - 60_000);
    await utimes(join(folder.path, 'last.pth.done'), past, past);
    const { result } = await folder.watch({ marker: '.done' });
    expect(result.problems[0].error.message).toContain('older than itself');
  });
});

describe('each is stored once', () => {
  test('whoever looks: the same process again, another one, after the files were touched or copied', async () => {
    const folder = await WatchedFolder.make();
    for (const step of [1, 2, 3]) await folder.write(`step-${step}.safetensors`, step);
    expect(sources(await folder.watch())).toHaveLength(3);
    expect((await folder.watch()).result).toMatchObject({ taken: 0, present: 3 });
    await folder.restart();
    expect((await folder.watch()).result).toMatchObject({ taken: 0, present: 3 });
    const past = new Date(Date.now() - 60_000);
    for (const step of [1, 2, 3]) await utimes(join(folder.path, `step-${step}.safetensors`), past, past);
    await folder.restart();
    expect((await folder.watch()).result).toMatchObject({ taken: 0, present: 3 });
    expect(await folder.stored()).toHaveLength(3);
  });

  test('one that is overwritten with other content is another checkpoint, also with the content of before', async () => {
    const folder = await WatchedFolder.make();
    await folder.write('last.safetensors', 1);
    for (const [at, seed] of [2, 3, 1].entries())
      folder.time.at(10 * (at + 1), () => folder.write('last.safetensors', seed));
    const seen = await folder.watch({ until: 50 });
    expect(seen.taken).toHaveLength(4);
    const infos = await folder.store.list();
    expect(infos.map(({ parent }) => parent)).toEqual([null, ...infos.slice(0, 3).map(({ id }) => id)]);
  });

  test('one that was deleted before it could be taken is told of', async () => {
    const folder = await WatchedFolder.make();
    folder.time.at(5, () => folder.write('step-1.pth', 1));
    folder.time.at(7, () => rm(join(folder.path, 'step-1.pth')));
    const { result, problems } = await folder.watch({ until: 20 });
    expect(result).toMatchObject({ taken: 0, missed: 1, problems: [] });
    expect(problems).toMatchObject([{ error: { code: 'removed-too-early' }, retry: 'never' }]);
  });
});

describe('the order is that of training', () => {
  test('by steps in names, then by epochs, then by time; each follows the one before', async () => {
    const folder = await WatchedFolder.make();
    const names = [
      'step-10.safetensors',
      'step-9.safetensors',
      'checkpoint-100/a.safetensors',
      'epoch-2.safetensors',
    ];
    const rest = ['epoch-1.safetensors', 'b.safetensors', 'a.safetensors'];
    for (const [at, name] of [...names, ...rest].entries()) {
      await folder.write(name, at);
      await utimes(join(folder.path, name), at, at);
    }
    const seen = await folder.watch();
    expect(sources(seen)).toEqual([
      'step-9.safetensors',
      'step-10.safetensors',
      'checkpoint-100',
      'epoch-1.safetensors',
      'epoch-2.safetensors',
      'b.safetensors',
      'a.safetensors',
    ]);
    expect((await folder.stored()).map(({ step }) => step)).toEqual([9, 10, 100, null, null, null, null]);
    expect((await folder.store.list())[1].parent).toBe(seen.taken[0].id);
  });

  test('by steps in files whose names say none', async () => {
    const folder = await WatchedFolder.make();
    for (const [name, step] of [
      ['a', 30],
      ['b', 20],
      ['c', 4],
    ] as const)
      await folder.write(`${name}.ckpt/trainer_state.json`, JSON.stringify({ global_step: step }));
    await folder.watch();
    expect((await folder.stored()).map(({ step }) => step)).toEqual([4, 20, 30]);
  });

  test('entries of one step are one checkpoint, if that is asked for', async () => {
    const folder = await WatchedFolder.make();
    for (const step of [2, 1])
      for (const part of ['model', 'optim']) await folder.write(`${part}_00${step}.pt`, step);
    expect(sources(await folder.watch({ groupByStep: true }))).toEqual(['step 1', 'step 2']);
    expect((await folder.store.show('r@step:2')).files.map(({ path }) => path)).toEqual([
      'model_002.pt',
      'optim_002.pt',
    ]);
  });

  test('only what is included, never what is excluded', async () => {
    const folder = await WatchedFolder.make();
    for (const name of ['a-1.weights', 'a-2.weights', 'b-3.weights', 'c-4.pth']) await folder.write(name, 1);
    expect(sources(await folder.watch({ include: ['?-*.weights'], exclude: ['*-2*'] }))).toEqual([
      'a-1.weights',
      'b-3.weights',
    ]);
  });
});

describe('files are deleted', () => {
  test('once they are stored and were read back, those of folders too', async () => {
    const folder = await WatchedFolder.make();
    await folder.write('step-1.safetensors', 1);
    await folder.write('checkpoint-2/deep/model.safetensors', 2);
    await folder.write('notes.txt', 'stays');
    const seen = await folder.watch({ removeSourceFiles: true });
    expect(seen.taken.map(({ removed }) => removed)).toEqual([true, true]);
    expect(await readdir(folder.path)).toEqual(['notes.txt']);
  });

  test('not if what was stored decodes to other bytes; that is told', async () => {
    const storage = new DamagingStorage();
    const folder = await WatchedFolder.make(storage);
    await folder.write('step-1.safetensors', 1);
    storage.damages = true;
    const { problems, result } = await folder.watch({ removeSourceFiles: true });
    expect(result.problems).toMatchObject([
      { error: { kind: 'corrupt', code: 'not-verified' }, retry: 'never' },
    ]);
    expect(problems).toHaveLength(2);
    expect(await readdir(folder.path)).toEqual(['step-1.safetensors']);
    storage.damages = false;
    await folder.restart();
    expect((await folder.watch({ removeSourceFiles: true })).result).toMatchObject({ taken: 0, present: 1 });
    expect(await readdir(folder.path)).toEqual([]);
  });

  test('not if the checkpoint was forgotten before they could be compared', async () => {
    const storage = new DamagingStorage();
    const folder = await WatchedFolder.make(storage);
    await folder.write('step-1.safetensors', 1);
    storage.damages = true;
    folder.time.at(10, async () => {
      await folder.store.forget({ refs: ['r'] });
      storage.damages = false;
    });
    const { problems } = await folder.watch({ until: 60, removeSourceFiles: true });
    expect(problems).toMatchObject([{ error: { code: 'not-verified' }, retry: 'later' }]);
    expect(await readdir(folder.path)).toEqual(['step-1.safetensors']);
  });

  test('what a killed process had half deleted is deleted, what it had put aside comes back', async () => {
    const folder = await WatchedFolder.make();
    await folder.write('.checkpoint-1.thetalog-deleted/rest.safetensors', 1);
    await folder.write('.step-2.safetensors.thetalog-aside', 2);
    const seen = await folder.watch({ removeSourceFiles: true });
    expect(sources(seen)).toEqual(['step-2.safetensors']);
    expect(await readdir(folder.path)).toEqual([]);
  });
});

describe('errors', () => {
  test('a full store is tried again after longer and longer pauses, told once, and nothing is lost', async () => {
    const storage = new FullStorage();
    const folder = await WatchedFolder.make(storage);
    await folder.write('step-1.safetensors', 1);
    await folder.write('step-2.safetensors', 2);
    storage.isFull = true;
    folder.time.at(40, () => {
      storage.isFull = false;
    });
    const seen = await folder.watch({ until: 100 });
    expect(sources(seen)).toEqual(['step-1.safetensors', 'step-2.safetensors']);
    expect(seen.problems.filter(({ source }) => source === 'step-1.safetensors')).toMatchObject([
      { error: { code: 'disk-full' }, retry: 'later' },
    ]);
    expect(storage.refused).toBeLessThan(20);
    expect(seen.result.problems).toEqual([]);
  });

  test('with once, however slow a look is, it waits until files can have settled', async () => {
    const folder = await WatchedFolder.make();
    await folder.write('step-1.pth', 1);
    // Each look at the clock takes ten times as long as files take to settle.
    folder.time.now = () => {
      folder.time.clock += 30_000;
      return folder.time.clock;
    };
    expect((await folder.watch()).result).toMatchObject({ taken: 1, problems: [] });
  });

  test('with once it is given up after three attempts', async () => {
    const storage = new FullStorage();
    const folder = await WatchedFolder.make(storage);
    await folder.write('step-1.safetensors', 1);
    storage.isFull = true;
    const { result } = await folder.watch();
    expect(result.problems).toMatchObject([{ error: { kind: 'unavailable' }, retry: 'never' }]);
  });

  test('no folder, no such run, no such time', async () => {
    const folder = await WatchedFolder.make();
    await expect(folder.store.watch(join(folder.path, 'none'), { run: 'r' })).rejects.toMatchObject({
      kind: 'not-found',
    });
    await expect(folder.watch({ run: 'a/b' })).rejects.toMatchObject({ kind: 'invalid' });
    await expect(folder.watch({ settleMs: -1 })).rejects.toMatchObject({ kind: 'invalid' });
  });

  test('a folder that goes away and comes back is told of once, and watched on', async () => {
    const folder = await WatchedFolder.make();
    const away = `${folder.path}-away`;
    folder.time.at(5, () => rename(folder.path, away));
    folder.time.at(30, () => rename(away, folder.path));
    folder.time.at(31, () => folder.write('step-1.pth', 1));
    const seen = await folder.watch({ until: 80 });
    expect(seen.problems).toMatchObject([{ source: folder.path, error: { kind: 'not-found' } }]);
    expect(sources(seen)).toEqual(['step-1.pth']);
  });
});

describe('a signal', () => {
  test('ends it between two checkpoints', async () => {
    const folder = await WatchedFolder.make();
    await expect(folder.watch({ until: 5 })).resolves.toMatchObject({ result: { taken: 0 } });
  });

  test('is an abort while one is taken in: nothing of it is stored', async () => {
    const folder = await WatchedFolder.make();
    await folder.write('step-1.safetensors', 1);
    const controller = new AbortController();
    const watching = folder.watch({
      once: false,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(watching).rejects.toMatchObject({ kind: 'aborted' });
    expect(await folder.stored()).toEqual([]);
    expect(sources(await folder.watch())).toEqual(['step-1.safetensors']);
  });
});

/** Gives back other bytes of packs than it was given. */
class DamagingStorage extends MemoryStorage {
  damages = false;

  override async get(...args: Parameters<MemoryStorage['get']>): Promise<Uint8Array | undefined> {
    const bytes = await super.get(...args);
    if (this.damages && args[0].startsWith('packs/') && bytes !== undefined && bytes.length > 40)
      bytes[30] ^= 1;
    return bytes;
  }
}

class FullStorage extends MemoryStorage {
  isFull = false;
  refused = 0;

  override async putIfAbsent(...args: Parameters<MemoryStorage['putIfAbsent']>): Promise<boolean> {
    if (!this.isFull) return super.putIfAbsent(...args);
    this.refused += 1;
    throw new ThetalogError('unavailable', 'disk-full', 'The disk is full.');
  }
}
