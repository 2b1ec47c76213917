import type { Command } from 'commander';
import type { CheckpointDetail } from '../../index.js';
import type { Output } from '../output.js';
import type { CommandHost } from '../session.js';
import { checkpointLines } from '../summaries.js';
import { type Column, printable, tableLines } from '../tables.js';
import { formatBytes, formatCount } from '../units.js';

const FILE_COLUMNS: readonly Column[] = [
  { title: 'FILE' },
  { title: 'FORMAT' },
  { title: 'BYTES', align: 'right' },
];

const TENSOR_COLUMNS: readonly Column[] = [
  { title: 'TENSOR' },
  { title: 'GROUP' },
  { title: 'DTYPE' },
  { title: 'SHAPE' },
  { title: 'BYTES', align: 'right' },
  { title: 'SHARED WITH' },
];

const EXAMPLES = `
Examples:
  $ thetalog show pretrain@step:1200
  $ thetalog show pretrain --json | jq '.tensors[].name'`;

export function addShowCommand(program: Command, host: CommandHost): void {
  program
    .command('show')
    .description('show all that a checkpoint holds')
    .argument('<ref>', 'the checkpoint')
    .addHelpText('after', EXAMPLES)
    .action(async (ref: string, _flags: object, command: Command) => {
      const session = host.openSession(command);
      const detail = await session.withStore((store) => store.show(ref));
      session.output.print({
        json: [detail],
        quiet: [detail.id],
        text: () => detailLines(detail, session.output),
      });
    });
}

function detailLines(detail: CheckpointDetail, output: Output): string[] {
  const lines = checkpointLines(detail);
  if (detail.files.length > 0) {
    const files = detail.files.map(({ path, format, bytes }) => [path, format, formatBytes(bytes)]);
    lines.push('', `${formatCount(detail.files.length, 'file')}:`, ...titled(FILE_COLUMNS, files, output));
  }
  if (detail.directories.length > 0)
    lines.push('', `folders: ${detail.directories.map(printable).join(', ')}`);
  if (detail.tensors.length > 0) {
    const tensors = detail.tensors.map(({ name, group, dtype, shape, bytes, aliases }) => [
      name,
      group,
      dtype,
      `[${shape.join(', ')}]`,
      formatBytes(bytes),
      aliases.join(', '),
    ]);
    lines.push(
      '',
      `${formatCount(detail.tensors.length, 'tensor')}:`,
      ...titled(TENSOR_COLUMNS, tensors, output),
    );
  }
  return lines;
}

function titled(columns: readonly Column[], rows: string[][], output: Output): string[] {
  const [titles = '', ...lines] = tableLines(columns, rows);
  return [output.style('bold', titles), ...lines];
}
