import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { parseBytes } from '../arguments.js';
import { type BenchFigures, benchMachine } from '../machine-bench.js';
import type { CommandHost } from '../session.js';
import { type Column, printable, tableLines } from '../tables.js';
import { formatBytes, formatRatio } from '../units.js';

const BYTES_DEFAULT = 96 * 2 ** 20;
const GIGA = 1e9;

const COLUMNS: readonly Column[] = [
  { title: 'WHAT' },
  { title: 'GB/s', align: 'right' },
  { title: 'OF COPYING', align: 'right' },
  { title: 'OF WRITING', align: 'right' },
  { title: 'STORED', align: 'right' },
  { title: 'RATIO', align: 'right' },
];

const EXAMPLES = `
Saves and restores a synthetic state, weights in fp32 with both moments of AdamW: first in full, then one step later.
Measured against copying it in memory and writing it to one file that is synced, beside the store if one is named,
else in the folder for temporary files. Takes about ten seconds and cleans up behind itself, on Ctrl-C, too. What was
just written is restored, so reading may come out faster than the disk is.

Examples:
  $ thetalog bench
  $ thetalog bench --size 512MiB --json`;

export function addBenchCommand(program: Command, host: CommandHost): void {
  program
    .command('bench')
    .description('measure saves and restores on this machine')
    .option('--size <bytes>', 'size of the state (default: 96MiB)', parseBytes)
    .addHelpText('after', EXAMPLES)
    .action(async ({ size = BYTES_DEFAULT }: { size?: number }, command: Command) => {
      const session = host.openSession(command);
      const folder = await benchFolder(session.namedLocation);
      const figures = await benchMachine(folder, size, session.operation().signal);
      session.output.print({
        json: [{ folder, ...figures }],
        quiet: figureLines(figures),
        text: () => [
          `a state of ${formatBytes(figures.bytes)}, in ${printable(folder)}`,
          ...figureLines(figures),
        ],
      });
    });
}

/** Beside the store, so on its file system, and never inside it. */
async function benchFolder(location: string | undefined): Promise<string> {
  if (location === undefined) return tmpdir();
  const folder = dirname(resolve(location));
  const status = await stat(folder).catch(() => undefined);
  return status?.isDirectory() === true ? folder : tmpdir();
}

function figureLines(figures: BenchFigures): string[] {
  const { bytes, memcpy, write, firstStoredBytes, nextStoredBytes } = figures;
  const row = (what: string, speed: number, stored?: number): string[] => [
    what,
    (speed / GIGA).toPrecision(3),
    shareText(speed / memcpy),
    shareText(speed / write),
    stored === undefined ? '' : formatBytes(stored),
    stored === undefined ? '' : formatRatio(bytes, stored),
  ];
  return tableLines(COLUMNS, [
    row('copy in memory', memcpy),
    row('write and sync', write),
    row('save in full', figures.firstSave, firstStoredBytes),
    row('save one step later', figures.nextSave, nextStoredBytes),
    row('restore', figures.restore),
  ]);
}

function shareText(share: number): string {
  const percent = 100 * share;
  return `${percent < 100 ? percent.toPrecision(2) : Math.round(percent)} %`;
}
