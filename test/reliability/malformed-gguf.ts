/** GGUF files whose counts, metadata, shapes, types, places or data are wrong. */
import { type GgufDraft, ggufCount, ggufDraft, ggufText, writeGguf } from '../adapters/gguf-writer.js';
import { type Dice, damaged, EDGES, littleEndian } from './dice.js';

const text = (value: string) => ggufText(value, 3);

function array(type: number, count: number, content: readonly number[]): Uint8Array {
  return Uint8Array.from([...littleEndian(type, 4), ...ggufCount(count, 3), ...content]);
}

const CHANGES: readonly ((file: GgufDraft, dice: Dice) => void)[] = [
  (file, dice) => {
    file.version = dice.pick([0, 1, 2, 4, 3 * 2 ** 24, 2 ** 32 - 1]);
  },
  (file, dice) => {
    file.tensorCount = dice.pick(EDGES);
  },
  (file, dice) => {
    file.valueCount = dice.pick(EDGES);
  },
  (file, dice) => {
    dice.pick(file.tensors).type = dice.oneIn(2) ? dice.below(45) : dice.pick(EDGES);
  },
  (file, dice) => {
    dice.pick(file.tensors).place = dice.oneIn(2) ? dice.below(4) * 32 : dice.pick(EDGES);
  },
  (file, dice) => {
    const { dims } = dice.pick(file.tensors);
    dims[dice.below(dims.length)] = dice.pick(EDGES);
  },
  (file, dice) => {
    dice.pick(file.tensors).dims = Array.from({ length: dice.below(12) }, () => dice.below(3) * 16);
  },
  (file, dice) => {
    file.tensors[1].name = dice.pick(['a', '', '__proto__', 'x'.repeat(5000), '\ud800']);
  },
  (file, dice) => {
    const bytes = littleEndian(dice.pick(EDGES), 4);
    file.values.push({ key: 'general.alignment', type: dice.pick([4, 4, 4, 5, 8, 10]), bytes });
  },
  (file, dice) => {
    file.values.push({ key: 'x', type: dice.below(15), bytes: dice.bytes(dice.below(12)) });
  },
  (file, dice) => {
    const words = [...text('one'), ...text('two')];
    const nested = [...array(9, 1, [...array(0, 3, [1, 2, 3])])];
    const bytes = dice.pick([
      array(8, 2, words),
      array(8, dice.pick(EDGES), words),
      array(9, 1, nested),
      array(9, 1, [...array(9, 1, [...array(9, 1, nested)])]),
      array(12, dice.pick(EDGES), []),
      array(dice.below(20), 1, words),
    ]);
    file.values.push({ key: 'x', type: 9, bytes });
  },
  (file, dice) => {
    file.data = damaged(file.data, dice);
  },
];

/** A file with up to three things wrong, one in ten with none. */
export function malformedGguf(dice: Dice): Uint8Array {
  const file = ggufDraft();
  for (let times = dice.oneIn(10) ? 0 : 1 + dice.below(3); times > 0; times--) dice.pick(CHANGES)(file, dice);
  const bytes = writeGguf(file);
  return dice.oneIn(4) ? damaged(bytes, dice) : bytes;
}
