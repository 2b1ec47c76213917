/** The long run of crafted-pickles.test.ts: every shape, up to the largest pickle that is looked into. */
import { expect, test } from 'vitest';
import { readCrafted } from './crafted-pickles.js';

const SHAPES = [
  'lists',
  'tuples',
  'rememberedTuples',
  'dicts',
  'dictsOfOne',
  'sets',
  'records',
  'references',
  'views',
  'floats',
];

test.for(SHAPES)('%s', (shape) => {
  expect(readCrafted(shape, 250, 'accepted')).toBeNull();
  expect(readCrafted(shape, 250, 'full')).toBe('pickle-limit');
});

test('long integers, which are few', () => {
  expect(readCrafted('longs', 250, 'full')).toBeNull();
});
