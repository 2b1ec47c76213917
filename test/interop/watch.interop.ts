/**
 * A torch script saves every second; `thetalog watch` takes its checkpoints in, and is killed and started again twice. Each must be in the
 * store once, and come back byte for byte.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { pythonWith } from './installed.js';

const here = import.meta.dirname;
const cli = join(here, '../../dist/cli/main.js');
const STEPS = 20;
const SECONDS = 1;
/** How long the watch may take for what is left once the script has ended. */
const REST_MS = 60_000;

const python = pythonWith('torch');
const work = mkdtempSync(join(tmpdir(), 'thetalog-interop-'));
const store = join(work, 'store');
const folder = join(work, 'checkpoints');
afterAll(() => rmSync(work, { recursive: true, force: true }));

interface Listed {
  id: string;
  step: number | null;
  parent: string | null;
}

function thetalog(...args: string[]): string {
  const done = spawnSync(process.execPath, [cli, ...args, '--store', store], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`thetalog ${args.join(' ')}: ${done.stdout}${done.stderr}`);
  return done.stdout;
}

function watch(): ChildProcess {
  const args = ['watch', folder, '--run', 'r', '--settle', '0.4s', '--interval', '0.2s', '--store', store];
  return spawn(process.execPath, [cli, ...args], { stdio: 'ignore' });
}

function list(): Listed[] {
  return thetalog('list', '--json')
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** Returns the one file of a checkpoint: its name and digest. */
function restore(id: string): { name: string; digest: string } {
  const out = join(work, 'restored', id);
  const lines = thetalog('restore', id, '--out', out, '--json').trim().split('\n');
  const { files } = JSON.parse(lines.at(-1) ?? '') as { files: string[] };
  return { name: files[0], digest: sha256(join(out, files[0])) };
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    else child.once('exit', resolve);
  });
}

describe.skipIf(python === undefined)('watching a torch script', () => {
  test('each checkpoint is there once, byte for byte, though the watch was killed twice', async () => {
    mkdirSync(folder);
    thetalog('init', store);
    let running = watch();
    const script = join(here, 'watch_writer.py');
    const writer = spawn(python ?? '', [script, folder, String(STEPS), String(SECONDS)]);
    let printed = '';
    writer.stdout.on('data', (text: Buffer) => {
      printed += text.toString();
    });
    for (const part of [0.3, 0.7]) {
      while (!existsSync(join(folder, `step-${Math.round(STEPS * part)}.pth`))) await sleep(50);
      await sleep(Math.random() * 1000);
      running.kill('SIGKILL');
      await ended(running);
      running = watch();
    }
    expect(await ended(writer)).toBe(0);
    const written = printed
      .trim()
      .split('\n')
      .map((line) => line.split(' '));
    const last = written.at(-1)?.[0];
    const isComplete = () => new Set(list().map(({ step }) => step)).size === STEPS;
    for (const end = Date.now() + REST_MS; Date.now() < end && !isComplete(); ) await sleep(500);
    await sleep(3000);
    running.kill('SIGTERM');
    expect(await ended(running)).toBe(0);

    const listed = list();
    expect(listed.map(({ parent }) => parent)).toEqual([null, ...listed.slice(0, -1).map(({ id }) => id)]);
    const restored = listed.map(({ id }) => restore(id));
    const known = new Map(written.map(([digest, name]) => [`${digest} ${name}`, 0]));
    for (const { name, digest } of restored) {
      const key = `${digest} ${name}`;
      expect(known.has(key), `${name} as it was written`).toBe(true);
      known.set(key, (known.get(key) ?? 0) + 1);
    }
    const steps = [...known].filter(([key]) => key.includes(' step-'));
    expect(steps.filter(([, times]) => times !== 1)).toEqual([]);
    expect(steps).toHaveLength(STEPS);
    expect(restored.filter(({ name }) => name === 'last.pth').at(-1)?.digest).toBe(last);
    thetalog('check', '--read-data');
    console.log(`watch: ${listed.length} checkpoints, ${listed.length - STEPS} of them last.pth`);
  }, 300_000);
});
