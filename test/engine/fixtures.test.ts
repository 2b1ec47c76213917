/** Every fixture goes in and comes back byte for byte, also after forget, compact and gc; bad files too, with a warning. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createStore, keep, type Store } from '../../src/index.js';

const FIXTURES = join(import.meta.dirname, '../../fixtures');
const scratch = mkdtempSync(join(tmpdir(), 'thetalog-fixtures-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function filesBelow(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesBelow(join(path, name)));
}

function expectEqualTrees(restored: string, original: string): void {
  const below = (path: string): string[] => filesBelow(path).map((file) => relative(path, file));
  expect(below(restored)).toEqual(below(original));
  for (const name of below(original)) {
    const [found, wanted] = [join(restored, name), join(original, name)];
    expect(readFileSync(found).equals(readFileSync(wanted)), name).toBe(true);
  }
}

describe('fixtures of real training', () => {
  const saved: { id: string; path: string }[] = [];
  let store: Store;

  beforeAll(async () => {
    store = await createStore(join(scratch, 'store'));
    for (const folder of ['run', 'run-safetensors', 'bf16', 'tied', 'torch', 'numpy', 'hf-trainer']) {
      for (const name of readdirSync(join(FIXTURES, folder)).sort()) {
        const path = join(FIXTURES, folder, name);
        const { id, warnings } = await store.saveFiles([path], { run: folder });
        expect(warnings, name).toEqual([]);
        saved.push({ id, path });
      }
    }
  });

  async function expectAllBack(round: string): Promise<number> {
    const live = new Set((await store.list()).map((checkpoint) => checkpoint.id));
    const kept = saved.filter(({ id }) => live.has(id));
    for (const { id, path } of kept) {
      const out = join(scratch, round, id);
      await store.restoreFiles(id, { out });
      expectEqualTrees(join(out, relative(join(path, '..'), path)), path);
    }
    expect((await store.check({ readData: 100 })).damaged).toEqual([]);
    return kept.length;
  }

  it('come back byte for byte', async () => {
    expect(await expectAllBack('saved')).toBe(saved.length);
  });

  it('come back byte for byte after forget, after compact and after gc', async () => {
    await store.forget({ run: 'run', keep: [keep.last(2), keep.every(100)] });
    await store.forget({ run: 'bf16', keep: [keep.last(1)] });
    expect(await expectAllBack('forgotten')).toBeLessThan(saved.length);
    const { liveBytesBefore, liveBytesAfter } = await store.compact();
    expect(liveBytesAfter).toBeLessThan(liveBytesBefore);
    await expectAllBack('compacted');
    const { storedBytesBefore, storedBytesAfter } = await store.gc();
    expect(storedBytesAfter).toBeLessThan(storedBytesBefore);
    await expectAllBack('collected');
    // Packs of which less than a fifth is dead are left alone.
    const { reclaimableBytes, storedBytes } = await store.stats();
    expect(reclaimableBytes).toBeLessThan(storedBytes / 5);
  });

  it('find their base under another file name, and with a parameter inserted in front', async () => {
    const own = await createStore(join(scratch, 'own'));
    const size = async (name: string): Promise<number> => {
      const { storedBytes } = await own.saveFiles([join(FIXTURES, 'torch', name)], { run: 'r' });
      return storedBytes;
    };
    const first = await size('step-255.pth');
    const next = await size('step-256.pth');
    expect(next).toBeLessThan(0.85 * first);
    expect(await size('best-checkpoint-so-far.pth')).toBeLessThan(0.25 * first);
    expect(await size('inserted-front.pth')).toBeLessThan(0.4 * first);
  });
});

describe('bad files', () => {
  interface Expected {
    kind: string | null;
    code: string | null;
    offset: boolean;
  }
  const manifest: Record<string, Expected> = JSON.parse(
    readFileSync(join(FIXTURES, 'bad/manifest.json'), 'utf8'),
  );

  it('are kept as opaque bytes with the stated warning and come back byte for byte', async () => {
    const store = await createStore(join(scratch, 'bad'));
    for (const [name, expected] of Object.entries(manifest)) {
      const path = join(FIXTURES, 'bad', name);
      const { warnings } = await store.saveFiles([path], { run: 'bad' });
      expect(
        warnings.map((warning) => warning.code),
        name,
      ).toEqual(expected.code === null ? [] : [expected.code]);
      for (const warning of warnings) expect(warning.offset !== null, name).toBe(expected.offset);
      const out = join(scratch, 'bad-out');
      await store.restoreFiles('bad', { out, force: true });
      expect(readFileSync(join(out, basename(name))).equals(readFileSync(path)), name).toBe(true);
    }
  });

  it('are refused with the stated error by a strict save, which stores nothing', async () => {
    const store = await createStore(join(scratch, 'strict'));
    for (const [name, { kind, code }] of Object.entries(manifest)) {
      if (code === null) continue;
      const saving = store.saveFiles([join(FIXTURES, 'bad', name)], { run: 'bad', strict: true });
      await expect(saving, name).rejects.toMatchObject({ kind, code });
    }
    expect(await store.list()).toEqual([]);
  });
});
