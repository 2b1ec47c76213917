import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { beforeEach, expect, test } from 'vitest';
import { systemEnvironment } from '../../src/checkpoints/environment.js';
import { StagedFiles } from '../../src/checkpoints/target-files.js';
import { loadHasher } from '../../src/hash/index.js';
import { loadKernels } from '../../src/kernels/index.js';
import { randomBytes } from '../engine/folders.js';

const BUILT = pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href;
const FILES = 400;
const FILE_BYTES = 2_000;
/** Of every process, of which the runtime needs about 30 for itself and its threads. */
const DESCRIPTORS = 128;
const DESCRIPTORS_FOLDER = '/proc/self/fd';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thetalog-many-'));
  return () => rm(folder, { recursive: true, force: true });
});

// Seen to fail with EMFILE when a job kept all of its files open.
test.skipIf(process.platform === 'win32')(
  `${FILES} files are saved and restored by a process that may have ${DESCRIPTORS} open`,
  async () => {
    const source = join(folder, 'source');
    await mkdir(source);
    for (let number = 0; number < FILES; number++)
      await writeFile(join(source, `${number}.bin`), randomBytes(FILE_BYTES, number));
    const script = `
      const { createStore } = await import(${JSON.stringify(BUILT)});
      const store = await createStore('store', { workers: 2 });
      await store.saveFiles(['source'], { run: 'r' });
      await store.restoreFiles('r', { out: 'out' });
      await store.close();`;
    await writeFile(join(folder, 'script.mjs'), script);
    const limited = `ulimit -n ${DESCRIPTORS} && exec "$0" script.mjs`;
    await promisify(execFile)('sh', ['-c', limited, process.execPath], { cwd: folder });
    for (let number = 0; number < FILES; number++) {
      const restored = await readFile(join(folder, 'out', 'source', `${number}.bin`));
      expect(restored.equals(randomBytes(FILE_BYTES, number)), `file ${number}`).toBe(true);
    }
  },
  60_000,
);

// Seen to fail, with all of them open, when files stayed open from when they were first digested.
test.skipIf(!existsSync(DESCRIPTORS_FOLDER))(
  'few of the files that are digested while others are written are open, and none when nothing is done with them',
  async () => {
    const hasher = await loadHasher(loadKernels());
    const staged = new StagedFiles(folder, hasher, systemEnvironment);
    const files = [];
    for (let number = 0; number < 100; number++) files.push(await staged.create(`${number}`, 0o644));
    const before = (await readdir(DESCRIPTORS_FOLDER)).length;
    for (const file of files) {
      await truncate(file.path, 9 * 2 ** 20);
      file.wrote(0, 9 * 2 ** 20);
    }
    expect((await readdir(DESCRIPTORS_FOLDER)).length - before).toBeLessThan(64);
    await Promise.all(files.map((file) => file.close()));
    const digests = new Set<string>();
    for (const file of files.slice(-3).concat(files.slice(0, 3))) digests.add(await file.finish());
    expect(digests.size).toBe(1);
    await expect.poll(async () => (await readdir(DESCRIPTORS_FOLDER)).length).toBeLessThanOrEqual(before);
    await staged.discard();
  },
);
