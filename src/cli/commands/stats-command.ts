import type { Command } from 'commander';
import {
  type CheckpointSizes,
  type RunSizes,
  type Sizes,
  type StoreStats,
  ThetalogError,
} from '../../index.js';
import type { CommandHost } from '../session.js';
import { type Column, keyValueLines, printable, shortId, tableLines } from '../tables.js';
import { formatBytes, formatPercent, formatRatio } from '../units.js';

interface StatsFlags {
  checkpoints?: boolean;
  runs?: boolean;
}

const SIZE_COLUMNS: readonly Column[] = [
  { title: 'LOGICAL', align: 'right' },
  { title: 'NEW', align: 'right' },
  { title: 'EXCLUSIVE', align: 'right' },
  { title: 'RECLAIMABLE', align: 'right' },
];
const CHECKPOINT_COLUMNS: readonly Column[] = [
  { title: 'ID' },
  { title: 'RUN' },
  { title: 'STEP', align: 'right' },
  ...SIZE_COLUMNS,
];
const RUN_COLUMNS: readonly Column[] = [
  { title: 'RUN' },
  { title: 'CHECKPOINTS', align: 'right' },
  ...SIZE_COLUMNS,
];

const EXAMPLES = `
NEW is what saving it added. EXCLUSIVE is what only it needs: free after forgetting it, compact and gc. RECLAIMABLE are
objects that only it needs, whole: free after forgetting it and gc. Those of a run are of all its checkpoints together.

Examples:
  $ thetalog stats
  $ thetalog stats pretrain@latest --json
  $ thetalog stats --runs
  $ thetalog stats --checkpoints`;

export function addStatsCommand(program: Command, host: CommandHost): void {
  program
    .command('stats')
    .description('show sizes of the store, or of one checkpoint')
    .argument('[ref]', 'only this checkpoint')
    .option('--checkpoints', 'a line for each checkpoint')
    .option('--runs', 'a line for each run')
    .addHelpText('after', EXAMPLES)
    .action(async (ref: string | undefined, flags: StatsFlags, command: Command) => {
      const session = host.openSession(command);
      if (flags.checkpoints === true || flags.runs === true) {
        assertNoRef(ref);
        const { checkpoints, runs } = await session.withStore((store) => store.sizes(session.operation()));
        const [columns, rows] =
          flags.runs === true
            ? [RUN_COLUMNS, runs.map(runRow)]
            : [CHECKPOINT_COLUMNS, checkpoints.map(checkpointRow)];
        const [titles = '', ...lines] = tableLines(columns, rows);
        session.output.print({
          json: flags.runs === true ? runs : checkpoints,
          quiet: lines,
          text: () => [session.output.style('bold', titles), ...lines],
        });
        return;
      }
      const stats = await session.withStore((store) => store.stats(ref));
      const lines = ref === undefined ? storeLines(stats) : checkpointLines(stats);
      session.output.print({ json: [stats], quiet: lines, text: () => lines });
    });
}

function assertNoRef(ref: string | undefined): void {
  if (ref === undefined) return;
  throw new ThetalogError('invalid', 'ref-and-table', '--checkpoints and --runs are of the whole store.', {
    object: ref,
    hint: 'Leave out the checkpoint, or the option.',
  });
}

function checkpointRow({ id, run, step, ...sizes }: CheckpointSizes): string[] {
  return [shortId(id), printable(run), step === null ? '' : String(step), ...sizeCells(sizes)];
}

function runRow({ run, checkpoints, ...sizes }: RunSizes): string[] {
  return [printable(run), String(checkpoints), ...sizeCells(sizes)];
}

function sizeCells(sizes: Sizes): string[] {
  const { logicalBytes, newBytes, exclusiveBytes, reclaimableBytes } = sizes;
  return [logicalBytes, newBytes, exclusiveBytes, reclaimableBytes].map(formatBytes);
}

function storeLines(stats: StoreStats): string[] {
  const { logicalBytes, storedBytes, reclaimableBytes } = stats;
  return keyValueLines([
    ['checkpoints', String(stats.checkpoints)],
    ['logical', formatBytes(logicalBytes)],
    ['stored', `${formatBytes(storedBytes)} (${formatRatio(logicalBytes, storedBytes)})`],
    [
      'reclaimable',
      `${formatBytes(reclaimableBytes)} (${formatPercent(reclaimableBytes, storedBytes)} of stored)`,
    ],
    ...countPairs(stats),
  ]);
}

/** What one checkpoint needs is partly needed by others, too; only the rest could be reclaimed. */
function checkpointLines(stats: StoreStats): string[] {
  return keyValueLines([
    ['logical', formatBytes(stats.logicalBytes)],
    ['needs', `${formatBytes(stats.storedBytes)} (bases of its delta chains included)`],
    ['needs alone', `${formatBytes(stats.reclaimableBytes)} (what forgetting it and compacting would free)`],
    ...countPairs(stats),
  ]);
}

function countPairs({ chunks, packs, maxHeight, restoreFactor }: StoreStats): [string, string][] {
  return [
    ['chunks', String(chunks)],
    ['packs', String(packs)],
    ['longest chain', String(maxHeight)],
    ['restore factor', `${restoreFactor.toFixed(2)} x a full checkpoint, at most`],
  ];
}
