/** Tables of targets and figures for README files. */
import { fixed, shownFigure } from '../harness.mjs';
import { shortfallOf } from './shortfalls.mjs';

const TITLES = { bytes: 'Bytes', kernels: 'Kernels, one core', engine: 'Whole operations' };

const cell = (text) => `${text}`.replaceAll('|', '\\|');

/** All targets, section by section: target, reached, how measured, what limits. */
export function targetTables(rows, limits, machineLine) {
  const parts = [machineLine];
  for (const [section, title] of Object.entries(TITLES)) {
    parts.push(`\n### ${title}\n`);
    parts.push('| row | target | reached | how measured | what limits |', '| --- | --- | --- | --- | --- |');
    for (const row of rows.filter((candidate) => candidate.section === section)) parts.push(targetLine(row));
  }
  parts.push('', limitsLine(limits));
  return parts.join('\n');
}

function targetLine(row) {
  const { row: name, target, ok, how = '', note, skipped } = row;
  const mark = ok === null ? `- (${skipped})` : `${shownFigure(row)}${ok ? '' : ', short'}`;
  const busy = row.load?.loaded ? '; MACHINE BUSY' : '';
  const detail = `${how}${note === undefined ? '' : ` (${note})`}${busy}`;
  return `| ${[name, target, mark, detail, shortfallOf(row)].map(cell).join(' | ')} |`;
}

/** What README.md shows: the main operations with their speeds. */
export function summaryTable(rows, limits, machineLine) {
  const shown = [
    'stall',
    'same-memory',
    'save-1',
    'save-100',
    'files-1-pth',
    'files-100-pth',
    'first-save',
    'restore-cold',
    'restore-warm',
    'restore-files-0',
    'chain-worst',
    'tensor',
  ];
  const lines = [];
  for (const id of shown) {
    const row = rows.find((candidate) => candidate.id === id);
    if (row === undefined || row.reached === null) continue;
    const speed = row.gigabytesPerSecond === undefined ? '' : fixed(row.gigabytesPerSecond);
    lines.push(`| ${row.row} | ${speed} | ${fixed(row.reached)} ${row.unit} | ${row.target} |`);
  }
  if (lines.length === 0) return machineLine;
  lines.unshift('| operation | GB/s | against | target |', '| --- | --- | --- | --- |');
  return `${lines.join('\n')}\n\n${limitsLine(limits)} ${machineLine}`;
}

function limitsLine(limits) {
  const parts = Object.entries(limits).map(([name, { median }]) => `${name} ${fixed(median)}`);
  return `Limits of the same runs, GB/s: ${parts.join(', ')}.`;
}

/** Times smaller than the file, by method and pair of checkpoints; methods from the best on. */
export function comparisonTable({ pairs }) {
  const ratioOf = (pair, method) => pair.methods.find((found) => found.method === method)?.ratio;
  const ratios = (method) => pairs.map((pair) => ratioOf(pair, method));
  const methods = [...new Set(pairs.flatMap((pair) => pair.methods.map(({ method }) => method)))]
    .filter((method) => ratios(method).some(Number.isFinite))
    .filter((method) => !['DCP async_save', 'zstd -1'].includes(method))
    .sort((a, b) => (ratioOf(pairs[0], b) ?? 0) - (ratioOf(pairs[0], a) ?? 0));
  const lines = [
    `| ${['times smaller', ...pairs.map(({ name }) => name)].join(' | ')} |`,
    `| ${['---', ...pairs.map(() => '---')].join(' | ')} |`,
    ...methods.map((method) => `| ${[method, ...ratios(method).map(fixed)].join(' | ')} |`),
  ];
  return lines.join('\n');
}
