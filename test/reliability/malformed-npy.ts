/** numpy arrays whose magic, version, header literal, shape or data is wrong. */
import { type Dice, damaged, EDGES, littleEndian } from './dice.js';
import { joined } from './malformed-pickle.js';

const TYPES: readonly [string, number][] = [
  ["'<f4'", 4],
  ["'<f8'", 8],
  ["'|u1'", 1],
  ["'>i2'", 2],
  ["'<U3'", 12],
  ["'|b1'", 1],
  ["[('a', '<f4'), ('b', '<i2', (2,))]", 8],
];
const ODD_TYPES = [
  "'|O'",
  "'<f3'",
  "'f'",
  "'<V0'",
  "'<f999999999'",
  "[('a', '|O')]",
  '4',
  'None',
  "'\\x3cf4'",
  "''",
  '()',
];
const ODD_SHAPES = [
  ...[
    '(-1,)',
    '(2',
    '2',
    '(2.0,)',
    '(True,)',
    '[2]',
    "('2',)",
    '(99999999999999999999,)',
    '(4294967296, 4294967296)',
  ],
  ...[
    '()',
    '(0, 9007199254740991)',
    `(${'1, '.repeat(70)})`,
    '('.repeat(40),
    'range(2)',
    '(0x2,)',
    '(2L,)',
    '(2,,)',
  ],
];

interface Draft {
  magic: Uint8Array;
  version: number[];
  descr: string;
  fortran: string;
  shape: string;
  more: string;
  headerLength: number | undefined;
  data: Uint8Array;
}

function draft(dice: Dice): Draft {
  const [descr, bytes] = dice.pick(TYPES);
  const shape = Array.from({ length: dice.below(4) }, () => dice.below(5));
  const length = shape.reduce((product, size) => product * size, bytes);
  return {
    magic: Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59),
    version: [dice.pick([1, 1, 2, 3]), 0],
    descr,
    fortran: dice.pick(['False', 'True']),
    shape: `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`,
    more: '',
    headerLength: undefined,
    data: dice.bytes(length),
  };
}

const CHANGES: readonly ((array: Draft, dice: Dice) => void)[] = [
  (array, dice) => {
    array.descr = dice.pick([...ODD_TYPES, dice.pick(TYPES)[0]]);
  },
  (array, dice) => {
    array.shape = dice.oneIn(2) ? dice.pick(ODD_SHAPES) : `(${dice.pick(EDGES)}, ${dice.pick(EDGES)})`;
  },
  (array, dice) => {
    array.fortran = dice.pick(['None', '1', 'true', "'False'", 'not True', '']);
  },
  (array, dice) => {
    array.version = dice.pick([
      [0, 0],
      [4, 0],
      [255, 255],
      [1, 1],
      [2, 0],
      [3, 0],
    ]);
  },
  (array, dice) => {
    array.more = dice.pick([
      ", 'x': 1",
      ", 'descr': '<f4'",
      ', 1: 2',
      '}',
      " #'",
      ', **{}',
      ', {}: 1',
      ", 'ä': 'ä'",
      ", 'x': __import__('os')",
    ]);
  },
  (array, dice) => {
    array.headerLength = dice.pick(EDGES);
  },
  (array, dice) => {
    array.data = damaged(array.data.length === 0 ? new Uint8Array(1) : array.data, dice);
  },
  (array, dice) => {
    array.magic = damaged(array.magic, dice);
  },
];

function write({ magic, version, descr, fortran, shape, more, headerLength, data }: Draft): Uint8Array {
  const text = `{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, ${more}}`;
  const width = version[0] === 1 ? 2 : 4;
  const padded = `${text.padEnd(Math.ceil((text.length + 9 + width) / 64) * 64 - 9 - width)}\n`;
  const header = new TextEncoder().encode(padded);
  const length = littleEndian(headerLength ?? header.length, width);
  return joined([magic, Uint8Array.from(version), length, header, data]);
}

/** An array with up to three things wrong, one in ten with none. */
export function malformedNpy(dice: Dice): Uint8Array {
  const array = draft(dice);
  for (let times = dice.oneIn(10) ? 0 : 1 + dice.below(3); times > 0; times--)
    dice.pick(CHANGES)(array, dice);
  const bytes = write(array);
  return dice.oneIn(5) ? damaged(bytes, dice) : bytes;
}
