/** Data files of OCDBT databases in unpacked form, whose node, frames or script are wrong. */
import {
  bytesOf,
  leafContent,
  nodeOf,
  rawFrame,
  type ValueDraft,
  zarrDescription,
} from '../adapters/ocdbt-writer.js';
import { formOf } from '../recode/forms.js';
import { type Dice, damaged, EDGES } from './dice.js';
import { joined } from './malformed-pickle.js';

export const OCDBT_NAME = 'd/0123456789abcdef0123456789abcdef';

const MATRIX = rawFrame(Uint8Array.from({ length: 24 }, (_, at) => at));
const SMALL = rawFrame(Uint8Array.from({ length: 8 }, (_, at) => at));
const COUNT = rawFrame(Uint8Array.of(7, 0, 0, 0));

function values(dice: Dice): ValueDraft[] {
  const shape = dice.oneIn(8) ? [dice.pick(EDGES), 3] : [2, 3];
  const dtype = dice.oneIn(8) ? dice.pick(['<f2', '|V4', 'O', 'bfloat16', '']) : '<f4';
  return [
    { key: 'opt.count/.zarray', value: zarrDescription([], '<i4') },
    { key: 'opt.count/0', value: COUNT },
    { key: 'params.b/.zarray', value: zarrDescription([2]) },
    { key: 'params.b/0', value: SMALL },
    { key: 'params.w/.zarray', value: zarrDescription(shape, dtype) },
    {
      key: dice.oneIn(10)
        ? dice.pick(['params.w/0', 'params.w/0.0.0', 'params.w/x', '/0.0'])
        : 'params.w/0.0',
      value: {
        offset: dice.oneIn(8) ? dice.pick(EDGES) : 0,
        length: dice.oneIn(8) ? dice.pick(EDGES) : MATRIX.length,
      },
    },
  ];
}

/** A form; up to three things in it are wrong. */
export function malformedOcdbt(dice: Dice): Uint8Array {
  const odd = dice.oneIn(3) ? dice.below(40) : -1;
  const change = (at: number, value: number): number => (at === odd ? dice.pick(EDGES) : value);
  const path = dice.oneIn(20) ? 'd/other' : OCDBT_NAME;
  const leaf = leafContent(path, values(dice), change);
  const content = dice.oneIn(3) ? damaged(leaf, dice) : leaf;
  const file = joined([MATRIX, nodeOf(content), dice.oneIn(4) ? bytesOf('between') : SMALL]);
  const { form } = formOf(dice.oneIn(8) ? damaged(file, dice) : file);
  return dice.oneIn(4) ? damaged(form, dice) : form;
}
