/**
 * Whole operations in processes of their own: save a file, save it again changed, save it unchanged, restore it. Each is
 * set against `cp` with fsync of the same file in the same run. Usage: node bench/engine.mjs [--gib N] [--json]
 */
import { spawnSync } from 'node:child_process';
import { closeSync, fsyncSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machine } from './machine.mjs';

const { values: options } = parseArgs({
  options: { gib: { type: 'string', default: '1' }, json: { type: 'boolean', default: false } },
});
const ROUNDS = 5;
const command = join(import.meta.dirname, '../dist/cli/main.js');

/** Writes a safetensors file of fp32 weights, each moved a little from the base by a deterministic amount. */
function writeWeights(path, bytes, drift) {
  const tensorBytes = Math.min(bytes, 2 ** 23);
  const count = Math.ceil(bytes / tensorBytes);
  const header = {};
  for (let index = 0; index < count; index++) {
    const data_offsets = [index * tensorBytes, (index + 1) * tensorBytes];
    header[`model.layers.${index}.weight`] = { dtype: 'F32', shape: [tensorBytes / 4], data_offsets };
  }
  const text = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(8 + text.length);
  head.writeBigUInt64LE(BigInt(text.length));
  text.copy(head, 8);
  const file = openSync(path, 'w');
  writeSync(file, head);
  const weights = new Float32Array(tensorBytes / 4);
  for (let index = 0; index < count; index++) {
    let state = index + 1;
    for (let at = 0; at < weights.length; at++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const weight = (state / 2 ** 32 - 0.5) * ((state >>> 7) & 1 ? 0.1 : 0.02);
      weights[at] = weight + drift * (((state >>> 9) & 1023) / 1023 - 0.5);
    }
    writeSync(file, new Uint8Array(weights.buffer));
  }
  fsyncSync(file);
  closeSync(file);
}

function copyDurably(source, target) {
  const [from, to] = [openSync(source, 'r'), openSync(target, 'w')];
  const buffer = Buffer.allocUnsafe(2 ** 20);
  for (let read = readSync(from, buffer); read > 0; read = readSync(from, buffer))
    writeSync(to, buffer, 0, read);
  fsyncSync(to);
  closeSync(from);
  closeSync(to);
}

function thetalog(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args, '--json'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`thetalog ${args.join(' ')}: ${stdout}${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

function timed(operation) {
  const started = process.hrtime.bigint();
  operation();
  return Number(process.hrtime.bigint() - started) / 1e9;
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
}

const folder = mkdtempSync(join(tmpdir(), 'thetalog-bench-'));
try {
  const [base, next] = ['base.safetensors', 'next.safetensors'].map((name) => join(folder, name));
  const bytes = Math.round(Number(options.gib) * 2 ** 30);
  writeWeights(base, bytes, 0);
  writeWeights(next, bytes, 1e-5);
  const size = statSync(base).size;
  const [store, out] = [join(folder, 'store'), join(folder, 'out')];
  const times = { copy: [], first: [], changed: [], unchanged: [], restore: [] };
  let ratios = {};
  for (let round = 0; round < ROUNDS; round++) {
    rmSync(store, { recursive: true, force: true });
    rmSync(out, { recursive: true, force: true });
    thetalog('init', store);
    times.copy.push(timed(() => copyDurably(next, join(folder, 'copy'))));
    const save = (path) => thetalog('save', path, '--run', 'r', '--store', store);
    const saved = {};
    times.first.push(timed(() => (saved.first = save(base))));
    times.changed.push(timed(() => (saved.changed = save(next))));
    times.unchanged.push(timed(() => (saved.unchanged = save(next))));
    times.restore.push(timed(() => thetalog('restore', 'r', '--out', out, '--store', store)));
    if (spawnSync('cmp', [next, join(out, 'next.safetensors')]).status !== 0)
      throw new Error('restored file differs');
    ratios = Object.fromEntries(
      Object.entries(saved).map(([name, { logicalBytes, storedBytes }]) => [
        name,
        logicalBytes / storedBytes,
      ]),
    );
  }
  const copy = median(times.copy);
  const rows = Object.entries(times).map(([name, seconds]) => ({
    name,
    seconds: median(seconds),
    gigabytesPerSecond: size / median(seconds) / 1e9,
    timesCopy: copy / median(seconds),
    ratio: ratios[name] ?? null,
  }));
  if (options.json) console.log(JSON.stringify({ title: 'engine', machine: machine(), bytes: size, rows }));
  else {
    const { node, cpu, cores } = machine();
    console.log(
      `engine: ${(size / 2 ** 30).toFixed(2)} GiB of fp32, Node ${node}, ${cores} x ${cpu}, medians of ${ROUNDS}`,
    );
    console.log('operation      s   GB/s  x copy+fsync  logical/stored');
    for (const { name, seconds, gigabytesPerSecond, timesCopy, ratio } of rows) {
      const figures = [
        seconds.toFixed(2).padStart(6),
        gigabytesPerSecond.toFixed(2).padStart(6),
        timesCopy.toFixed(2).padStart(8),
      ];
      console.log(
        `${name.padEnd(10)} ${figures.join(' ')}${ratio === null ? '' : `  ${ratio.toFixed(2).padStart(18)}`}`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
