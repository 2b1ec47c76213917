/** Pickles that are wrong opcode by opcode: removed, replaced, repeated; memo indexes, counts, lengths, names, types. */
import { type Dice, EDGES, littleEndian, spliced } from './dice.js';

/** How many bytes follow an opcode: a count, `line`s, or a length field of so many bytes and what it counts. */
type Operand = number | 'line' | 'two lines' | { length: 1 | 4 | 8 };

const OPERANDS = new Map<number, Operand>();
function operand(codes: string | readonly number[], what: Operand): void {
  for (const code of typeof codes === 'string' ? [...codes].map((char) => char.charCodeAt(0)) : codes)
    OPERANDS.set(code, what);
}
operand('N]})(tdlaesu0Q12bRo.', 0);
operand([0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x97, 0x98], 0);
operand('Kqh', 1);
operand([0x80, 0x82], 1);
operand('M', 2);
operand([0x83], 2);
operand('Jrj', 4);
operand([0x84], 4);
operand('G', 8);
operand([0x95], 8);
operand('ILFVSPpg', 'line');
operand('ci', 'two lines');
operand('UC', { length: 1 });
operand([0x8a, 0x8c], { length: 1 });
operand('XTB', { length: 4 });
operand([0x8b], { length: 4 });
operand([0x8d, 0x8e, 0x96], { length: 8 });
const CODES = [...OPERANDS.keys()];

/** Cuts a pickle into its opcodes, each with what follows it. */
export function opcodesOf(pickle: Uint8Array): Uint8Array[] {
  const opcodes: Uint8Array[] = [];
  for (let at = 0; at < pickle.length; ) {
    const end = endOfOpcode(pickle, at);
    opcodes.push(pickle.slice(at, end));
    if (pickle[at] === 0x2e) break;
    at = end;
  }
  return opcodes;
}

function endOfOpcode(pickle: Uint8Array, at: number): number {
  const what = OPERANDS.get(pickle[at]);
  if (what === undefined) throw new Error(`no opcode at ${at}`);
  if (typeof what === 'number') return at + 1 + what;
  if (what === 'line') return pickle.indexOf(0x0a, at) + 1;
  if (what === 'two lines') return pickle.indexOf(0x0a, pickle.indexOf(0x0a, at) + 1) + 1;
  let length = 0;
  for (let index = what.length - 1; index >= 0; index--) length = length * 256 + pickle[at + 1 + index];
  return at + 1 + what.length + length;
}

const GLOBALS = [
  ...[
    'os\nsystem',
    'posix\nsystem',
    'builtins\neval',
    '__builtin__\nexec',
    'builtins\ngetattr',
    'numpy\nndarray',
  ],
  ...[
    'torch\nFloatStorage',
    'torch\nHalfStorage',
    'torch._utils\n_rebuild_tensor_v2',
    'torch._utils\n_rebuild_parameter',
  ],
  ...[
    'torch._utils\n_rebuild_tensor_v3',
    'torch._tensor\n_rebuild_from_type_v2',
    'torch\nSize',
    'torch\nfloat16',
  ],
  ...[
    'collections\nOrderedDict',
    'collections\ndefaultdict',
    'collections\nCounter',
    'builtins\nset',
    '\n',
    '__main__\nx',
  ],
];
const TEXTS = [
  'storage',
  'state',
  'param_groups',
  '_metadata',
  '0',
  'cpu',
  'params',
  'exp_avg',
  '__proto__',
  '',
];

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** An opcode that may stand anywhere, with an operand that need not make sense. */
function anyOpcode(dice: Dice): Uint8Array {
  if (dice.oneIn(5)) return text(`c${dice.pick(GLOBALS)}\n`);
  if (dice.oneIn(5)) {
    const value = text(dice.pick(TEXTS));
    return Uint8Array.of(0x58, ...littleEndian(value.length, 4), ...value);
  }
  const code = dice.oneIn(50) ? dice.below(256) : dice.pick(CODES);
  const what = OPERANDS.get(code) ?? 0;
  if (typeof what === 'number') return Uint8Array.of(code, ...numberOf(what, dice));
  if (what === 'line')
    return Uint8Array.of(
      code,
      ...text(`${dice.pick(['0', '1', '-1', '3L', 'x', "'a'", '1e999', '99999'])}\n`),
    );
  if (what === 'two lines') return Uint8Array.of(code, ...text(`${dice.pick(GLOBALS)}\n`));
  const content = dice.bytes(dice.below(12));
  const length = dice.oneIn(3) ? dice.pick(EDGES) : content.length;
  return Uint8Array.of(code, ...littleEndian(length, what.length), ...content);
}

function numberOf(width: number, dice: Dice): Uint8Array {
  if (dice.oneIn(2)) return littleEndian(dice.pick(EDGES), width);
  return dice.oneIn(4) ? dice.bytes(width) : littleEndian(dice.below(40), width);
}

/** Gives an opcode another operand and leaves it what it is. */
function changed(opcode: Uint8Array, dice: Dice): Uint8Array {
  const what = OPERANDS.get(opcode[0]) ?? 0;
  if (typeof what === 'number') return Uint8Array.of(opcode[0], ...numberOf(what, dice));
  if (typeof what === 'object') {
    const length = dice.oneIn(3) ? dice.pick(EDGES) : opcode.length - 1 - what.length + dice.pick([-1, 1]);
    return spliced(opcode, 1, what.length, littleEndian(Math.max(0, length), what.length));
  }
  return Uint8Array.of(opcode[0], ...text(`${dice.pick(GLOBALS)}\n`).subarray(what === 'line' ? -2 : 0));
}

type Change = (opcodes: Uint8Array[], at: number, dice: Dice) => void;

const CHANGES: readonly Change[] = [
  (opcodes, at) => opcodes.splice(at, 1),
  (opcodes, at, dice) => opcodes.splice(at, 0, anyOpcode(dice)),
  (opcodes, at, dice) => opcodes.splice(at, 1, anyOpcode(dice)),
  (opcodes, at, dice) => opcodes.splice(at, 1, changed(opcodes[at], dice)),
  (opcodes, at, dice) => opcodes.splice(at, 1, changed(opcodes[at], dice)),
  (opcodes, at, dice) => opcodes.splice(at, 0, dice.pick(opcodes)),
  (opcodes, at, dice) => {
    const other = dice.below(opcodes.length);
    [opcodes[at], opcodes[other]] = [opcodes[other], opcodes[at]];
  },
  (opcodes, at, dice) => {
    const from = dice.below(opcodes.length);
    opcodes.splice(at, 0, ...opcodes.slice(from, from + 1 + dice.below(20)));
  },
  (opcodes, at, dice) => opcodes.splice(at, 1 + dice.below(10)),
  // What is there becomes part of itself, or a key, or is set on something that is no dict.
  (opcodes, at, dice) =>
    opcodes.splice(
      at,
      0,
      ...dice.pick(['h\0a', ']2a', '](lu', '}]0s', '(2d', ')Rb', '2b']).split('').map(text),
    ),
  (opcodes, at) => opcodes.splice(at),
];

/** A pickle with up to three opcodes wrong, one in ten with none. */
export function malformedPickle(sound: Uint8Array, dice: Dice): Uint8Array {
  const opcodes = opcodesOf(sound);
  for (let times = dice.oneIn(10) ? 0 : 1 + dice.below(3); times > 0 && opcodes.length > 0; times--)
    dice.pick(CHANGES)(opcodes, dice.below(opcodes.length), dice);
  return joined(opcodes);
}

/** All the parts, one behind the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
