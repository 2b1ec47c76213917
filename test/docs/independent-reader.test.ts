/** Whole stores against a reader written from FORMAT.md alone, in Python; skipped where there is none. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createStore, type Store } from '../../src/index.js';
import { leafContent, nodeOf, type ValueDraft, zarrDescription } from '../adapters/ocdbt-writer.js';

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const READER = fileURLToPath(new URL('read_store.py', import.meta.url));
/** Above 4 MiB, so that it is cut by content. */
const BIG_BYTES = 5_000_000;

const hasPython = spawnSync('python3', ['--version']).status === 0;

describe.skipIf(!hasPython)('a reader written from FORMAT.md', () => {
  let folder: string;
  let store: Store;
  /** Files of each checkpoint: id -> path -> where the original is. */
  const originals = new Map<string, Map<string, string>>();

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'thetalog-reader-'));
    store = await createStore(join(folder, 'store'));
    writeFileSync(join(folder, 'big.bin'), noise(BIG_BYTES));
    for (const step of [100, 101, 110, 120]) await save('gpt', join(FIXTURES, 'run'), `step-${step}.pth`);
    for (const step of [100, 101]) await save('bf16', join(FIXTURES, 'bf16'), `step-${step}.safetensors`);
    await save('arrays', join(FIXTURES, 'numpy'), 'stored.npz');
    await save('arrays', folder, 'big.bin');
    for (const step of [20, 21]) await saveTree('orbax', join(FIXTURES, `orbax/step-${step}`));
    await saveFrames();
    const fork = await store.fork('gpt@step:101', 'fork');
    originals.set(fork.id, originals.get(fork.parent ?? '') ?? new Map());
  });

  afterAll(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('restores every file of every checkpoint', () => {
    expectAllRestored('first');
  });

  test('restores them after forget, compact and gc, from a plain copy', async () => {
    const { decisions } = await store.forget({ refs: ['gpt@step:100', 'gpt@step:110'] });
    for (const { id } of decisions) originals.delete(id);
    await store.compact();
    expect((await store.gc()).objects).toBeGreaterThan(0);
    cpSync(join(folder, 'store'), join(folder, 'copy'), { recursive: true });
    expectAllRestored('second', 'copy');
  });

  test('restores what is left where retention dropped a group', async () => {
    const paths = [join(FIXTURES, 'run/step-120.pth'), join(FIXTURES, 'bf16/step-101.safetensors')];
    const { id } = await store.saveFiles(paths, { run: 'mixed' });
    await store.forget({ refs: ['mixed'], keepGroups: ['model'] });
    await store.compact();
    await store.gc();
    originals.set(id, new Map([['step-101.safetensors', paths[1]]]));
    expectAllRestored('third');
    expect(readdirSync(join(folder, 'third', id))).toEqual(['step-101.safetensors']);
  });

  async function save(run: string, directory: string, file: string): Promise<void> {
    const { id } = await store.saveFiles([join(directory, file)], { run });
    originals.set(id, new Map([[file, join(directory, file)]]));
  }

  /** A folder with all below it. */
  async function saveTree(run: string, directory: string): Promise<void> {
    const { id, warnings } = await store.saveFiles([directory], { run });
    expect(warnings).toEqual([]);
    const names = readdirSync(directory, { recursive: true, withFileTypes: true });
    const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    originals.set(id, new Map(files.map((path) => [path.slice(dirname(directory).length + 1), path])));
  }

  /** Frames of every kind, as values of a database. */
  async function saveFrames(): Promise<void> {
    const names = readdirSync(join(FIXTURES, 'zstd')).filter((name) =>
      /^(weights|rows|halves|letters|zeros|raw)/.test(name),
    );
    const frames = names.map((name) => new Uint8Array(readFileSync(join(FIXTURES, 'zstd', name))));
    const sizes: Record<string, [number, string][]> = JSON.parse(
      readFileSync(join(FIXTURES, 'zstd/contents.json'), 'utf8'),
    );
    const file = 'd/0123456789abcdef0123456789abcdef';
    let offset = 0;
    const values = names.flatMap((name, at): ValueDraft[] => {
      const key = name.slice(0, -4);
      offset += frames[at].length;
      const place = { offset: offset - frames[at].length, length: frames[at].length };
      return [
        { key: `${key}/.zarray`, value: zarrDescription([sizes[key][0][0]], '|u1') },
        { key: `${key}/0`, value: place },
      ];
    });
    mkdirSync(join(folder, 'frames/d'), { recursive: true });
    writeFileSync(
      join(folder, 'frames', file),
      Buffer.concat([...frames, nodeOf(leafContent(file, values))]),
    );
    await saveTree('frames', join(folder, 'frames'));
    expect((await store.show('frames')).tensors).toHaveLength(names.length);
  }

  function expectAllRestored(name: string, from = 'store'): void {
    const out = join(folder, name);
    const { status, stderr } = spawnSync('python3', [READER, join(folder, from), out], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const [id, files] of originals) {
      expect(files.size).toBeGreaterThan(0);
      for (const [path, original] of files) {
        const isEqual = readFileSync(join(out, id, path)).equals(readFileSync(original));
        expect(isEqual, `${id}/${path}`).toBe(true);
      }
    }
  }
});

/** Bytes that do not compress, the same every time. */
function noise(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}
