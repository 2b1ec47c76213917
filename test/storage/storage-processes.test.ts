/** Several real processes on one store. The room is compiled for them on the spot, so nothing stale is tested. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFileStorage } from '../../src/storage/index.js';
import { collect } from '../contract/storage-suite.js';
import { TemporaryDirectories } from './temporary-directories.js';

const PRELUDE = `
  import { openFileStorage } from './storage/index.js';
  const storage = await openFileStorage(process.argv[2]);
  const name = process.argv[3];
`;

/** A put that answered undefined may stand all the same, so the count in the store is what is looked at. */
const INCREMENT = `${PRELUDE}
  for (;;) {
    const current = await storage.getVersioned('root');
    const counts = current ? JSON.parse(new TextDecoder().decode(current.bytes)) : {};
    if (counts[name] === 200) break;
    counts[name] = (counts[name] ?? 0) + 1;
    const bytes = new TextEncoder().encode(JSON.stringify(counts));
    const version = await storage.putIfMatch('root', bytes, current?.version);
    if (version !== undefined) process.stdout.write('1');
  }
`;

const WRITE_FOR_EVER = `${PRELUDE}
  process.stdout.write('started');
  let version = (await storage.getVersioned('root'))?.version;
  for (let index = 0; ; index += 1) {
    await storage.putIfAbsent('packs/' + name + '-' + index, [new Uint8Array(300_000).fill(index), new Uint8Array(7)]);
    version = await storage.putIfMatch('root', new Uint8Array(5000).fill(1), version);
  }
`;

const directories = new TemporaryDirectories();
let compiled: string;

beforeAll(async () => {
  compiled = await directories.make();
  await mkdir(join(compiled, 'storage'));
  await writeFile(join(compiled, 'package.json'), '{"type":"module"}');
  const source = fileURLToPath(new URL('../../src/', import.meta.url));
  const rooms = (await readdir(join(source, 'storage'))).filter((name) => name.endsWith('.ts'));
  for (const name of ['errors.ts', ...rooms.map((file) => `storage/${file}`)]) {
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    const { outputText } = ts.transpileModule(await readFile(join(source, name), 'utf8'), {
      compilerOptions,
    });
    await writeFile(join(compiled, name.replace(/\.ts$/, '.js')), outputText);
  }
  await writeFile(join(compiled, 'increment.mjs'), INCREMENT);
  await writeFile(join(compiled, 'write.mjs'), WRITE_FOR_EVER);
});
afterAll(() => directories.removeAll());

/**
 * The version proves that no increment was lost or made twice: it counts the generations, one for each. Acknowledged
 * ones may be fewer, as a winner that was stopped for many generations is told to look for itself.
 */
test('two processes increment one counter 200 times each', async () => {
  const storage = await createFileStorage(await directories.make());
  const children = ['a', 'b'].map((name) => start('increment.mjs', storage.location, name));
  let acknowledged = 0;
  for (const child of children) child.stdout?.on('data', (chunk: Buffer) => (acknowledged += chunk.length));
  expect(await Promise.all(children.map(exitOf))).toEqual([0, 0]);
  const root = await storage.getVersioned('root');
  expect(JSON.parse(new TextDecoder().decode(root?.bytes))).toEqual({ a: 200, b: 200 });
  expect(root?.version).toBe('400');
  expect(acknowledged).toBeLessThanOrEqual(400);
  expect(acknowledged).toBeGreaterThan(0);
});

test('a killed writer leaves whole objects, and leftovers only in tmp/', async () => {
  const storage = await createFileStorage(await directories.make());
  for (const delay of [5, 20, 35, 50, 65]) {
    const child = start('write.mjs', storage.location, `after${delay}`);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    await sleep(delay);
    child.kill('SIGKILL');
    await exitOf(child);
  }
  const objects = await collect(storage.list(''));
  for (const { key, size } of objects) {
    if (key.startsWith('packs/')) expect(size).toBe(300_007);
    else if (key.startsWith('root/boundary.')) expect(size).toBe(0);
    else if (key.startsWith('root/')) expect(size).toBe(5000);
    else expect(key).toMatch(/^tmp\//);
  }
  expect(objects.filter(({ key }) => key.startsWith('packs/')).length).toBeGreaterThan(0);
  const root = await storage.getVersioned('root');
  expect(await storage.putIfMatch('root', new Uint8Array(1), root?.version)).toBeDefined();
});

function start(script: string, ...args: string[]): ChildProcess {
  return spawn(process.execPath, [join(compiled, script), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** The exit code, or null if it was killed. */
function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once('close', (code) => resolve(code)));
}
