/**
 * The opcodes of pickle protocols 0 to 5. Source: CPython's Lib/pickletools.py and Lib/pickle.py. Every opcode checks the
 * types of its operands; extension codes and out-of-band buffers, which need knowledge from outside the file, are
 * refused.
 */
import { toHex } from '../bytes/index.js';
import type { PickleMachine } from './pickle-machine.js';
import {
  PickleDict,
  PickleFloat,
  PickleGlobal,
  PickleList,
  PickleRecord,
  PickleReference,
  PickleSet,
  PickleTuple,
  type PickleValue,
} from './pickle-values.js';

export type Opcode = (machine: PickleMachine) => void;

/** Bytes of a long integer; a 64-bit seed needs 9, 2^100 needs 13. Guards time and memory. */
const LONG_BYTES_MAX = 1024;
/** Text up to this length is decoded; longer text is never a name and stays bytes. */
const TEXT_BYTES_MAX = 65_536;
const HIGHEST_PROTOCOL = 5;

/** Classes whose instances are dicts in all but name. */
const DICT_CLASSES = new Set([
  'collections.OrderedDict',
  'collections.defaultdict',
  'collections.Counter',
  'builtins.dict',
  '__builtin__.dict',
]);

const table: (Opcode | undefined)[] = new Array(256);

/** Opcodes by their byte; undefined for bytes that are none. */
export const OPCODES: readonly (Opcode | undefined)[] = table;

function define(symbol: string | number, opcode: Opcode): void {
  table[typeof symbol === 'number' ? symbol : symbol.charCodeAt(0)] = opcode;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array): PickleValue {
  if (bytes.length > TEXT_BYTES_MAX) return bytes;
  if (bytes.length < 48 && bytes.every((byte) => byte < 0x80)) return String.fromCharCode(...bytes);
  try {
    return decoder.decode(bytes);
  } catch {
    // Python pickles lone surrogates; no name has any.
    return bytes;
  }
}

