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
      const lines = statsLines(stats);
      session.output.print({ json: [stats], quiet: lines, text: () => lines });
    });
}

function statsLines(stats: StoreStats): string[] {
  const { logicalBytes, storedBytes, reclaimableBytes } = stats;
  return keyValueLines([
    ['checkpoints', String(stats.checkpoints)],
    ['logical', formatBytes(logicalBytes)],
    ['stored', `${formatBytes(storedBytes)} (${formatRatio(logicalBytes, storedBytes)})`],
    [
      'reclaimable',
      `${formatBytes(reclaimableBytes)} (${formatPercent(reclaimableBytes, storedBytes)} of stored)`,
    ],
    ['chunks', String(stats.chunks)],
    ['packs', String(stats.packs)],
    ['longest chain', String(stats.maxHeight)],
  ]);
}
