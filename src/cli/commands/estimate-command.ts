import type { Command } from 'commander';
import { type Estimate, type EstimateOptions, estimateFiles } from '../../index.js';
import { collectGlob } from '../arguments.js';
import { EXIT_CODES } from '../exit-codes.js';
import type { CommandHost } from '../session.js';
import { type Column, keyValueLines, tableLines } from '../tables.js';
import { formatBytes, formatCount, formatDuration, formatRatio } from '../units.js';

type EstimateFlags = Pick<EstimateOptions, 'include' | 'exclude' | 'groupByStep'>;

const CHECKPOINT_COLUMNS: readonly Column[] = [
  { title: 'CHECKPOINT' },
  { title: 'STEP', align: 'right' },
  { title: 'LOGICAL', align: 'right' },
  { title: 'STORED', align: 'right' },
  { title: 'RATIO', align: 'right' },
  { title: 'SAVE', align: 'right' },
];

const PART_COLUMNS: readonly Column[] = [
  { title: 'PART' },
  { title: 'DTYPE' },
  { title: 'LOGICAL', align: 'right' },
  { title: 'IN FULL', align: 'right' },
  { title: 'AS DELTAS', align: 'right' },
  { title: 'RATIO', align: 'right' },
];

const EXAMPLES = `
Reads all checkpoints of a folder as watch --once would take them in, and encodes all of them: the sizes are those of a store. Writes
nothing, needs no store, and no memory for whole checkpoints. Times are those of this machine as busy as it is, without writing to a disk.
The exit code is that of the first checkpoint that could not be looked at.

Examples:
  $ thetalog estimate ./checkpoints
  $ thetalog estimate ./checkpoints --include 'step-*' --json`;

export function addEstimateCommand(program: Command, host: CommandHost): void {
  program
    .command('estimate')
    .description('say what storing the checkpoints of a folder would take')
    .argument('<dir>', 'a folder of checkpoints: files, folders')
    .option('--include <glob>', 'only entries of such names; may be repeated', collectGlob)
    .option('--exclude <glob>', 'no entries of such names; may be repeated', collectGlob)
    .option('--group-by-step', 'entries of one step are one checkpoint: model_100.pt, optimizer_100.pt')
    .addHelpText('after', EXAMPLES)
    .action(async (folder: string, flags: EstimateFlags, command: Command) => {
      const session = host.openSession(command);
      const estimate = await estimateFiles(folder, { ...flags, ...session.operation() });
      session.hideProgress();
      for (const { warnings } of estimate.checkpoints)
        for (const warning of warnings) session.output.warn(warning);
      for (const { source, error } of estimate.problems) {
        const { code, message, object = source, offset = null } = error;
        session.output.warn({ code, message, object, offset });
      }
      session.output.print({ json: [estimate], quiet: [], text: () => estimateLines(estimate) });
      const [first] = estimate.problems;
      if (first !== undefined) host.setExitCode(EXIT_CODES[first.error.kind]);
    });
}

function estimateLines(estimate: Estimate): string[] {
  const { checkpoints, parts, metadataBytes } = estimate;
  const rows = checkpoints.map(({ source, step, logicalBytes, storedBytes, seconds }) => [
    source,
    step === null ? '' : String(step),
    ...sizes(logicalBytes, storedBytes),
    formatDuration(seconds),
  ]);
  const partRows = parts.map(({ group, slot, dtype, rawBytes, fullBytes, deltaBytes }) => [
    slot === '' ? group : `${group} ${slot}`,
    dtype,
    formatBytes(rawBytes),
    formatBytes(fullBytes),
    formatBytes(deltaBytes),
    formatRatio(rawBytes, fullBytes + deltaBytes),
  ]);
  const metadata = ['metadata', '', '', formatBytes(metadataBytes), '', ''];
  return [
    ...tableLines(CHECKPOINT_COLUMNS, rows),
    '',
    ...tableLines(PART_COLUMNS, [...partRows, metadata]),
    '',
    ...summaryLines(estimate),
  ];
}

function sizes(logicalBytes: number, storedBytes: number): string[] {
  return [formatBytes(logicalBytes), formatBytes(storedBytes), formatRatio(logicalBytes, storedBytes)];
}

function summaryLines(estimate: Estimate): string[] {
  const { checkpoints, logicalBytes, saveBytesPerSecond, restoreBytesPerSecond } = estimate;
  const [first, ...others] = checkpoints;
  const last = others.at(-1) ?? first;
  const stored = (some: typeof checkpoints): string => {
    const logical = some.reduce((sum, checkpoint) => sum + checkpoint.logicalBytes, 0);
    const bytes = some.reduce((sum, checkpoint) => sum + checkpoint.storedBytes, 0);
    return `${formatBytes(logical)}, stored ${formatBytes(bytes)} (${formatRatio(logical, bytes)})`;
  };
  const speed = (rate: number): string => `${formatBytes(rate)}/s`;
  const restoring = restoreBytesPerSecond ?? 0;
  return keyValueLines([
    ['all', `${formatCount(checkpoints.length, 'checkpoint')}, ${stored(checkpoints)}`],
    ['first', first === undefined ? null : stored([first])],
    ['the others', others.length === 0 ? null : stored(others)],
    [
      'saving',
      saveBytesPerSecond === 0
        ? null
        : `${speed(saveBytesPerSecond)}, all in ${formatDuration(logicalBytes / saveBytesPerSecond)}`,
    ],
    [
      'restoring',
      last === undefined || restoring === 0
        ? null
        : `${speed(restoring)}, the last one in ${formatDuration(last.logicalBytes / restoring)}`,
    ],
  ]);
}
