/**
 * An inert pickle reader: it runs the opcodes and calls nothing, so that any pickle can be looked into, also one made to
 * harm. See pickle-values.ts for what comes out.
 */
import { ByteReader } from '../bytes/index.js';
import { PickleMachine } from './pickle-machine.js';
import { OPCODES } from './pickle-opcodes.js';
import type { PickleReference, PickleValue } from './pickle-values.js';

const STOP = 0x2e;

/** A pickle's value, its persistent references in order, and the index of the first byte after it. */
export interface Unpickled {
  value: PickleValue;
  references: PickleReference[];
  end: number;
}

/** Where a pickle lies, for errors: the file and the offset of `bytes[0]` in it. */
export interface PickleOrigin {
  object: string;
  offset: number;
}

/**
 * Reads the pickle that begins at `start`. Throws `corrupt` with the offset in the file for truncated input, unknown
 * opcodes, operands of the wrong type and whatever exceeds the limits.
 */
export function unpickle(bytes: Uint8Array, origin: PickleOrigin, start = 0): Unpickled {
  const reader = new ByteReader(bytes, origin.object, start, bytes.length, origin.offset);
  const machine: PickleMachine = new PickleMachine(reader, origin.offset);
  for (;;) {
    machine.nextOpcode();
    const code = reader.u8();
    if (code === STOP) break;
    const opcode = OPCODES[code];
    if (opcode === undefined) machine.fail('pickle-opcode', `0x${code.toString(16)} is no pickle opcode`);
    opcode(machine);
  }
  return { value: machine.finish(), references: machine.references, end: reader.offset };
}
