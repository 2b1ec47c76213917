import type { Command } from 'commander';
import type { RestoreFilesOptions, RestoreResult } from '../../index.js';
import { EXIT_CODES } from '../exit-codes.js';
import { isAnythingLost, lostText } from '../remains.js';
import type { CommandHost } from '../session.js';
import { checkpointName } from '../summaries.js';
import { printable } from '../tables.js';
import { formatBytes, formatCount, formatDuration } from '../units.js';

type RestoreFlags = Pick<RestoreFilesOptions, 'out' | 'tensors' | 'force' | 'allowDamaged'>;

const EXAMPLES = `
Files appear whole or not at all. Files of equal content are left alone; a file of other content is a
conflict (exit 4) without --force. If anything is damaged, nothing is written (exit 5); with --allow-damaged whatever
is sound is: whole files, and the sound tensors of the others as one safetensors file. The rest is named (exit 5).
Of what retention dropped groups from, --tensors restores what is left, and so does --allow-damaged (no damage: exit 0).

Examples:
  $ thetalog restore pretrain --out ./resume
  $ thetalog restore pretrain@best:loss --out ./best --tensors 'model.layers.0.*'`;

export function addRestoreCommand(program: Command, host: CommandHost): void {
  program
    .command('restore')
    .description('write the files of a checkpoint, byte for byte')
    .argument('<ref>', 'the checkpoint')
    .requiredOption('--out <dir>', 'the folder to write into')
    .option('--tensors <glob>', 'only the matching tensors, as one safetensors file')
    .option('--force', 'replace files of other content')
    .option('--allow-damaged', 'restore what is sound of a damaged checkpoint')
    .addHelpText('after', EXAMPLES)
    .action(async (ref: string, flags: RestoreFlags, command: Command) => {
      const session = host.openSession(command);
      const options = { ...flags, ...session.operation() };
      const result = await session.withStore((store) => store.restoreFiles(ref, options));
      session.output.print({ json: [result], quiet: [], text: () => restoredLines(result, flags.out) });
      if (isAnythingLost(result.lost)) host.setExitCode(EXIT_CODES.corrupt);
    });
}

function restoredLines(result: RestoreResult, out: string): string[] {
  const { droppedGroups } = result;
  return [
    ...(droppedGroups.length > 0 ? [`without ${droppedGroups.join(', ')}: dropped by retention`] : []),
    ...(isAnythingLost(result.lost) ? [`lost: ${lostText(result.lost)}`] : []),
    restoredLine(result, out),
  ];
}

function restoredLine(result: RestoreResult, out: string): string {
  const { files, bytes, seconds } = result;
  const place = `${checkpointName(result)} to ${printable(out)}`;
  if (files.length === 0) return `restored ${place}: every file was there already, unchanged`;
  return `restored ${place}: ${formatCount(files.length, 'file')}, ${formatBytes(bytes)} in ${formatDuration(seconds)}`;
}
