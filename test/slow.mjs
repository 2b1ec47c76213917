/**
 * The long tests: `npm run test:slow`. With `--report` it prints what the reliability suites tried, a row for each guarantee;
 * with `--report --write` it puts that table into the README, too. Other arguments go to vitest.
 *
 * Where THETALOG_EVIDENCE names a file, what is tried is added to it and the file stays, and the table is of all that is in it.
 * So suites can run apart, each once, and the last one reports:
 *
 *     export THETALOG_EVIDENCE=/some/new/file
 *     npm run test:slow -- slow-kills
 *     npm run test:slow -- slow-power-cuts --report
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';

const README = join(import.meta.dirname, '../README.md');
const BEGIN = '<!-- reliability: written by npm run test:slow -- --report --write -->';
const END = '<!-- /reliability -->';

/** Guarantees in the order of the table: name in the evidence, what it says, what is counted. */
const ROWS = [
  ['kills', '`kill -9` at any call: what was acknowledged is restorable, bit for bit', 'points'],
  [
    'io-errors',
    'A file system call that fails, once or for ever, or works and says that it failed',
    'points',
  ],
  ['power-cuts', 'Simulated power cuts that tear, reorder and lose what was not synced', 'cuts'],
  ['ext4-power-cuts', 'Real power cuts of ext4', 'cuts'],
  ['damage', 'Bits flipped, objects cut or swapped: found or bit-exact, never wrong bytes', 'faults'],
  ['processes', '8 processes save, restore, forget, collect and compact one store', 'operations'],
  [
    'stopped-writers',
    'A writer stopped at any storage call while `gc` without grace runs to its end',
    'points',
  ],
  ['malformed-inputs', 'Malformed files and objects: a typed error, in bounded time and memory', 'inputs'],
  ['reference-readers', 'Malformed files with tensors: what Python finds in them', 'files'],
];

const flags = new Set(['--report', '--write']);
const asked = new Set(process.argv.slice(2).filter((argument) => flags.has(argument)));
const rest = process.argv.slice(2).filter((argument) => !flags.has(argument));

const scratch = mkdtempSync(join(tmpdir(), 'thetalog-evidence-'));
const evidenceFile = process.env.THETALOG_EVIDENCE || join(scratch, 'evidence.jsonl');
const vitest = join(import.meta.dirname, '../node_modules/vitest/vitest.mjs');
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--config', 'vitest.slow.config.ts', ...rest],
  { stdio: 'inherit', env: { ...process.env, THETALOG_EVIDENCE: evidenceFile } },
);
if (asked.has('--report')) {
  const table = tableOf(readEvidence(evidenceFile));
  console.log(`\n${table}`);
  if (asked.has('--write')) writeTable(table);
}
rmSync(scratch, { recursive: true, force: true });
process.exit(status ?? 1);

function readEvidence(file) {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
}

/** Parts of a guarantee in the order of their first mention, with the sums of their cases; one without says why. */
function tableOf(evidence) {
  const lines = ['| guarantee | tried, 0 failed | of these |', '| --- | --- | --- |'];
  for (const [guarantee, text, unit] of ROWS) {
    const parts = new Map();
    for (const { part, cases, ...of } of evidence) {
      if (of.guarantee === guarantee) parts.set(part, (parts.get(part) ?? 0) + cases);
    }
    const total = [...parts.values()].reduce((sum, cases) => sum + cases, 0);
    const details = [...parts]
      .map(([part, cases]) => (cases === 0 ? part : `${part} ${cases.toLocaleString('en')}`))
      .join(', ');
    const count = total === 0 ? 'not tried here' : `${total.toLocaleString('en')} ${unit}`;
    lines.push(`| ${text} | ${count} | ${details} |`);
  }
  const { node } = process.versions;
  lines.push('', `Node ${node}, ${cpus().length} cores, ${process.platform}.`);
  return lines.join('\n');
}

function writeTable(table) {
  const text = readFileSync(README, 'utf8');
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`README.md has no ${BEGIN} ... ${END}`);
  writeFileSync(README, `${text.slice(0, from + BEGIN.length)}\n${table}\n${text.slice(to)}`);
}
