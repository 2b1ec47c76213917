import type { Command } from 'commander';
import type { RepairResult } from '../../index.js';
import { EXIT_CODES } from '../exit-codes.js';
import { remainsText } from '../remains.js';
import type { CommandHost } from '../session.js';
import { formatCount } from '../units.js';

interface RepairFlags {
  dryRun?: boolean;
  dropDamaged?: boolean;
}

const EXAMPLES = `
Reads all packs, and gives every checkpoint an index of what is sound. Damaged chunks are in no index afterwards: saving
the same content again stores them anew and heals older checkpoints. Damaged catalogue pages and a damaged root are
put together from what is left. Nothing is deleted; checkpoints that have lost something stay, unless --drop-damaged.
Exit 5: some have, and are still there.

Examples:
  $ thetalog repair --dry-run
  $ thetalog repair
  $ thetalog repair --drop-damaged && thetalog gc`;

export function addRepairCommand(program: Command, host: CommandHost): void {
  program
    .command('repair')
    .description('rebuild what damage can be made good')
    .option('--drop-damaged', 'drop checkpoints that have lost something, with their tags and pins')
    .option('-n, --dry-run', 'only say what would be done')
    .addHelpText('after', EXAMPLES)
    .action(async (flags: RepairFlags, command: Command) => {
      const session = host.openSession(command);
      const result = await session.withStore((store) => store.repair({ ...flags, ...session.operation() }));
      session.output.print({ json: [result], quiet: [], text: () => repairLines(result) });
      if (result.checkpoints.some(({ outcome }) => outcome === 'kept')) host.setExitCode(EXIT_CODES.corrupt);
    });
}

const VERBS = {
  healed: 'whole again',
  kept: 'kept',
  dropped: 'dropped',
  reduced: 'kept as if retention had dropped groups',
};

function repairLines(result: RepairResult): string[] {
  const { dryRun, records, damagedRecords, movedRecords, reindexed, pagesRebuilt, checkpoints } = result;
  const would = dryRun ? 'would be ' : '';
  const lines = checkpoints.map((checkpoint) => {
    const verb = VERBS[checkpoint.outcome];
    return checkpoint.outcome === 'healed'
      ? `${would}${verb}: ${remainsText(checkpoint)}`
      : `${would}${verb}, left: ${remainsText(checkpoint)}`;
  });
  if (result.rootRebuilt) lines.push(`${would}made anew: the root, without tags and pins`);
  if (pagesRebuilt > 0) lines.push(`${would}made anew: ${formatCount(pagesRebuilt, 'catalogue page')}`);
  if (movedRecords > 0) lines.push(`${would}moved to a sound pack: ${formatCount(movedRecords, 'chunk')}`);
  const counts = `${formatCount(records, 'chunk')}, ${damagedRecords} damaged`;
  return [...lines, `read ${counts}; ${formatCount(reindexed, 'checkpoint')} ${would}indexed anew`];
}
