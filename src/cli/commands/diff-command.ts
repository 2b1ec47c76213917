import { writeFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import type { Difference, DiffOptions, Group, PlainDifference, TensorDifference } from '../../index.js';
import { collectGroup } from '../arguments.js';
import { type ChangeMeasure, drawChangeMap, readChangeMap } from '../change-map.js';
import type { Output } from '../output.js';
import type { CommandHost, Session } from '../session.js';
import { type Column, printable, shortId, tableLines } from '../tables.js';
import { formatCount, formatPercent } from '../units.js';

interface DiffFlags {
  group?: Group[];
  tensors?: string;
  svg?: string;
  by: ChangeMeasure;
}

type Change = TensorDifference['change'];

const COLUMNS: readonly Column[] = [
  { title: 'TENSOR' },
  { title: 'CHANGE' },
  { title: 'DTYPE' },
  { title: 'SHAPE' },
  { title: 'CHANGED ELEMENTS', align: 'right' },
  { title: 'L2', align: 'right' },
  { title: 'MAX ABS', align: 'right' },
  { title: 'NEW NAN', align: 'right' },
  { title: 'NEW INF', align: 'right' },
];

const DIGITS = 4;
const CHANGES: readonly Change[] = ['changed', 'added', 'removed', 'equal'];
/** Keys of plain data shown before the rest is only counted; `--json` has all. */
const PLAIN_MAX = 20;

const EXAMPLES = `
Prints the tensors and files that are not equal: the share of elements whose bytes differ, the Euclidean norm (L2) and
the largest absolute value of the difference, and how many elements are NaN or infinite in B and were not in A. Then
the configuration, progress and metrics that differ. With -q: names only. Chunks that both have are not read.

With --svg: a heat map of modules over all checkpoints from A to B along the lineage, each compared with the one before.
In JSON infinities are strings, and so are integers beyond 2^53.

Examples:
  $ thetalog diff pretrain@step:100 pretrain@step:200
  $ thetalog diff pretrain~1 pretrain --group model --tensors '*.weight'
  $ thetalog diff pretrain~1 pretrain --json | jq '.tensors[] | select(.change == "changed")'
  $ thetalog diff pretrain@step:100 pretrain --svg changes.svg --by changed`;

export function addDiffCommand(program: Command, host: CommandHost): void {
  program
    .command('diff')
    .description('compare two checkpoints, or all between them')
    .argument('<a>', 'the older checkpoint')
    .argument('<b>', 'the newer checkpoint')
    .option('--group <name>', 'only tensors of this group; may be repeated', collectGroup)
    .option('--tensors <glob>', 'only tensors whose names match')
    .option('--svg <file>', 'draw a heat map of modules over the checkpoints from A to B')
    .addOption(
      new Option('--by <measure>', 'colours: norm of the change against the norm before, or changed elements')
        .choices(['l2', 'changed'])
        .default('l2'),
    )
    .addHelpText('after', EXAMPLES)
    .action(async (a: string, b: string, { svg, by, ...flags }: DiffFlags, command: Command) => {
      const session = host.openSession(command);
      const { group: groups, tensors } = flags;
      const options = {
        ...(groups === undefined ? {} : { groups }),
        ...(tensors === undefined ? {} : { tensors }),
        ...session.operation(),
      };
      if (svg === undefined) await printDifference(session, [a, b], options);
      else await drawDifferences(session, [a, b], options, { svg, by });
    });
}

async function printDifference(
  session: Session,
  [a, b]: readonly [string, string],
  options: DiffOptions,
): Promise<void> {
  const difference = await session.withStore((store) => store.diff(a, b, options));
  const unequal = difference.tensors.filter((tensor) => tensor.change !== 'equal');
  const files = difference.files.filter((file) => file.change !== 'equal');
  session.output.print({
    json: session.output.json ? [jsonDifference(difference)] : [],
    quiet: [...unequal.map((tensor) => tensor.name), ...files.map((file) => file.path)].map(printable),
    text: () => [
      ...tensorLines(unequal, session.output),
      ...files.map((file) => `file ${file.change}: ${printable(file.path)}`),
      ...plainLines(difference.plain),
      summaryLine(difference),
    ],
  });
}

async function drawDifferences(
  session: Session,
  refs: readonly [string, string],
  options: DiffOptions,
  { svg, by }: { svg: string; by: ChangeMeasure },
): Promise<void> {
  const map = await session.withStore((store) => readChangeMap(store, refs, by, options));
  await writeFile(svg, drawChangeMap(map));
  const { checkpoints, rows } = map;
  const size = `${formatCount(rows.length, 'row')} over ${formatCount(checkpoints.length, 'checkpoint')}`;
  session.output.print({
    json: [{ svg, measure: by, checkpoints: checkpoints.map(({ id }) => id), rows }],
    quiet: [],
    text: () => [
      `drew ${printable(svg)}: ${size}, ${shortId(checkpoints[0].id)} to ${shortId(checkpoints[checkpoints.length - 1].id)}`,
    ],
  });
}

function tensorLines(tensors: readonly TensorDifference[], output: Output): string[] {
  if (tensors.length === 0) return [];
  const rows = tensors.map(({ name, change, dtype, shape, elements, changedElements, ...figures }) => [
    name,
    change,
    beforeAndAfter(dtype),
    beforeAndAfter([shapeText(shape[0]), shapeText(shape[1])]),
    changedElements === null ? '' : `${changedElements} (${formatPercent(changedElements, elements)})`,
    figures.l2 === null ? '' : figures.l2.toPrecision(DIGITS),
    figures.maxAbs === null ? '' : figures.maxAbs.toPrecision(DIGITS),
    figures.newNan ? String(figures.newNan) : '',
    figures.newInfinite ? String(figures.newInfinite) : '',
  ]);
  const [titles = '', ...lines] = tableLines(COLUMNS, rows);
  return [output.style('bold', titles), ...lines];
}

function plainLines(plain: readonly PlainDifference[]): string[] {
  const shown = plain.slice(0, PLAIN_MAX).map(({ path, change, before, after }) => {
    const values = change === 'changed' ? `${plainText(before)} -> ${plainText(after)}` : change;
    const value = change === 'added' ? ` ${plainText(after)}` : '';
    return `${printable(path)}: ${values}${value}`;
  });
  return plain.length > PLAIN_MAX ? [...shown, `and ${plain.length - PLAIN_MAX} more; see --json`] : shown;
}

function plainText(value: PlainDifference['before']): string {
  return printable(typeof value === 'string' ? JSON.stringify(value) : String(value));
}

/** Numbers that JSON cannot hold become texts. */
function jsonDifference(difference: Difference): object {
  return JSON.parse(
    JSON.stringify(difference, (_, value: unknown) => {
      if (typeof value === 'bigint') {
        const number = Number(value);
        return Number.isSafeInteger(number) ? number : String(value);
      }
      return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
    }),
  );
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