function longOf(machine: PickleMachine, length: number): number | bigint {
  if (length < 0 || length > LONG_BYTES_MAX)
    machine.fail('pickle-limit', `an integer of ${length} bytes is too long`);
  const bytes = machine.reader.view8(length);
  if (length === 0) return 0;
  let value = BigInt(`0x${toHex(bytes.slice().reverse())}`);
  if (bytes[length - 1] >= 0x80) value -= 1n << BigInt(8 * length);
  return narrow(value);
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** The rest of the line, for the text opcodes of protocol 0. */
function lineOf(machine: PickleMachine): string {
  const { reader } = machine;
  const end = reader.bytes.subarray(reader.offset, reader.offset + TEXT_BYTES_MAX).indexOf(0x0a);
  if (end < 0) machine.fail('pickle-text', 'a line does not end');
  const line = textOf(reader.view8(end + 1).subarray(0, end));
  return typeof line === 'string' ? line : machine.fail('pickle-text', 'a line is not valid UTF-8');
}

function integerLine(machine: PickleMachine): number | bigint {
  const line = lineOf(machine).replace(/L$/, '');
  if (!/^[+-]?[0-9]{1,2000}$/.test(line)) machine.fail('pickle-text', 'a line is no integer');
  return narrow(BigInt(line.replace(/^\+/, '')));
}

function memoLine(machine: PickleMachine): number {
  const index = integerLine(machine);
  return typeof index === 'number' ? index : machine.fail('pickle-memo', 'a memo index is out of range');
}

function isHashable(value: PickleValue): boolean {
  return !(value instanceof PickleList || value instanceof PickleDict || value instanceof PickleSet);
}

function setItems(machine: PickleMachine, flat: readonly PickleValue[], target: PickleValue): void {
  if (flat.length % 2 !== 0) machine.fail('pickle-operand', 'a key without a value');
  if (!(target instanceof PickleDict || target instanceof PickleRecord))
    machine.fail('pickle-operand', 'items are set on something that is no dict');
  target.entries ??= new Map();
  for (let index = 0; index < flat.length; index += 2) {
    if (!isHashable(flat[index])) machine.fail('pickle-operand', 'a key that Python cannot hash');
    target.entries.set(flat[index], flat[index + 1]);
  }
}

function append(machine: PickleMachine, values: readonly PickleValue[], target: PickleValue): void {
  if (!(target instanceof PickleList || target instanceof PickleRecord))
    machine.fail('pickle-operand', 'values are appended to something that is no list');
  target.items ??= [];
  for (const value of values) target.items.push(value);
}

function addToSet(machine: PickleMachine, values: readonly PickleValue[], target: PickleValue): void {
  if (!(target instanceof PickleSet || target instanceof PickleRecord))
    machine.fail('pickle-operand', 'values are added to something that is no set');
  target.items ??= [];
  for (const value of values) {
    if (!isHashable(value)) machine.fail('pickle-operand', 'a set member that Python cannot hash');
    target.items.push(value);
  }
}

function call(machine: PickleMachine, callable: PickleValue, args: PickleValue): PickleValue {
  // Old torch files refer to the classes of modules by persistent id.
  const known =
    callable instanceof PickleGlobal ||
    callable instanceof PickleRecord ||
    callable instanceof PickleReference;
  if (!known) return machine.fail('pickle-operand', 'a call of something that is no class or function');
  if (!(args instanceof PickleTuple))
    return machine.fail('pickle-operand', 'a call whose arguments are no tuple');
  if (!(callable instanceof PickleGlobal) || !DICT_CLASSES.has(callable.path))
    return new PickleRecord(callable, args, machine.fileOffset);
  return dictOf(machine, args.items);
}

/** A dict from constructor arguments: pairs (old OrderedDict), a dict (Counter), or nothing of use (a default factory). */
function dictOf(machine: PickleMachine, args: readonly PickleValue[]): PickleDict {
  const dict = new PickleDict();
  for (const argument of args) {
    if (argument instanceof PickleDict) {
      machine.charge(argument.entries.size);
      setItems(machine, [...argument.entries].flat(), dict);
    } else if (argument instanceof PickleList) {
      machine.charge(argument.items.length);
      for (const pair of argument.items) {
        const items = pair instanceof PickleTuple || pair instanceof PickleList ? pair.items : [];
        if (items.length !== 2) machine.fail('pickle-operand', 'a dict is made of something else than pairs');
        setItems(machine, items, dict);
      }
    }
  }
  return dict;
}

function build(machine: PickleMachine): void {
  const state = machine.pop();
  const target = machine.top();
  if (target instanceof PickleRecord || target instanceof PickleDict) target.state = state;
  else machine.fail('pickle-operand', 'state is set on something that is no object');
}

function globalOf(machine: PickleMachine, module: PickleValue, name: PickleValue): PickleGlobal {
  if (typeof module !== 'string' || typeof name !== 'string')
    return machine.fail('pickle-operand', 'a class whose name is no text');
  return new PickleGlobal(module, name);
}

function refer(machine: PickleMachine, id: PickleValue): void {
  const reference = new PickleReference(id, machine.fileOffset);
  machine.references.push(reference);
  machine.push(reference);
}

function tuple(machine: PickleMachine, length: number): void {
  const items: PickleValue[] = [];
  for (let index = 0; index < length; index++) items.unshift(machine.pop());
  machine.push(new PickleTuple(items));
}

function floatOf(machine: PickleMachine): PickleFloat {
  const bytes = machine.reader.view8(8);
  return new PickleFloat(new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0));
}

function dictOfFlat(machine: PickleMachine): void {
  const dict = new PickleDict();
  setItems(machine, machine.popToMark(), dict);
  machine.push(dict);
}

function setOfMark(machine: PickleMachine): void {
  const set = new PickleSet();
  addToSet(machine, machine.popToMark(), set);
  machine.push(set);
}

function unsupported(what: string): Opcode {
  return (machine) => machine.fail('pickle-opcode', `${what} cannot be read from the file alone`);
}

/** Constants and numbers. */
define('N', (machine) => machine.push(null));
define(0x88, (machine) => machine.push(true));
define(0x89, (machine) => machine.push(false));
define('K', (machine) => machine.push(machine.reader.u8()));
define('M', (machine) => machine.push(machine.reader.u16()));
define('J', (machine) => machine.push(machine.reader.i32()));
define(0x8a, (machine) => machine.push(longOf(machine, machine.reader.u8())));
define(0x8b, (machine) => machine.push(longOf(machine, machine.reader.i32())));
define('G', (machine) => machine.push(floatOf(machine)));
define('L', (machine) => machine.push(integerLine(machine)));
define('F', (machine) => machine.push(new PickleFloat(Number.parseFloat(lineOf(machine)))));
define('I', (machine) => {
  const start = machine.reader.offset;
  const line = lineOf(machine);
  if (line === '00' || line === '01') return machine.push(line === '01');
  machine.reader.offset = start;
  machine.push(integerLine(machine));
});

