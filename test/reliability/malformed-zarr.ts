/** Descriptions of zarr arrays that say something else than the chunk beside them, or nothing that can be read. */
import { type Dice, damaged, EDGES } from './dice.js';

/** A chunk of 2 x 3 elements of four bytes. */
export const ZARR_CHUNK = { name: 'params.w/0.0', bytes: Uint8Array.from({ length: 24 }, (_, at) => at) };

const ODD_VALUES = [
  'null',
  '[]',
  '{}',
  '""',
  '"O"',
  '"<f4"',
  '"bfloat16"',
  '">f8"',
  '"|V12"',
  '"zstd"',
  '-1',
  '1e3',
  '[[2]]',
];

/** Returns a `.zarray`, now and then a sound one. */
export function malformedDescription(dice: Dice): Uint8Array {
  const fields = new Map([
    ['chunks', '[2,3]'],
    ['compressor', 'null'],
    ['dtype', dice.pick(['"<f4"', '"<i4"', '"|V4"', '"<f2"'])],
    ['filters', 'null'],
    ['order', dice.pick(['"C"', '"F"'])],
    ['shape', dice.pick(['[2,3]', '[4,3]', '[0,3]'])],
  ]);
  const names = [...fields.keys()];
  const sizes = (): string => `[${Array.from({ length: dice.below(4) }, () => dice.pick(EDGES))}]`;
  if (dice.oneIn(3)) fields.set(dice.pick(['chunks', 'shape']), sizes());
  if (dice.oneIn(3)) fields.set(dice.pick(names), dice.pick(ODD_VALUES));
  if (dice.oneIn(8)) fields.delete(dice.pick(names));
  if (dice.oneIn(50)) fields.set('shape', `[${'1,'.repeat(100)}1]`);
  const text = `{${[...fields].map(([name, value]) => `"${name}":${value}`)}}`;
  const bytes = new TextEncoder().encode(text);
  return dice.oneIn(3) ? damaged(bytes, dice) : bytes;
}
