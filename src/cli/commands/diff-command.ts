import type { Command } from 'commander';
import type { Difference, TensorDifference } from '../../index.js';
import type { Output } from '../output.js';
import type { CommandHost } from '../session.js';
import { type Column, printable, tableLines } from '../tables.js';
import { formatPercent } from '../units.js';

type Change = TensorDifference['change'];

const COLUMNS: readonly Column[] = [
  { title: 'TENSOR' },
  { title: 'CHANGE' },
  { title: 'DTYPE' },
  { title: 'SHAPE' },
  { title: 'CHANGED ELEMENTS', align: 'right' },
  { title: 'MAX ABS', align: 'right' },
];

const MAX_ABS_DIGITS = 4;
const CHANGES: readonly Change[] = ['changed', 'added', 'removed', 'equal'];

const EXAMPLES = `
Prints the tensors and files that are not equal, with the share of their elements that changed and the
largest absolute difference. With -q: their names only.

Examples:
  $ thetalog diff pretrain@step:100 pretrain@step:200
  $ thetalog diff pretrain~1 pretrain --json | jq '.tensors[] | select(.change == "changed")'`;

export function addDiffCommand(program: Command, host: CommandHost): void {
  program
    .command('diff')
    .description('compare two checkpoints')
    .argument('<a>', 'the older checkpoint')
    .argument('<b>', 'the newer checkpoint')
    .addHelpText('after', EXAMPLES)
    .action(async (a: string, b: string, _flags: object, command: Command) => {
      const session = host.openSession(command);
      const difference = await session.withStore((store) => store.diff(a, b, session.operation()));
      const unequal = difference.tensors.filter((tensor) => tensor.change !== 'equal');
      const files = difference.files.filter((file) => file.change !== 'equal');
      session.output.print({
        json: [difference],
        quiet: [...unequal.map((tensor) => tensor.name), ...files.map((file) => file.path)].map(printable),
        text: () => [
          ...tensorLines(unequal, session.output),
          ...files.map((file) => `file ${file.change}: ${printable(file.path)}`),
          summaryLine(difference),
        ],
      });
    });
}

function tensorLines(tensors: readonly TensorDifference[], output: Output): string[] {
  if (tensors.length === 0) return [];
  const rows = tensors.map(({ name, change, dtype, shape, elements, changedElements, maxAbs }) => [
    name,
    change,
    beforeAndAfter(dtype),
    beforeAndAfter([shapeText(shape[0]), shapeText(shape[1])]),
    changedElements === null ? '' : `${changedElements} (${formatPercent(changedElements, elements)})`,
    maxAbs === null ? '' : maxAbs.toPrecision(MAX_ABS_DIGITS),
  ]);
  const [titles = '', ...lines] = tableLines(COLUMNS, rows);
  return [output.style('bold', titles), ...lines];
}

/** Returns for example `tensors: 12 changed, 1 added, 40 equal (35.2 % of elements); files: 1 changed`. */
function summaryLine({ tensors, files }: Difference): string {
  const compared = tensors.filter((tensor) => tensor.changedElements !== null);
  const changed = compared.reduce((sum, tensor) => sum + (tensor.changedElements ?? 0), 0);
  const elements = compared.reduce((sum, tensor) => sum + tensor.elements, 0);
  const share = elements > 0 ? ` (${formatPercent(changed, elements)} of elements changed)` : '';
  return `tensors: ${countText(tensors)}${share}; files: ${countText(files)}`;
}

function countText(items: readonly { change: Change }[]): string {
  const counts = CHANGES.map((change) => ({
    change,
    count: items.filter((item) => item.change === change).length,
  }));
  const shown = counts.filter(({ count }) => count > 0).map(({ change, count }) => `${count} ${change}`);
  return shown.length === 0 ? 'none' : shown.join(', ');
}

function beforeAndAfter([before, after]: readonly [string | null, string | null]): string {
  return before === null || after === null || before === after
    ? (after ?? before ?? '')
    : `${before} -> ${after}`;
}

function shapeText(shape: number[] | null): string | null {
  return shape === null ? null : `[${shape.join(', ')}]`;
}
