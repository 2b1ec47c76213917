/**
 * Whole operations in processes of their own: a task module runs in a fresh Node and answers with its result, its peak
 * memory and its processor time; the built command line likewise. Whatever is under way ends with this process.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watchLoad } from './machine.mjs';

const RUNNER = join(import.meta.dirname, 'engine/run-task.mjs');
const PEAK = join(import.meta.dirname, 'engine/peak.mjs');
const COMMAND = join(import.meta.dirname, '../dist/cli/main.js');

const running = new Set();
const folders = new Set();

/** Makes a folder that is removed when this process ends, also by Ctrl-C. */
export function scratchFolder(parent = tmpdir()) {
  const folder = mkdtempSync(join(parent, 'thetalog-bench-'));
  folders.add(folder);
  return folder;
}

function cleanUp() {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

process.on('exit', cleanUp);
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.on(signal, () => process.exit(code));
}

function spawned(arguments_, environment) {
  return new Promise((resolve, reject) => {
    const started = process.hrtime.bigint();
    const env = { ...process.env, ...environment };
    const child = spawn(process.execPath, arguments_, { stdio: ['ignore', 'pipe', 'inherit'], env });
    running.add(child);
    const pieces = [];
    child.stdout.on('data', (piece) => pieces.push(piece));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      running.delete(child);
      const seconds = Number(process.hrtime.bigint() - started) / 1e9;
      const output = Buffer.concat(pieces).toString();
      if (code === 0) resolve({ output, seconds });
      else reject(new Error(`${arguments_.join(' ')} ended with ${code ?? signal}: ${output.slice(-2000)}`));
    });
  });
}

/** Runs `name` of the task module `bench/engine/MODULE.mjs` in a fresh process; returns what it returns, and its load. */
export async function runTask(module, name, parameters) {
  const loadOf = watchLoad();
  const { output } = await spawned([RUNNER, module, name, JSON.stringify(parameters)], {});
  return { ...JSON.parse(output.trim().split('\n').at(-1)), load: loadOf() };
}

/** Runs the built command; returns its JSON, the seconds from start to end, and its peak memory. */
export async function thetalog(...arguments_) {
  const folder = mkdtempSync(join(tmpdir(), 'thetalog-peak-'));
  folders.add(folder);
  try {
    const peakFile = join(folder, 'peak');
    const call = ['--import', PEAK, COMMAND, ...arguments_, '--json'];
    const { output, seconds } = await spawned(call, { THETALOG_BENCH_PEAK: peakFile });
    const lines = output.trim().split('\n').filter(Boolean);
    const { peakBytes } = JSON.parse(readFileSync(peakFile, 'utf8'));
    return { lines: lines.map((line) => JSON.parse(line)), seconds, peakBytes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    folders.delete(folder);
  }
}
