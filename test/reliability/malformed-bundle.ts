/** Indexes of a TensorBundle whose entries, keys, blocks or bytes are wrong; the data file beside them is sound. */
import {
  block,
  type EntryDraft,
  entryOf,
  field,
  header,
  varint,
  writeTable,
} from '../adapters/bundle-writer.js';
import { type Dice, damaged, EDGES } from './dice.js';
import { joined } from './malformed-pickle.js';

/** What the entries of a sound index take: a matrix, its two moments, a counter. */
export const BUNDLE_DATA = Uint8Array.from({ length: 3 * 24 + 8 }, (_, index) => (index < 72 ? index : 0));

function draft(): EntryDraft[] {
  const matrix = { type: 1, shape: [2, 3], shard: 0, size: 24, more: new Uint8Array() };
  return [
    { key: 'dense/kernel', offset: 0, ...matrix },
    { key: 'dense/kernel/Adam', offset: 24, ...matrix },
    { key: 'dense/kernel/Adam_1', offset: 48, ...matrix },
    { ...matrix, key: 'global_step', type: 9, shape: [], offset: 72, size: 8 },
  ];
}

const CHANGES: readonly ((entry: EntryDraft, dice: Dice) => void)[] = [
  (entry, dice) => {
    entry.type = dice.oneIn(2) ? dice.below(30) : dice.pick(EDGES);
  },
  (entry, dice) => {
    entry.shape = Array.from({ length: dice.below(4) }, () => dice.pick(EDGES));
  },
  (entry) => {
    entry.shape = new Array(300).fill(1);
  },
  (entry, dice) => {
    entry.offset = dice.oneIn(2) ? dice.below(80) : dice.pick(EDGES);
  },
  (entry, dice) => {
    entry.size = dice.oneIn(2) ? dice.below(40) : dice.pick(EDGES);
  },
  (entry, dice) => {
    entry.shard = dice.pick(EDGES);
  },
  (entry, dice) => {
    const keys = [
      '',
      '\0x\0\x01',
      '\0',
      '_CHECKPOINTABLE_OBJECT_GRAPH',
      '\xff',
      '__proto__',
      'x'.repeat(300),
    ];
    entry.key = dice.pick([...keys, 'dense/kernel', 'w/.OPTIMIZER_SLOT/', 'w/.OPTIMIZER_SLOT/o/m']);
    if (dice.oneIn(2)) entry.type = 7;
  },
  (entry, dice) => {
    const number = dice.below(16);
    entry.more = dice.pick([
      field(number, dice.pick(EDGES)),
      field(number, dice.bytes(dice.below(8))),
      joined([varint(number * 8 + dice.below(8)), dice.bytes(dice.below(10))]),
      new Uint8Array(11).fill(0xff),
    ]);
  },
];

/** An index with up to three things wrong, one in ten with none. */
export function malformedBundle(dice: Dice): Uint8Array {
  const entries = draft();
  for (let times = dice.oneIn(10) ? 0 : 1 + dice.below(3); times > 0; times--)
    dice.pick(CHANGES)(dice.pick(entries), dice);
  const written = entries.map(entryOf);
  const cut = dice.below(entries.length + 1);
  const first = dice.oneIn(20) ? [] : [header(!dice.oneIn(10))];
  const table = writeTable(
    [[...first, ...written.slice(0, cut)], written.slice(cut)],
    dice.oneIn(40) ? 1 : 0,
  );
  if (dice.oneIn(30)) return joined([block(written), table.subarray(table.length - 48)]);
  return dice.oneIn(3) ? damaged(table, dice) : table;
}
