import { type Command, Option } from 'commander';
import type { ExportOptions, ExportResult } from '../../index.js';
import { collectGlob, collectGroup, parseBytes } from '../arguments.js';
import type { CommandHost } from '../session.js';
import { checkpointName } from '../summaries.js';
import { printable } from '../tables.js';
import { formatBytes, formatCount, formatDuration } from '../units.js';

interface ExportFlags extends Omit<ExportOptions, 'groups' | 'signal' | 'onProgress'> {
  format: 'safetensors';
  group?: ExportOptions['groups'];
}

const EXAMPLES = `
Only tensors are exported: progress, metrics and other plain data stay in the store (thetalog show REF). Names are those of
show; where only the model is exported, the key that holds it in a state or a torch file (model., state_dict.) is left out,
as readers of models expect; --full-names keeps it. Tensors that share memory are written once, the others' names are in the
metadata. --dtype rounds f16, bf16, f32 and f64 to nearest even; what is too large becomes infinite; other types stay.
Files appear whole or not at all. Another model in the folder is a conflict (exit 4) without --force, which removes it.

Examples:
  $ thetalog export pretrain@best:loss --out ./release --group model --dtype bf16 --shard-size 5GB
  $ thetalog export pretrain --out ./adapter.safetensors --include '*.lora_*' --exclude '*.bias'`;

export function addExportCommand(program: Command, host: CommandHost): void {
  program
    .command('export')
    .description('write tensors of a checkpoint as safetensors, with names that other programs expect')
    .argument('<ref>', 'the checkpoint')
    .requiredOption('--out <path>', 'a file (*.safetensors), or a folder for model.safetensors or its shards')
    .addOption(new Option('--format <name>', 'the format').choices(['safetensors']).default('safetensors'))
    .option(
      '--shard-size <size>',
      'most bytes of tensors in one file, such as 5GB (default: one file)',
      parseBytes,
    )
    .addOption(new Option('--dtype <type>', 'convert float tensors').choices(['bf16', 'f16', 'f32']))
    .option('--include <glob>', 'only these tensors; may be repeated', collectGlob)
    .option('--exclude <glob>', 'not these tensors; may be repeated', collectGlob)
    .option('--group <name>', 'only tensors of this group; may be repeated', collectGroup)
    .option('--full-names', 'keep names as show has them')
    .option('--force', 'replace another model')
    .addHelpText('after', EXAMPLES)
    .action(async (ref: string, flags: ExportFlags, command: Command) => {
      const session = host.openSession(command);
      const { format: _, group: groups, ...given } = flags;
      const options = { ...given, ...(groups === undefined ? {} : { groups }), ...session.operation() };
      const result = await session.withStore((store) => store.export(ref, options));
      session.output.print({ json: [result], quiet: [], text: () => exportedLines(result, flags.out) });
    });
}

function exportedLines(result: ExportResult, out: string): string[] {
  const { files, bytes, tensors, tied, seconds, droppedGroups } = result;
  const lines = Object.entries(tied).map(
    ([name, kept]) => `${printable(name)} is tied to ${printable(kept)}: not written twice`,
  );
  if (droppedGroups.length > 0) lines.push(`without ${droppedGroups.join(', ')}: dropped by retention`);
  const place = `${checkpointName(result)} to ${printable(out)}`;
  const what = `${formatCount(tensors, 'tensor')}, ${formatBytes(bytes)}`;
  lines.push(
    files.length === 0
      ? `exported ${place}: ${what} were there already, unchanged`
      : `exported ${place}: ${what} in ${formatCount(files.length, 'file')} in ${formatDuration(seconds)}`,
  );
  return lines;
}
