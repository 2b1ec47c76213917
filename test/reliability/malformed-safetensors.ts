/** safetensors files that are wrong in their structure: lengths, offsets, names, types, shapes, padding, data. */
import { type Dice, damaged, EDGES, littleEndian, spliced } from './dice.js';

/** An entry of the header as JSON text, so that it can be anything. */
interface Draft {
  members: { name: string; fields: [string, string][] }[];
  metadata: string | undefined;
  padding: string;
  /** In place of the header's own length. */
  headerLength: number | undefined;
  data: Uint8Array;
}

const DTYPES: readonly [string, number][] = [
  ['F32', 4],
  ['BF16', 2],
  ['I64', 8],
  ['U8', 1],
  ['BOOL', 1],
  ['F8_E4M3', 1],
  ['C64', 8],
];
const ODD_VALUES = [
  ...[
    'null',
    'true',
    '""',
    '"F32"',
    '"F4"',
    '"F6_E2M3"',
    '"f32"',
    '{}',
    '[]',
    '[[]]',
    '[0,8]',
    '[8,0]',
    '[0,4,8]',
  ],
  ...[
    '[0]',
    '[null]',
    '["0",8]',
    '[-1,8]',
    '[0.0,8]',
    '[1e0,8]',
    '[-0,8]',
    '1e400',
    '0x10',
    '01',
    '+1',
    'NaN',
    '{"a":1}',
  ],
  ...[
    '[18446744073709551615,1]',
    '[18446744073709551616]',
    '[4294967296,4294967296]',
    '[9007199254740993]',
    '"\\ud800"',
  ],
];
const NAMES = [
  '"a"',
  '"b"',
  '"\\u0061"',
  '""',
  '"__metadata__"',
  '"__proto__"',
  '"../x"',
  '"a\\u0000"',
  '"ä"',
  '"a\\u0308"',
];

/** A sound file of up to five tensors. */
function draft(dice: Dice): Draft {
  const members: Draft['members'] = [];
  let end = 0;
  for (let count = dice.below(5); count >= 0; count--) {
    const [dtype, bytes] = dice.pick(DTYPES);
    const shape = Array.from({ length: dice.below(4) }, () => dice.below(4));
    const length = shape.reduce((product, size) => product * size, bytes);
    const offsets = `[${end},${end + length}]`;
    members.push({
      name: JSON.stringify(`layer.${members.length}.weight`),
      fields: [
        ['"dtype"', `"${dtype}"`],
        ['"shape"', JSON.stringify(shape)],
        ['"data_offsets"', offsets],
      ],
    });
    end += length;
  }
  const metadata = dice.oneIn(3) ? '{"step":"7","format":"pt"}' : undefined;
  return {
    members,
    metadata,
    padding: ' '.repeat(dice.below(8)),
    headerLength: undefined,
    data: dice.bytes(end),
  };
}

function anyField(file: Draft, dice: Dice): [string, string] {
  return dice.pick(dice.pick(file.members).fields);
}

/** Changes one number in a field, by a little or to where a width ends. */
function moveNumber(file: Draft, dice: Dice): void {
  const field = dice.pick(file.members).fields[1 + dice.below(2)] ?? ['', ''];
  const numbers = field[1].match(/[0-9]+/g) ?? [];
  const which = dice.below(numbers.length);
  let index = 0;
  field[1] = field[1].replace(/[0-9]+/g, (digits) => {
    if (index++ !== which) return digits;
    return String(dice.oneIn(2) ? dice.pick(EDGES) : Number(digits) + dice.pick([-8, -4, -1, 1, 4, 8]));
  });
}

const CHANGES: readonly ((file: Draft, dice: Dice) => void)[] = [
  moveNumber,
  moveNumber,
  (file, dice) => {
    anyField(file, dice)[1] = dice.pick(ODD_VALUES);
  },
  (file, dice) => {
    anyField(file, dice)[0] = dice.pick(['"dtype"', '"shape"', '"data_offsets"', '"extra"', '"']);
  },
  (file, dice) => {
    dice.pick(file.members).name = dice.pick(NAMES);
  },
  (file, dice) => {
    file.members.splice(dice.below(file.members.length), 0, dice.pick(file.members));
  },
  (file, dice) => {
    if (file.members.length > 1) file.members.splice(dice.below(file.members.length), 1);
  },
  (file, dice) => {
    dice.pick(file.members).fields.push([`"${dice.pick(['x', 'dtype', 'shape'])}"`, dice.pick(ODD_VALUES)]);
  },
  (file, dice) => {
    dice.pick(file.members).fields.splice(dice.below(3), 1);
  },
  (file, dice) => {
    const deep = dice.pick([2, 30, 63, 64, 65, 127, 128, 2000]);
    anyField(file, dice)[1] = '['.repeat(deep) + ']'.repeat(deep - dice.below(2));
  },
  (file, dice) => {
    file.metadata = dice.pick([...ODD_VALUES, '{"a":"b","a":"c"}', '{"a":1}', '{"step":"1e999"}']);
  },
  (file, dice) => {
    file.padding = dice.pick(['\n', '\t ', '\0', ' }', ' '.repeat(300), ',']);
  },
  (file, dice) => {
    file.headerLength = dice.pick(EDGES);
  },
  (file, dice) => {
    file.data = damaged(file.data.length === 0 ? new Uint8Array(4) : file.data, dice);
  },
];

function write(file: Draft): Uint8Array {
  const members = file.members.map(
    ({ name, fields }) => `${name}:{${fields.map(([key, value]) => `${key}:${value}`).join(',')}}`,
  );
  if (file.metadata !== undefined) members.unshift(`"__metadata__":${file.metadata}`);
  const header = new TextEncoder().encode(`{${members.join(',')}}${file.padding}`);
  const out = spliced(littleEndian(file.headerLength ?? header.length, 8), 8, 0, header);
  return spliced(out, out.length, 0, file.data);
}

/** A file with up to three things wrong, one in ten with none. */
export function malformedSafetensors(dice: Dice): Uint8Array {
  const file = draft(dice);
  for (let times = dice.oneIn(10) ? 0 : 1 + dice.below(3); times > 0; times--) dice.pick(CHANGES)(file, dice);
  const bytes = write(file);
  return dice.oneIn(5) ? damaged(bytes, dice) : bytes;
}
