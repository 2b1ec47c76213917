/** What changed from checkpoint to checkpoint of a lineage, by module: the numbers of `diff --svg`. */
import {
  type CheckpointInfo,
  type DiffOptions,
  type Store,
  type TensorDifference,
  ThetalogError,
} from '../index.js';
import { drawHeatMap, type HeatMap, type HeatMapRow } from './drawing/heat-map.js';
import { shortId } from './tables.js';

/** `l2`: norm of the difference against the norm before; `changed`: share of elements. */
export type ChangeMeasure = 'l2' | 'changed';

export interface ChangeMap {
  measure: ChangeMeasure;
  /** The checkpoints compared, each with the one before it; one more than there are columns. */
  checkpoints: CheckpointInfo[];
  /** Checkpoints between the two ends in all, those included that are not compared. */
  lineage: number;
  rows: HeatMapRow[];
}

/** More rows and columns than this are no longer told apart; larger lineages are thinned out evenly. */
const ROWS_MAX = 128;
const COLUMNS_MAX = 120;
const DIGITS = 3;

/** What has been counted of one module between two checkpoints. */
interface Tally {
  squares: number;
  squaresBefore: number;
  changed: number;
  elements: number;
}

/** Compares the checkpoints from `a` to `b`, its descendant, each with the next. */
export async function readChangeMap(
  store: Store,
  [a, b]: readonly [string, string],
  measure: ChangeMeasure,
  options: DiffOptions,
): Promise<ChangeMap> {
  const line = await lineageBetween(store, a, b);
  const checkpoints = thinned(line, COLUMNS_MAX + 1);
  const differences: TensorDifference[][] = [];
  for (const [at, { id }] of checkpoints.slice(1).entries()) {
    const { tensors } = await store.diff(checkpoints[at].id, id, { ...options, norms: measure === 'l2' });
    differences.push(tensors);
  }
  return { measure, checkpoints, lineage: line.length, rows: moduleRows(differences, measure) };
}

/** Returns the drawing of a map. */
export function drawChangeMap({ measure, checkpoints, lineage, rows }: ChangeMap): string {
  const names = checkpoints.map(({ id, step }) => (step === null ? shortId(id) : String(step)));
  const [first, last] = [checkpoints[0], checkpoints[checkpoints.length - 1]];
  const runs = first.run === last.run ? first.run : `${first.run} to ${last.run}`;
  const thin = checkpoints.length < lineage ? `, ${checkpoints.length} of ${lineage} checkpoints` : '';
  const what = measure === 'l2' ? 'change relative to the norm before' : 'share of elements that changed';
  const map: HeatMap = {
    title: `${runs}: ${names[0]} to ${names[names.length - 1]}${thin}`,
    description: `Heat map: rows are modules, columns are checkpoints, colours the ${what}.`,
    columnTitle: 'step, against the checkpoint before',
    columns: names.slice(1),
    rows,
    valueTitle: what,
    scale: scaleOf(measure, rows),
    valueText: (value) => valueText(measure, value),
  };
  return drawHeatMap(map);
}

/** Returns the checkpoints from `a` to `b`, oldest first; both alone if `a` is no ancestor that is still known. */
async function lineageBetween(store: Store, a: string, b: string): Promise<CheckpointInfo[]> {
  const [[start], line] = [await store.log(a), await store.log(b)];
  const at = line.findIndex(({ id }) => id === start.id);
  if (at === 0)
    throw new ThetalogError('invalid', 'one-checkpoint', `${a} and ${b} are the same checkpoint.`, {
      hint: 'Name two of one lineage, the older one first.',
    });
  return at < 0 ? [start, line[0]] : line.slice(0, at + 1).reverse();
}

/** Returns at most `most` of the items, the first and last among them, evenly spread. */
function thinned<Item>(items: readonly Item[], most: number): Item[] {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, at) => items[Math.round((at * (items.length - 1)) / (most - 1))]);
}

/** Puts tensors together by as many segments of their names as give no more than ROWS_MAX rows. */
function moduleRows(columns: readonly TensorDifference[][], measure: ChangeMeasure): HeatMapRow[] {
  const names = [...new Set(columns.flatMap((tensors) => tensors.map(({ name }) => name)))];
  const rowOf = namesByModule(names);
  const labels = [...new Set(names.map((name) => rowOf.get(name) ?? name))];
  const tallies = columns.map((tensors) => tallyModules(tensors, rowOf));
  return labels.map((label) => ({
    label,
    values: tallies.map((tally) => measuredOf(tally.get(label), measure)),
  }));
}

function namesByModule(names: readonly string[]): Map<string, string> {
  const paths = names.map((name) => name.split('.'));
  const deepest = paths.reduce((depth, path) => Math.max(depth, path.length), 1);
  for (let depth = deepest; depth >= 1; depth--) {
    const modules = paths.map((path) => path.slice(0, depth).join('.'));
    const distinct = [...new Set(modules)];
    if (distinct.length > ROWS_MAX && depth > 1) continue;
    const kept = new Set(distinct.slice(0, distinct.length > ROWS_MAX ? ROWS_MAX - 1 : ROWS_MAX));
    return new Map(names.map((name, at) => [name, kept.has(modules[at]) ? modules[at] : 'all others']));
  }
  return new Map();
}

function tallyModules(
  tensors: readonly TensorDifference[],
  rowOf: ReadonlyMap<string, string>,
): Map<string, Tally> {
  const tallies = new Map<string, Tally>();
  for (const { name, elements, changedElements, l2, l2Before } of tensors) {
    if (changedElements === null) continue;
    const label = rowOf.get(name) ?? name;
    const tally = tallies.get(label) ?? { squares: 0, squaresBefore: 0, changed: 0, elements: 0 };
    tally.squares += (l2 ?? 0) ** 2;
    tally.squaresBefore += (l2Before ?? 0) ** 2;
    tally.changed += changedElements;
    tally.elements += elements;
    tallies.set(label, tally);
  }
  return tallies;
}

/** What changed from nothing changed infinitely much. */
function measuredOf(tally: Tally | undefined, measure: ChangeMeasure): number | null {
  if (tally === undefined || tally.elements === 0) return null;
  if (measure === 'changed') return tally.changed / tally.elements;
  return tally.squares === 0 ? 0 : Math.sqrt(tally.squares / tally.squaresBefore);
}

function scaleOf(measure: ChangeMeasure, rows: readonly HeatMapRow[]): HeatMap['scale'] {
  if (measure === 'changed') return { kind: 'linear', low: 0, high: 1 };
  const values = rows.flatMap((row) => row.values).filter((value) => value !== null && value > 0);
  const finite = values.filter((value): value is number => Number.isFinite(value));
  const least = finite.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY);
  const greatest = finite.reduce((high, value) => Math.max(high, value), 0);
  return finite.length === 0
    ? { kind: 'log', low: 1e-6, high: 1 }
    : { kind: 'log', low: least, high: greatest };
}

function valueText(measure: ChangeMeasure, value: number): string {
  if (measure === 'changed') return `${Number((100 * value).toPrecision(DIGITS))} %`;
  return Number.isFinite(value) ? String(Number(value.toPrecision(DIGITS))) : 'from zero, or to infinity';
}
