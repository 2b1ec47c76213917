/** Several processes at work on one store, stopped, continued and killed at random, and what must hold afterwards. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { randomNumbers } from '../engine/training-state.js';
import { recordEvidence } from './evidence.js';

const PROCESSES = 8;
const COMMAND = join(import.meta.dirname, '../../dist/cli/main.js');
const script = (name: string): string => join(import.meta.dirname, `${name}.mjs`);

interface Entry {
  saved?: string;
  run?: string;
  token?: string;
  restored?: string;
  forgetting?: string;
  forked?: string;
}

interface Verified {
  damaged: unknown[];
  checkpoints: { id: string; run: string; token: string; exact: boolean }[];
}

/** Runs the processes for this long; what the store acknowledged is there once, bit for bit, unless it was forgotten. */
export async function busyProcesses(milliseconds: number, seed: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'thetalog-busy-'));
  try {
    const store = join(folder, 'store');
    const scratch = join(folder, 'scratch');
    mkdirSync(scratch);
    execFileSync(process.execPath, [COMMAND, 'init', store]);
    await run(store, scratch, Date.now() + milliseconds, randomNumbers(seed));
    const failures = join(scratch, 'failures');
    expect(existsSync(failures) ? readFileSync(failures, 'utf8') : '').toBe('');
    const verified = execFileSync(process.execPath, [script('verify-tokens'), store, join(folder, 'out')], {
      maxBuffer: 2 ** 28,
    });
    judge(entriesOf(scratch), JSON.parse(verified.toString()));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Starts the processes; now and then one is stopped for a while, or killed and replaced by another. */
async function run(store: string, scratch: string, until: number, random: () => number): Promise<void> {
  let started = 0;
  const begin = (): ChildProcess => {
    started += 1;
    const seed = Math.floor(random() * 2 ** 31);
    const args = [script('busy-process'), store, scratch, `p${started}`, String(seed), String(until)];
    return spawn(process.execPath, args, { stdio: 'ignore' });
  };
  const children = Array.from({ length: PROCESSES }, begin);
  const stopped = new Set<ChildProcess>();
  while (Date.now() < until) {
    await sleep(50 + random() * 400);
    const at = Math.floor(random() * PROCESSES);
    const child = children[at];
    if (stopped.delete(child)) child.kill('SIGCONT');
    else if (random() < 0.3) {
      child.kill('SIGKILL');
      children[at] = begin();
    } else {
      child.kill('SIGSTOP');
      stopped.add(child);
    }
  }
  for (const child of stopped) child.kill('SIGCONT');
  await Promise.all(children.map(ended));
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

/** What the processes wrote down; the last line of one that was killed may be torn. */
function entriesOf(scratch: string): Entry[] {
  const logs = readdirSync(scratch).filter((name) => name.endsWith('.log'));
  return logs.flatMap((name) => {
    const lines = readFileSync(join(scratch, name), 'utf8').split('\n').slice(0, -1);
    return lines.map((line): Entry => JSON.parse(line));
  });
}

function judge(entries: readonly Entry[], { damaged, checkpoints }: Verified): void {
  expect(damaged).toEqual([]);
  expect(checkpoints.filter(({ exact }) => !exact)).toEqual([]);
  const forgetting = new Set(entries.map((entry) => entry.forgetting));
  const counts = new Map<string, number>();
  for (const { id } of checkpoints) counts.set(id, (counts.get(id) ?? 0) + 1);
  const acknowledged = entries.map(({ saved, forked }) => saved ?? forked).filter((id) => id !== undefined);
  const lost = acknowledged.filter((id) => !forgetting.has(id) && counts.get(id) !== 1);
  expect(lost).toEqual([]);
  const saves = checkpoints.filter(({ run }) => !run.startsWith('fork-'));
  expect(new Set(saves.map(({ token }) => token)).size).toBe(saves.length);
  const tokens = new Map(entries.map(({ saved, token }) => [saved, token]));
  for (const { id, token } of saves) expect(tokens.get(id) ?? token).toBe(token);
  expect(acknowledged.length).toBeGreaterThan(PROCESSES);
  recordEvidence({
    guarantee: 'processes',
    part: 'acknowledged saves and forks',
    cases: acknowledged.length,
  });
  const restored = entries.filter((entry) => entry.restored !== undefined).length;
  recordEvidence({ guarantee: 'processes', part: 'restores meanwhile', cases: restored });
}
