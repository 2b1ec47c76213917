import type { Command } from 'commander';
import { parseCount } from '../arguments.js';
import type { CommandHost } from '../session.js';
import { CHECKPOINT_COLUMNS, checkpointRow, checkpointSummary } from '../summaries.js';
import { tableLines } from '../tables.js';

interface ListFlags {
  last?: number;
}

const EXAMPLES = `
Examples:
  $ thetalog list
  $ thetalog list pretrain --last 5
  $ thetalog list pretrain --json | jq -r 'select(.metrics.loss < 2) | .id'`;

export function addListCommand(program: Command, host: CommandHost): void {
  program
    .command('list')
    .alias('ls')
    .description('list checkpoints, oldest first')
    .argument('[run]', 'only this run')
    .option('--last <n>', 'only the latest n of a run', parseCount)
    .addHelpText('after', EXAMPLES)
    .action(async (run: string | undefined, flags: ListFlags, command: Command) => {
      const session = host.openSession(command);
      const filter = { ...flags, ...(run === undefined ? {} : { run }) };
      const checkpoints = await session.withStore((store) => store.list(filter));
      session.output.print({
        json: checkpoints.map(checkpointSummary),
        quiet: checkpoints.map((checkpoint) => checkpoint.id),
        text: () => {
          if (checkpoints.length === 0) return ['no checkpoints'];
          const [titles = '', ...rows] = tableLines(CHECKPOINT_COLUMNS, checkpoints.map(checkpointRow));
          return [session.output.style('bold', titles), ...rows];
        },
      });
    });
}
