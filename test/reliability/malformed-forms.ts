/** Damaged frames of zstd, and unpacked forms of files with such frames, that are damaged or lie. */
import { readFileSync } from 'node:fs';
import { corrupt } from '../../src/errors.js';
import { rebuild } from '../../src/recode/index.js';
import { fileOf, formOf, inputOf, putTogether, takeApart } from '../recode/forms.js';
import { type Dice, damaged } from './dice.js';

const read = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../fixtures/zstd/${name}.zst`, import.meta.url)));

/** Small ones: a million of each are tried. */
const FRAMES = ['text-1', 'text-3', 'text-19', 'letters-19', 'halves-3', 'raw', 'one', 'empty'].map(read);
const FORMS = ['letters-19', 'halves-3', 'raw', 'nested', 'several'].map((name) => formOf(read(name)).form);

/** Half of the time at the front: that is where headers, codes and tables are. */
export function malformedFrame(dice: Dice): Uint8Array {
  const frame = dice.pick(FRAMES);
  const front = dice.oneIn(2) ? Math.min(frame.length, 40) : frame.length;
  const head = damaged(frame.slice(0, front), dice);
  return Uint8Array.of(...head, ...frame.subarray(front));
}

/** Takes a frame apart and puts it together: it must be the same again. */
export function readFrame(frame: Uint8Array, object: string): Uint8Array {
  const apart = takeApart(frame);
  if (apart === undefined) throw corrupt('not-a-frame', 'does not come apart', object);
  const again = putTogether(apart);
  if (!Buffer.from(again).equals(frame.subarray(0, apart.end))) throw new Error('comes back as another');
  return again;
}

/** Half of the time in the script, which is at the end. */
export function malformedForm(dice: Dice): Uint8Array {
  const form = dice.pick(FORMS);
  const scriptBytes = Number(new DataView(form.buffer, form.length - 8).getBigUint64(0, true)) + 8;
  const start = dice.oneIn(2) ? form.length - scriptBytes : 0;
  return Uint8Array.of(...form.subarray(0, start), ...damaged(form.slice(start), dice));
}

/** Any file may come of it, but none that is much larger than what is in it. */
export function readForm(form: Uint8Array, object: string): undefined {
  let bytes = 0;
  rebuild(inputOf(form), object, (piece) => {
    bytes += piece.length;
  });
  if (bytes > 4 * form.length) throw new Error(`${bytes} bytes of ${form.length}`);
}

if (!Buffer.from(fileOf(FORMS[0])).equals(read('letters-19')))
  throw new Error('a sound form does not come back');
