/**
 * What the last runs found, from results/*.json: a page (results/report.html), or with `--markdown` the table of targets,
 * with `--summary` the tables of README.md; `--write` puts both where they belong.
 *
 *   node bench/report.mjs [--markdown | --summary | --write] [--gib N]
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RESULTS } from './harness.mjs';
import { comparisonTable, summaryTable, targetTables } from './report/markdown.mjs';
import { page } from './report/page.mjs';
import { comparison, latestLimits, latestRows, readRuns } from './report/results.mjs';

const { values } = parseArgs({
  options: {
    markdown: { type: 'boolean', default: false },
    summary: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    gib: { type: 'string', default: '1' },
  },
});
const runs = readRuns();
const gib = Number(values.gib);
const rows = latestRows(runs, gib);
const limits = latestLimits(runs, gib);

if (values.markdown) console.log(targetTables(rows, limits, machineLine()));
else if (values.summary) console.log(summary());
else if (values.write) {
  replaceTables('README.md', targetTables(rows, limits, machineLine()));
  replaceTables('../README.md', summary());
} else {
  mkdirSync(RESULTS, { recursive: true });
  const path = join(RESULTS, 'report.html');
  writeFileSync(path, page({ rows, limits, compare: comparison(runs), machineLine: machineLine() }));
  console.log(path);
}

function summary() {
  const compared = comparison(runs);
  const others = compared === undefined ? '' : `${comparisonTable(compared)}\n\n`;
  return `${others}${summaryTable(rows, limits, machineLine())}`;
}

/** Replaces what is between the marks of a file. */
function replaceTables(name, tables) {
  const path = join(import.meta.dirname, name);
  const [start, end] = ['<!-- figures -->', '<!-- end of figures -->'];
  const text = readFileSync(path, 'utf8');
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${path} has no marks for figures`);
  writeFileSync(path, `${text.slice(0, from + start.length)}\n${tables}\n${text.slice(to)}`);
}

function machineLine() {
  const last = runs.at(-1);
  if (last === undefined) return 'Nothing has been measured yet.';
  const { cpu, cores, memoryGib, node, zstd } = last.machine;
  const fileSystem = runs.findLast(({ machine }) => machine.fileSystem !== undefined)?.machine.fileSystem;
  const parts = [`${cores} cores of ${cpu}`, `${memoryGib} GiB`, fileSystem ?? '', `Node ${node}`];
  if (zstd !== undefined) parts.push(`zstd ${zstd}`);
  return `Measured on ${parts.filter(Boolean).join(', ')}; states of ${gib} GiB; ${last.started.slice(0, 10)}.`;
}
