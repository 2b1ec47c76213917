/**
 * Ranges with several tensors side by side: a flat buffer that a library keeps its weights in (DeepSpeed's ZeRO, Megatron's
 * gradient buffers, cuDNN's recurrent layers), saved as the one storage of them all. Each becomes a range of its own, with
 * its own name, so that optimizers and copies find it wherever in the buffer it lies.
 */
import { dtypeInfo, elementCount } from '../tensor/index.js';
import type { Group, TensorRange, TensorView } from './adapter.js';

/** A range that is mostly smaller tensors stays whole: naming each would take more than it saves. */
const MEAN_BYTES_MIN = 1024;

/** A tensor of a range, and what its own range would be called. */
export interface NamedView {
  view: TensorView;
  key: string;
  group: Group;
}

interface Piece {
  start: number;
  end: number;
  members: NamedView[];
}

/**
 * Returns the ranges that one is cut into, which cover all of it: those of its tensors, and what lies between them. One
 * with strided or overlapping tensors stays whole, and so does one with a single tensor.
 */
export function cutRange(range: TensorRange, named: readonly NamedView[]): TensorRange[] {
  const { bytes } = dtypeInfo(range.dtype);
  const pieces = piecesOf(named);
  if (range.dtype === 'bytes' || pieces === undefined || pieces.length < 2) return [range];
  if (range.length < pieces.length * MEAN_BYTES_MIN) return [range];
  const cut: TensorRange[] = [];
  const add = (start: number, end: number, key: string, group: Group, tensors: TensorView[]): void => {
    if (end === start) return;
    const place = { offset: range.offset + start * bytes, length: (end - start) * bytes };
    cut.push({ ...place, dtype: range.dtype, group, key, tensors });
  };
  let end = 0;
  // Where tensors begin and end may change from one checkpoint to the next.
  const addRest = (until: number): void => add(end, until, `${range.key}+rest`, range.group, []);
  for (const { start, end: next, members } of pieces) {
    addRest(start);
    const [{ key, group }] = members;
    const tensors = members.map(({ view }) => ({ ...view, elementOffset: 0 }));
    add(start, next, key, group, tensors);
    end = next;
  }
  addRest(range.length / bytes);
  return cut;
}

/** By where they begin; undefined where some overlap, but for those that are one and the same. */
function piecesOf(named: readonly NamedView[]): Piece[] | undefined {
  const pieces: Piece[] = [];
  for (const member of [...named].sort((a, b) => a.view.elementOffset - b.view.elementOffset)) {
    const { elementOffset: start, shape, strides } = member.view;
    const end = start + elementCount(shape);
    const last = pieces.at(-1);
    if (strides !== undefined || start === end) return undefined;
    if (last !== undefined && last.start === start && last.end === end) last.members.push(member);
    else if (last !== undefined && start < last.end) return undefined;
    else pieces.push({ start, end, members: [member] });
  }
  return pieces;
}
