/**
 * Other programs on the same checkpoints: bytes of the next one, speeds of saving and restoring it.
 *
 *   npm run compare -- [--python PATH] [--gib N] [--dir DIR] [--json]      after npm ci here and npm run build above
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { adamwChain } from '../bytes/cases.mjs';
import { scratchFolder } from '../children.mjs';
import { fixed, Report } from '../harness.mjs';
import { hasTraces, TRACES } from '../trace-files.mjs';
import { measure, RIVALS } from './rivals.mjs';

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    gib: { type: 'string', default: '0.25' },
    dir: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
});
const gib = Number(values.gib);
const folder = scratchFolder(resolve(values.dir));
const report = new Report('compare', { json: values.json, folder, settings: { speedGib: gib } });

const pairs = [];
for (const pair of tracePairs()) pairs.push(await compare(pair));
const { methods: speeds } = await compare(syntheticPair());
report.finish({ pairs, speeds });

function tracePairs() {
  if (!hasTraces) return [];
  const of = (job, a, b, format = 'pth') => {
    const [base, next] = [a, b].map((step) => join(TRACES, job, `step-${step}.${format}`));
    return { name: `${job} ${a} to ${b}`, base, next };
  };
  return [
    of('gpt', 700, 701),
    of('gpt', 700, 710),
    of('gpt', 700, 800),
    of('gpt-bf16grad', 700, 701),
    of('bf16', 700, 701, 'safetensors'),
    of('bf16', 700, 800, 'safetensors'),
  ];
}

/** A larger file, for speeds: AdamW by its law, one step apart. */
function syntheticPair() {
  const [base, next] = adamwChain(join(folder, 'synthetic'), (gib * 2 ** 30) / 12, 2, false);
  return { name: `synthetic, ${gib} GiB`, base, next };
}

async function compare({ name, base, next }) {
  report.say(`${name}, ${(statSync(next).size / 1e6).toFixed(1)} MB`);
  const methods = [];
  for (const rival of RIVALS)
    methods.push(show(await measure(rival, { base, next, folder: join(folder, 'trial') })));
  for (const found of inPython(base, next)) methods.push(show(found));
  return { name, methods };
}

function inPython(base, next) {
  const script = join(import.meta.dirname, 'rivals.py');
  const trial = join(folder, 'python');
  mkdirSync(trial);
  const { status, stdout, stderr, error } = spawnSync(values.python, [script, base, next, trial], {
    encoding: 'utf8',
  });
  rmSync(trial, { recursive: true, force: true });
  const lines = (stdout ?? '').split('\n').filter((line) => line.startsWith('{'));
  const found = lines.map((line) => JSON.parse(line));
  if (status === 0) return found;
  const reason = error?.message ?? stderr.trim().split('\n').at(-1);
  return [...found, { method: 'Python', skipped: reason }];
}

function show(found) {
  report.line(found);
  const { method, bytes, ratio, save, restore, stallSeconds, skipped } = found;
  if (skipped !== undefined) report.say(`  ${method.padEnd(30)} ${skipped}`);
  else {
    const stall = stallSeconds === undefined ? '' : `, stalls ${(1000 * stallSeconds).toFixed(0)} ms`;
    const speeds = `save ${fixed(save)}, restore ${fixed(restore)} GB/s${stall}`;
    report.say(
      `  ${method.padEnd(30)} ${fixed(ratio).padStart(6)}x  ${`${bytes}`.padStart(11)} bytes  ${speeds}`,
    );
  }
  return found;
}
