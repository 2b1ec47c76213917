import type { Command } from 'commander';
import type { CheckReport } from '../../index.js';
import { parsePercent } from '../arguments.js';
import { EXIT_CODES } from '../exit-codes.js';
import { faultText, type Output } from '../output.js';
import { remainsText } from '../remains.js';
import type { CommandHost } from '../session.js';
import { checkpointName } from '../summaries.js';
import { printable } from '../tables.js';
import { formatBytes, formatCount } from '../units.js';

interface CheckFlags {
  readData?: number | true;
}

const ALL_PERCENT = 100;

const EXAMPLES = `
Without --read-data only the structure is checked: every object that a checkpoint needs is there and whole.
Exit 0: sound; exit 5: damaged, with each damaged object, the checkpoints that depend on it, and what is left of
these. Then see thetalog repair --help and thetalog restore --help (--allow-damaged).

Examples:
  $ thetalog check
  $ thetalog check --read-data=5%`;

export function addCheckCommand(program: Command, host: CommandHost): void {
  program
    .command('check')
    .description('check that every checkpoint can be restored')
    .option('--read-data [percent]', 'also read and decode chunks: all, or a share of them', parsePercent)
    .addHelpText('after', EXAMPLES)
    .action(async (flags: CheckFlags, command: Command) => {
      const session = host.openSession(command);
      const readData = flags.readData === true ? ALL_PERCENT : flags.readData;
      const options = { ...(readData === undefined ? {} : { readData }), ...session.operation() };
      const report = await session.withStore((store) => store.check(options));
      session.output.print({
        json: [report],
        quiet: report.damaged.map((damage) => printable(damage.object)),
        text: () => reportLines(report, readData !== undefined, session.output),
      });
      if (report.damaged.length > 0) host.setExitCode(EXIT_CODES.corrupt);
    });
}

function reportLines(report: CheckReport, dataRead: boolean, output: Output): string[] {
  const counts = [
    formatCount(report.checkpoints, 'checkpoint'),
    formatCount(report.objects, 'object'),
    formatCount(report.chunks, 'chunk'),
    dataRead ? `${formatBytes(report.bytesRead)} of chunk data` : 'structure only',
  ].join(', ');
  const lines = report.damaged.flatMap((damage) => [
    `${output.style('red', 'damaged:')} ${printable(faultText(damage))}`,
    ...damage.checkpoints.map((checkpoint) => `  needed by ${checkpointName(checkpoint)}`),
  ]);
  lines.push(...report.damagedCheckpoints.map((damaged) => `left of ${remainsText(damaged)}`));
  if (report.unreferenced > 0)
    lines.push(`${formatCount(report.unreferenced, 'object')} not referred to: no damage, gc frees them`);
  const verdict =
    report.damaged.length === 0
      ? output.style('green', 'sound')
      : output.style('red', formatCount(report.damaged.length, 'damaged object'));
  return [...lines, `checked ${counts}: ${verdict}`];
}
