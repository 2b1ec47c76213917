/** Directories of torch.distributed.checkpoint in which `.metadata` or a file with tensors is wrong. */
import { readFileSync } from 'node:fs';
import { type Dice, damaged } from './dice.js';
import { malformedPickle } from './malformed-pickle.js';

interface Sound {
  readonly name: string;
  readonly bytes: Uint8Array;
}

function sound(name: string): Sound {
  const path = new URL(`../../fixtures/dcp/small/${name}`, import.meta.url);
  return { name, bytes: new Uint8Array(readFileSync(path)) };
}

export const DCP_METADATA = sound('.metadata');
export const DCP_DATA = sound('__0_0.distcp');

/** A `.metadata` with wrong opcodes, or with wrong bytes. */
export function malformedMetadata(dice: Dice): Uint8Array {
  return dice.oneIn(3) ? damaged(DCP_METADATA.bytes, dice) : malformedPickle(DCP_METADATA.bytes, dice);
}

export function malformedData(dice: Dice): Uint8Array {
  return damaged(DCP_DATA.bytes, dice);
}
