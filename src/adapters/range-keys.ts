import type { TensorRange } from './adapter.js';

/**
 * Puts ranges into file order and makes their keys unique: later ranges of the same key (`a.b` and `b` in `a` print the
 * same) get `#2`, `#3` in the order in which they were found. Names stay as they are.
 */
export function orderRanges(ranges: readonly TensorRange[]): TensorRange[] {
  const taken = new Set<string>();
  const repeats = new Map<string, number>();
  for (const range of ranges) {
    const wanted = range.key;
    let count = repeats.get(wanted) ?? 1;
    while (taken.has(range.key)) {
      count++;
      range.key = `${wanted}#${count}`;
    }
    repeats.set(wanted, count);
    taken.add(range.key);
  }
  return [...ranges].sort((a, b) => a.offset - b.offset || a.length - b.length);
}
