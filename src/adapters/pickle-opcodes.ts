/**
 * The opcodes of pickle protocols 0 to 5. Source: CPython's Lib/pickletools.py and Lib/pickle.py. Extension codes and
 * out-of-band buffers, which need knowledge from outside the file, are refused.
 */
import { floatLine, floatOf, integerLine, lineOf, longOf, memoLine, textOf } from './pickle-arguments.js';
import type { PickleMachine } from './pickle-machine.js';
import {
  addToSet,
  append,
  build,
  call,
  dictOfFlat,
  emptyDict,
  globalOf,
  refer,
  setItems,
  setOfMark,
  tuple,
} from './pickle-objects.js';
import { PickleDict, PickleList, PickleSet, PickleTuple } from './pickle-values.js';

export type Opcode = (machine: PickleMachine) => void;

const HIGHEST_PROTOCOL = 5;

const table: (Opcode | undefined)[] = new Array(256);

/** Opcodes by their byte; undefined for bytes that are none. */
export const OPCODES: readonly (Opcode | undefined)[] = table;

function define(symbol: string | number, opcode: Opcode): void {
  table[typeof symbol === 'number' ? symbol : symbol.charCodeAt(0)] = opcode;
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
define('L', (machine) => machine.push(integerLine(machine, /L$/)));
define('F', (machine) => machine.pushNew(floatLine(machine)));
define('I', (machine) => {
  const start = machine.reader.offset;
  const line = lineOf(machine);
  if (line === '00' || line === '01') return machine.push(line === '01');
  machine.reader.offset = start;
  machine.push(integerLine(machine));
});

/** Text and bytes. */
define(0x8c, (machine) => machine.push(textOf(machine, machine.reader.view8(machine.reader.u8()))));
define('X', (machine) => machine.push(textOf(machine, machine.reader.view8(machine.reader.u32()))));
define(0x8d, (machine) => machine.push(textOf(machine, machine.reader.view8(machine.reader.u64()))));
define('U', (machine) => machine.push(textOf(machine, machine.reader.view8(machine.reader.u8()))));
define('T', (machine) => machine.push(textOf(machine, machine.reader.view8(machine.reader.i32()))));
define('C', (machine) => machine.pushNew(machine.reader.view8(machine.reader.u8())));
define('B', (machine) => machine.pushNew(machine.reader.view8(machine.reader.u32())));
define(0x8e, (machine) => machine.pushNew(machine.reader.view8(machine.reader.u64())));
define(0x96, (machine) => machine.pushNew(machine.reader.view8(machine.reader.u64())));
define('V', (machine) => machine.push(lineOf(machine)));
define('S', (machine) => {
  const quoted = /^(['"])(.*)\1$/.exec(lineOf(machine));
  machine.push(quoted === null ? machine.fail('pickle-text', 'a string without quotes') : quoted[2]);
});

/** Containers. */
define(']', (machine) => machine.pushNew(new PickleList()));
define('}', (machine) => machine.push(emptyDict(machine)));
define(')', (machine) => machine.pushNew(new PickleTuple([])));
define(0x8f, (machine) => machine.pushNew(new PickleSet()));
define('(', (machine) => machine.mark());
define('t', (machine) => machine.pushNew(new PickleTuple(machine.popToMark())));
define(0x85, (machine) => tuple(machine, 1));
define(0x86, (machine) => tuple(machine, 2));
define(0x87, (machine) => tuple(machine, 3));
define('d', dictOfFlat);
define(0x91, setOfMark);
define('l', (machine) => {
  const list = new PickleList();
  append(machine, machine.popToMark(), list);
  machine.pushNew(list);
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
  machine.pushNew(globalOf(machine, module, lineOf(machine)));
});
define(0x93, (machine) => {
  const name = machine.pop();
  machine.pushNew(globalOf(machine, machine.pop(), name));
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

/** Framing. */
define(0x80, (machine) => {
  const protocol = machine.reader.u8();
  if (protocol > HIGHEST_PROTOCOL) machine.fail('pickle-opcode', `pickle protocol ${protocol} is not known`);
});
define(0x95, (machine) => machine.openFrame(machine.reader.u64()));
define(0x82, unsupported('an extension code'));
define(0x83, unsupported('an extension code'));
define(0x84, unsupported('an extension code'));
define(0x97, unsupported('an out-of-band buffer'));
define(0x98, unsupported('an out-of-band buffer'));
