/** A tensor as text, the way numpy prints arrays, and as a JSON value. */
import type { TensorData } from '../index.js';
import { Elements, type ElementValue } from './elements.js';

/** Larger tensors are abbreviated, as numpy does. */
export const WHOLE_ELEMENTS_MAX = 1000;
const EDGE_ITEMS = 3;
const LINE_COLUMNS = 100;
const ELLIPSIS = '...';

/** Rows of texts, nested as deep as the tensor has dimensions. */
type Cell = string | Cell[];

export interface TensorSummary {
  elements: number;
  nan: number;
  infinite: number;
  zero: number;
  /** Of the finite elements; null for complex ones and where there are none. */
  min: unknown;
  max: unknown;
  mean: number | null;
}

/** Returns the lines of a tensor's values. */
export function previewLines(tensor: TensorData): string[] {
  const elements = new Elements(tensor.dtype, tensor.data);
  const abbreviate = elements.count > WHOLE_ELEMENTS_MAX;
  const cells = nest<Cell>(tensor.shape, (index) => elements.text(index), abbreviate ? ELLIPSIS : undefined);
  return cellLines(cells, textWidth(cells));
}

/** Returns all values nested as the tensor is; see jsonValue. */
export function nestedValues(tensor: TensorData): unknown {
  const elements = new Elements(tensor.dtype, tensor.data);
  return nest<unknown>(tensor.shape, (index) => jsonValue(elements.value(index)), undefined);
}

/** Returns what can be said of a tensor too large to be written out. */
export function summarizeTensor(tensor: TensorData): TensorSummary {
  const elements = new Elements(tensor.dtype, tensor.data);
  const summary: TensorSummary = {
    elements: elements.count,
    nan: 0,
    infinite: 0,
    zero: 0,
    min: null,
    max: null,
    mean: null,
  };
  let least: number | bigint | undefined;
  let greatest: number | bigint | undefined;
  let sum = 0;
  let finite = 0;
  for (let index = 0; index < elements.count; index++) {
    const value = elements.value(index);
    const parts = typeof value === 'object' ? value : [Number(value)];
    if (parts.some(Number.isNaN)) summary.nan++;
    else if (!parts.every(Number.isFinite)) summary.infinite++;
    else if (typeof value !== 'object') {
      const real = typeof value === 'boolean' ? Number(value) : value;
      if (least === undefined || real < least) least = real;
      if (greatest === undefined || real > greatest) greatest = real;
      sum += Number(real);
      finite++;
    }
    if (parts.every((part) => part === 0)) summary.zero++;
  }
  if (least === undefined || greatest === undefined) return summary;
  return { ...summary, min: jsonValue(least), max: jsonValue(greatest), mean: sum / finite };
}

/**
 * Returns an element as JSON can hold it: NaN and infinities as strings, integers beyond 2^53 as strings of digits,
 * complex numbers as pairs.
 */
function jsonValue(value: ElementValue): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  return typeof value === 'object' ? value.map((part) => jsonValue(part)) : value;
}

/** Builds nested rows; with an ellipsis only the first and last items of long dimensions, and it between them. */
function nest<T>(shape: readonly number[], leaf: (index: number) => T, ellipsis: T | undefined): T | T[] {
  const build = (dimension: number, start: number, span: number): T => {
    const size = shape[dimension];
    if (size === undefined) return leaf(start);
    const step = span / Math.max(size, 1);
    const item = (position: number) => build(dimension + 1, start + position * step, step);
    const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => item(from + i));
    if (ellipsis === undefined || size <= 2 * EDGE_ITEMS) return range(0, size) as T;
    return [...range(0, EDGE_ITEMS), ellipsis, ...range(size - EDGE_ITEMS, size)] as T;
  };
  return build(
    0,
    0,
    shape.reduce((product, size) => product * size, 1),
  );
}

function textWidth(cell: Cell): number {
  if (typeof cell !== 'string') return cell.reduce((width, item) => Math.max(width, textWidth(item)), 0);
  return cell === ELLIPSIS ? 0 : cell.length;
}

function cellLines(cell: Cell, width: number): string[] {
  if (typeof cell === 'string') return [cell];
  if (cell.every((item) => typeof item === 'string')) return rowLines(cell, width);
  const lines: string[] = [];
  for (const [index, item] of cell.entries()) {
    const block = cellLines(item, width);
    const last = index === cell.length - 1;
    const open = index === 0 ? '[' : ' ';
    for (const [i, line] of block.entries()) {
      const close = i < block.length - 1 ? '' : last ? ']' : ',';
      lines.push((i === 0 ? open : ' ') + line + close);
    }
  }
  return lines.length === 0 ? ['[]'] : lines;
}

/** Lays one row out, broken into lines where it is too long. */
function rowLines(items: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = '[';
  for (const [index, item] of items.entries()) {
    const text = (item === ELLIPSIS ? item : item.padStart(width)) + (index < items.length - 1 ? ', ' : '');
    if (line.length > 1 && line.length + text.length > LINE_COLUMNS) {
      lines.push(line.trimEnd());
      line = ' ';
    }
    line += text;
  }
  return [...lines, `${line}]`];
}
