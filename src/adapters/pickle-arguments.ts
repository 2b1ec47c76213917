/** The arguments that stand in the byte stream behind a pickle opcode: texts, integers, lines of protocol 0. */
import { toHex } from '../bytes/index.js';
import type { PickleMachine } from './pickle-machine.js';
import { PickleFloat, type PickleValue } from './pickle-values.js';

/** Bytes of a long integer; a 64-bit seed needs 9, 2^100 needs 13. Guards time and memory. */
const LONG_BYTES_MAX = 1024;
/** Text up to this length is decoded; longer text is never a name and stays bytes. */
const TEXT_BYTES_MAX = 65_536;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A text, or its bytes where it is too long to be a name. */
export function textOf(machine: PickleMachine, bytes: Uint8Array): PickleValue {
  if (bytes.length > TEXT_BYTES_MAX) return bytes;
  if (bytes.length < 48 && bytes.every((byte) => byte < 0x80)) return String.fromCharCode(...bytes);
  try {
    return decoder.decode(bytes);
  } catch {
    return surrogateText(machine, bytes);
  }
}

/** Python pickles lone surrogates as if they were characters. No name has any, so that such a text stays bytes. */
function surrogateText(machine: PickleMachine, bytes: Uint8Array): Uint8Array {
  const whole = bytes.slice();
  for (let at = 0; at + 2 < whole.length; at++)
    if (whole[at] === 0xed && whole[at + 1] >= 0xa0) whole.fill(0x3f, at, at + 3);
  try {
    decoder.decode(whole);
    return bytes;
  } catch {
    return machine.fail('pickle-text', 'a text is not valid UTF-8');
  }
}

/** A little-endian two's complement integer of `length` bytes. */
export function longOf(machine: PickleMachine, length: number): number | bigint {
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
export function lineOf(machine: PickleMachine): string {
  const { reader } = machine;
  const end = reader.bytes.subarray(reader.offset, reader.offset + TEXT_BYTES_MAX).indexOf(0x0a);
  if (end < 0) machine.fail('pickle-text', 'a line does not end');
  const line = textOf(machine, reader.view8(end + 1).subarray(0, end));
  return typeof line === 'string' ? line : machine.fail('pickle-text', 'a line is not valid UTF-8');
}

/** A line that is a decimal integer; only that of a long may end with L. */
export function integerLine(machine: PickleMachine, suffix = /$/): number | bigint {
  const line = lineOf(machine).replace(suffix, '');
  if (!/^[+-]?[0-9]{1,2000}$/.test(line)) machine.fail('pickle-text', 'a line is no integer');
  return narrow(BigInt(line.replace(/^\+/, '')));
}

/** A line that is a float as Python spells it. */
export function floatLine(machine: PickleMachine): PickleFloat {
  const line = lineOf(machine).trim();
  if (/^[+-]?(inf|infinity|nan)$/i.test(line)) return new PickleFloat(wordFloat(line));
  if (!/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(line))
    machine.fail('pickle-text', 'a line is no float');
  return new PickleFloat(Number(line));
}

function wordFloat(word: string): number {
  if (/nan/i.test(word)) return Number.NaN;
  return word.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** A line that is a memo index. */
export function memoLine(machine: PickleMachine): number {
  const index = integerLine(machine);
  return typeof index === 'number' ? index : machine.fail('pickle-memo', 'a memo index is out of range');
}

/** A big-endian double. */
export function floatOf(machine: PickleMachine): PickleFloat {
  const bytes = machine.reader.view8(8);
  return new PickleFloat(new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0));
}
