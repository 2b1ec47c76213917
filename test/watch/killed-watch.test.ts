/**
 * `thetalog watch` as a process: killed at random moments while a program writes by rename, and over a folder of a hundred checkpoints. Seen to
 * fail when the ledger is not read at the start: all are stored again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createStore, openStore } from '../../src/index.js';
import { scratchFolder } from '../reliability/scratch-folder.js';
import { weights } from './watched-folder.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const KILLS = 3;
/** After the first checkpoint that it has taken. */
const KILL_AFTER_MS = 500;

interface Place {
  folder: string;
  store: string;
}

async function prepare(): Promise<Place> {
  const root = scratchFolder();
  const place = { folder: join(root, 'checkpoints'), store: join(root, 'store') };
  mkdirSync(place.folder);
  await (await createStore(place.store)).close();
  return place;
}

function watch({ folder, store }: Place, ...args: string[]): ChildProcess {
  const given = ['watch', folder, '--run', 'r', '--store', store, '--settle', '0.1s', '--interval', '0.05s'];
  return spawn(process.execPath, [CLI, ...given, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', resolve));
}

/** Every checkpoint is there once, in order, and comes back as it was written. */
async function assertTakenOnce({ folder, store: location }: Place, names: readonly string[]): Promise<void> {
  const store = await openStore(location);
  const listed = await store.list({ run: 'r' });
  expect(listed.map(({ meta }) => meta['watch.source']).sort()).toEqual([...names].sort());
  const out = `${folder}-restored`;
  for (const { id, meta } of listed) {
    await store.restoreFiles(id, { out });
    const name = meta['watch.source'];
    expect(readFileSync(join(out, name)).equals(readFileSync(join(folder, name))), name).toBe(true);
  }
  expect((await store.check({ readData: 100 })).damaged).toEqual([]);
  await store.close();
}

test('killed again and again, it has each checkpoint once, byte for byte', async () => {
  const place = await prepare();
  const names: string[] = [];
  let isOver = false;
  const write = async (): Promise<void> => {
    while (!isOver) {
      const name = `step-${names.length + 1}.safetensors`;
      writeFileSync(join(place.folder, `${name}.tmp`), weights(names.length, 20_000));
      renameSync(join(place.folder, `${name}.tmp`), join(place.folder, name));
      names.push(name);
      await sleep(150);
    }
  };
  const writing = write();
  for (let kill = 0; kill < KILLS; kill++) {
    const running = watch(place, '-q');
    await new Promise((resolve) => running.stdout?.once('data', resolve));
    await sleep(Math.random() * KILL_AFTER_MS);
    running.kill('SIGKILL');
    await ended(running);
  }
  isOver = true;
  await writing;
  const last = watch(place, '--once');
  last.stdout?.resume();
  expect(await ended(last)).toBe(0);
  await assertTakenOnce(place, names);
}, 120_000);

test.runIf(process.platform === 'linux')(
  'a hundred old checkpoints take no more memory than a few',
  async () => {
    const place = await prepare();
    const names = Array.from({ length: 100 }, (_, at) => `step-${at + 1}.safetensors`);
    for (const [at, name] of names.entries()) writeFileSync(join(place.folder, name), weights(at, 20_000));
    const running = watch(place, '--once');
    let peak = 0;
    const done = ended(running);
    const measuring = (async (): Promise<void> => {
      while (running.exitCode === null) {
        try {
          const status = readFileSync(`/proc/${running.pid}/status`, 'utf8');
          peak = Math.max(peak, Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1] ?? 0) * 1024);
        } catch {
          // It has ended meanwhile.
        }
        await sleep(50);
      }
    })();
    expect(await done).toBe(0);
    await measuring;
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThan(512 * 2 ** 20);
    const store = await openStore(place.store);
    expect((await store.list({ run: 'r' })).map(({ step }) => step)).toEqual(names.map((_, at) => at + 1));
    await store.close();
  },
  120_000,
);