/** Text and bytes. */
define(0x8c, (machine) => machine.push(textOf(machine.reader.view8(machine.reader.u8()))));
define('X', (machine) => machine.push(textOf(machine.reader.view8(machine.reader.u32()))));
define(0x8d, (machine) => machine.push(textOf(machine.reader.view8(machine.reader.u64()))));
define('U', (machine) => machine.push(textOf(machine.reader.view8(machine.reader.u8()))));
define('T', (machine) => machine.push(textOf(machine.reader.view8(machine.reader.i32()))));
define('C', (machine) => machine.push(machine.reader.view8(machine.reader.u8())));
define('B', (machine) => machine.push(machine.reader.view8(machine.reader.u32())));
define(0x8e, (machine) => machine.push(machine.reader.view8(machine.reader.u64())));
define(0x96, (machine) => machine.push(machine.reader.view8(machine.reader.u64())));
define('V', (machine) => machine.push(lineOf(machine)));
define('S', (machine) => {
  const quoted = /^(['"])(.*)\1$/.exec(lineOf(machine));
  machine.push(quoted === null ? machine.fail('pickle-text', 'a string without quotes') : quoted[2]);
});

/** Containers. */
define(']', (machine) => machine.push(new PickleList()));
define('}', (machine) => machine.push(new PickleDict()));
define(')', (machine) => machine.push(new PickleTuple([])));
define(0x8f, (machine) => machine.push(new PickleSet()));
define('(', (machine) => machine.mark());
define('t', (machine) => machine.push(new PickleTuple(machine.popToMark())));
define(0x85, (machine) => tuple(machine, 1));
define(0x86, (machine) => tuple(machine, 2));
define(0x87, (machine) => tuple(machine, 3));
define('d', dictOfFlat);
define(0x91, setOfMark);
define('l', (machine) => {
  const list = new PickleList();
  append(machine, machine.popToMark(), list);
  machine.push(list);
});
define('a', (machine) => {
  const value = machine.pop();
  append(machine, [value], machine.top());
});
define('e', (machine) => {
  const values = machine.popToMark();
  append(machine, values, machine.top());
});
define('s', (machine) => {
  const value = machine.pop();
  const key = machine.pop();
  setItems(machine, [key, value], machine.top());
});
define('u', (machine) => {
  const flat = machine.popToMark();
  setItems(machine, flat, machine.top());
});
define(0x90, (machine) => {
  const values = machine.popToMark();
  addToSet(machine, values, machine.top());
});

/** Objects and references. */
define('c', (machine) => {
  const module = lineOf(machine);
  machine.push(globalOf(machine, module, lineOf(machine)));
});
define(0x93, (machine) => {
  const name = machine.pop();
  machine.push(globalOf(machine, machine.pop(), name));
});
define('R', (machine) => {
  const args = machine.pop();
  machine.push(call(machine, machine.pop(), args));
});
define(0x81, (machine) => {
  const args = machine.pop();
  machine.push(call(machine, machine.pop(), args));
});
define(0x92, (machine) => {
  const keywords = machine.pop();
  if (!(keywords instanceof PickleDict)) machine.fail('pickle-operand', 'keyword arguments that are no dict');
  const args = machine.pop();
  machine.push(call(machine, machine.pop(), args));
});
define('i', (machine) => {
  const module = lineOf(machine);
  const callable = globalOf(machine, module, lineOf(machine));
  machine.push(call(machine, callable, new PickleTuple(machine.popToMark())));
});
define('o', (machine) => {
  const [callable, ...args] = machine.popToMark();
  if (callable === undefined) machine.fail('pickle-stack', 'an opcode finds nothing on the stack');
  machine.push(call(machine, callable, new PickleTuple(args)));
});
define('b', build);
define('Q', (machine) => refer(machine, machine.pop()));
define('P', (machine) => refer(machine, lineOf(machine)));

/** Stack and memo. */
define('0', (machine) => machine.discard());
define('1', (machine) => void machine.popToMark());
define('2', (machine) => machine.push(machine.top()));
define('p', (machine) => machine.remember(memoLine(machine)));
define('q', (machine) => machine.remember(machine.reader.u8()));
define('r', (machine) => machine.remember(machine.reader.u32()));
define(0x94, (machine) => machine.rememberNext());
define('g', (machine) => machine.recall(memoLine(machine)));
define('h', (machine) => machine.recall(machine.reader.u8()));
define('j', (machine) => machine.recall(machine.reader.u32()));

/** Framing. A frame only announces bytes that are there anyway. */
define(0x80, (machine) => {
  const protocol = machine.reader.u8();
  if (protocol > HIGHEST_PROTOCOL) machine.fail('pickle-opcode', `pickle protocol ${protocol} is not known`);
});
define(0x95, (machine) => void machine.reader.u64());
define(0x82, unsupported('an extension code'));
define(0x83, unsupported('an extension code'));
define(0x84, unsupported('an extension code'));
define(0x97, unsupported('an out-of-band buffer'));
define(0x98, unsupported('an out-of-band buffer'));
