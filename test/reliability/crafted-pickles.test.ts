/**
 * A pickle made to cost as much as one may is read, or kept as opaque bytes, within 768 MB of heap. All shapes, at 256 MB,
 * are in slow-crafted-pickles.test.ts. Seen to fail when the limit on opcodes and objects is ten times what it is.
 */
import { expect, test } from 'vitest';
import { readCrafted } from './crafted-pickles.js';

test('as many tuples as are accepted', () => {
  expect(readCrafted('tuples', 64, 'accepted')).toBeNull();
});

test('64 MB of lists are refused', () => {
  expect(readCrafted('lists', 64, 'full')).toBe('pickle-limit');
});
