import type { Command } from 'commander';
import type { StoreStats } from '../../index.js';
import type { CommandHost } from '../session.js';
import { keyValueLines } from '../tables.js';
import { formatBytes, formatPercent, formatRatio } from '../units.js';

const EXAMPLES = `
Examples:
  $ thetalog stats
  $ thetalog stats pretrain@latest --json`;

export function addStatsCommand(program: Command, host: CommandHost): void {
  program
    .command('stats')
    .description('show sizes of the store, or of one checkpoint')
    .argument('[ref]', 'only this checkpoint')
    .addHelpText('after', EXAMPLES)
    .action(async (ref: string | undefined, _flags: object, command: Command) => {
      const session = host.openSession(command);
      const stats = await session.withStore((store) => store.stats(ref));
      const lines = ref === undefined ? storeLines(stats) : checkpointLines(stats);
      session.output.print({ json: [stats], quiet: lines, text: () => lines });
    });
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
