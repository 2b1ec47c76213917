import type { RandomAccess } from './adapter.js';
import { BoundedSource } from './bounded-source.js';

/** What an archive has in front of its first large record, and behind its last: directory, end record, the longest comment. */
const HEAD_BYTES = 4096;
const TAIL_BYTES = 80 * 1024;

/** Returns a part of a file as a file of its own. Its ends, where an archive describes itself, are read at once. */
export async function openWindow(source: RandomAccess, start: number, size: number): Promise<RandomAccess> {
  const whole = size <= HEAD_BYTES + TAIL_BYTES;
  const head = await source.read(start, whole ? size : HEAD_BYTES);
  const tail = whole ? head : await source.read(start + size - TAIL_BYTES, TAIL_BYTES);
  const tailStart = size - tail.length;
  return new BoundedSource({
    name: source.name,
    size,
    read: async (offset, length) => {
      const end = offset + length;
      if (end <= head.length) return head.subarray(offset, end);
      if (offset >= tailStart) return tail.subarray(offset - tailStart, end - tailStart);
      return source.read(start + offset, length);
    },
  });
}
