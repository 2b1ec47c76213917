/** HDF5 files with wrong numbers where the reader looks: in superblock, headers, trees, heaps, names and messages. */
import { readFileSync } from 'node:fs';
import { segmentFile } from '../../src/adapters/index.js';
import { inMemory } from '../adapters/sources.js';
import { type Dice, damaged, EDGES, littleEndian, spliced } from './dice.js';

const FOLDER = new URL('../../fixtures/keras/', import.meta.url);

interface Sample {
  bytes: Uint8Array;
  /** Offsets that are read of the sound file. */
  read: number[];
}

async function sampleOf(name: string): Promise<Sample> {
  const bytes = new Uint8Array(readFileSync(new URL(name, FOLDER)));
  const file = inMemory(name, bytes);
  const places = new Set<number>();
  const read = (offset: number, length: number) => {
    // The first 1024 bytes are read to find the format, too.
    if (length < 1024) for (let at = offset; at < offset + length; at++) if (bytes[at] !== 0) places.add(at);
    return file.read(offset, length);
  };
  await segmentFile({ ...file, read });
  return { bytes, read: [...places] };
}

const SAMPLES = await Promise.all(['earliest.h5', 'latest.h5'].map(sampleOf));

function changed(bytes: Uint8Array, at: number, dice: Dice): Uint8Array {
  const width = Math.min(dice.pick([1, 2, 4, 8]), bytes.length - at);
  const value = dice.oneIn(2) ? dice.pick(EDGES) : dice.below(bytes.length);
  return spliced(
    bytes,
    at,
    width,
    dice.oneIn(6) ? new Uint8Array(width).fill(0xff) : littleEndian(value, width),
  );
}

/** A file with up to three things wrong, one in ten with none. */
export function malformedHdf5(dice: Dice): Uint8Array {
  const sample = dice.pick(SAMPLES);
  let bytes = sample.bytes;
  for (let times = dice.oneIn(10) ? 0 : 1 + dice.below(3); times > 0; times--)
    bytes = changed(bytes, dice.pick(sample.read), dice);
  return dice.oneIn(10) ? damaged(bytes, dice) : bytes;
}
