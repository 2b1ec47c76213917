/** The arguments that stand in the byte stream behind a pickle opcode: texts, integers, lines of protocol 0. */
import { toHex } from '../bytes/index.js';
import type { PickleMachine } from './pickle-machine.js';
import { PickleFloat, type PickleValue } from './pickle-values.js';

/** Bytes of a long integer; a 64-bit seed needs 9, 2^100 needs 13. Guards time and memory. */
const LONG_BYTES_MAX = 1024;
/** Text up to this length is decoded; longer text is never a name and stays bytes. */
const TEXT_BYTES_MAX = 65_536;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A text, or its bytes where it is too long to be a name or is no valid UTF-8. */
export function textOf(bytes: Uint8Array): PickleValue {
  if (bytes.length > TEXT_BYTES_MAX) return bytes;
  if (bytes.length < 48 && bytes.every((byte) => byte < 0x80)) return String.fromCharCode(...bytes);
  try {
    return decoder.decode(bytes);
  } catch {
    // Python pickles lone surrogates; no name has any.
    return bytes;
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
  const line = textOf(reader.view8(end + 1).subarray(0, end));
  return typeof line === 'string' ? line : machine.fail('pickle-text', 'a line is not valid UTF-8');
}

/** A line that is a decimal integer, with or without the L of a long. */
export function integerLine(machine: PickleMachine): number | bigint {
  const line = lineOf(machine).replace(/L$/, '');
  if (!/^[+-]?[0-9]{1,2000}$/.test(line)) machine.fail('pickle-text', 'a line is no integer');
  return narrow(BigInt(line.replace(/^\+/, '')));
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
