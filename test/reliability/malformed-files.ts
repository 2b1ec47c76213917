/** Malformed files of every format that is looked into, made one from another seed, and what must hold of each. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { FolderFiles, type RandomAccess, segmentFile } from '../../src/adapters/index.js';
import { expectSound, inMemory } from '../adapters/sources.js';
import { Dice, damaged, EDGES, littleEndian } from './dice.js';
import { recordEvidence } from './evidence.js';
import { BUNDLE_DATA, malformedBundle } from './malformed-bundle.js';
import { DCP_DATA, DCP_METADATA, malformedData, malformedMetadata } from './malformed-dcp.js';
import { malformedGguf } from './malformed-gguf.js';
import { malformedHdf5 } from './malformed-hdf5.js';
import { malformedNpy } from './malformed-npy.js';
import { malformedOcdbt, OCDBT_NAME } from './malformed-ocdbt.js';
import { joined, malformedPickle } from './malformed-pickle.js';
import { malformedSafetensors } from './malformed-safetensors.js';
import { malformedTfjs, TFJS_FIRST, TFJS_SECOND } from './malformed-tfjs.js';
import { malformedDescription, ZARR_CHUNK } from './malformed-zarr.js';
import { malformedZip, soundZip, type ZipRecord } from './malformed-zip.js';
import { ARCHIVES, LEGACY, PARTITIONS } from './torch-samples.js';

const FIXTURES = new URL('../../fixtures/', import.meta.url);
/** Inputs of these sizes take below a millisecond; a busy machine may stop the process for a while. */
const CASE_MS = 2000;
/** The tail of a zip and the first window of a legacy file, whatever the size. */
const READ_BYTES_BASE = 400_000;

const fixture = (name: string): Uint8Array => new Uint8Array(readFileSync(new URL(name, FIXTURES)));

function malformedArchive(archive: readonly ZipRecord[], dice: Dice): Uint8Array {
  const records = archive.map(({ name, content }) => ({
    name,
    content: name.endsWith('/data.pkl') ? malformedPickle(content, dice) : content,
  }));
  return soundZip(records);
}

function malformedLegacy(dice: Dice): Uint8Array {
  const { pickles } = LEGACY;
  const which = 1 + dice.below(4);
  const parts = pickles.map((pickle, index) => (index === which ? malformedPickle(pickle, dice) : pickle));
  const count = dice.oneIn(4) ? littleEndian(dice.pick(EDGES), 8) : LEGACY.storages.subarray(0, 8);
  const storages = joined([count, LEGACY.storages.subarray(8)]);
  return joined([...parts, dice.oneIn(4) ? damaged(storages, dice) : storages]);
}

const SOUND_ARRAY = fixture('numpy/scalar.npy');

function malformedNpz(dice: Dice): Uint8Array {
  const records = Array.from({ length: 1 + dice.below(3) }, (_, index) => ({
    name: `array_${index}.npy`,
    content: dice.oneIn(3) ? malformedNpy(dice) : SOUND_ARRAY,
  }));
  return dice.oneIn(2) ? malformedZip(records, dice) : soundZip(records);
}

const TRAINER_STATE = fixture('hf-trainer/checkpoint-100/trainer_state.json').slice(0, 1500);

interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface FileParser {
  readonly part: string;
  readonly name: string;
  readonly make: (dice: Dice) => Uint8Array;
  /** A sound file that what is made says the names of. */
  readonly described?: NamedBytes;
  /** A sound file that lies beside what is made. */
  readonly beside?: NamedBytes;
}

export const FILE_PARSERS: readonly FileParser[] = [
  { part: 'safetensors', name: 'model.safetensors', make: malformedSafetensors },
  { part: 'torch zip', name: 'model.pt', make: (dice) => malformedZip(dice.pick(ARCHIVES), dice) },
  { part: 'torch pickle', name: 'model.pt', make: (dice) => malformedArchive(dice.pick(ARCHIVES), dice) },
  { part: 'torch partitions', name: 'model.pt', make: (dice) => malformedArchive(PARTITIONS, dice) },
  { part: 'torch legacy', name: 'model.pth', make: malformedLegacy },
  { part: 'npy', name: 'array.npy', make: malformedNpy },
  { part: 'npz', name: 'arrays.npz', make: malformedNpz },
  { part: 'hdf5', name: 'model.h5', make: malformedHdf5 },
  { part: 'gguf', name: 'model.gguf', make: malformedGguf },
  {
    part: 'tensor bundle',
    name: 'ckpt.index',
    make: malformedBundle,
    described: { name: 'ckpt.data-00000-of-00001', bytes: BUNDLE_DATA },
  },
  {
    part: 'tfjs manifest',
    name: 'model.json',
    make: malformedTfjs,
    described: TFJS_FIRST,
    beside: TFJS_SECOND,
  },
  { part: 'ocdbt', name: OCDBT_NAME, make: malformedOcdbt },
  { part: 'zarr', name: '.zarray', make: malformedDescription, described: ZARR_CHUNK },
  { part: 'dcp metadata', name: DCP_METADATA.name, make: malformedMetadata, described: DCP_DATA },
  { part: 'dcp state', name: DCP_METADATA.name, make: malformedMetadata, beside: DCP_DATA },
  { part: 'dcp data', name: DCP_DATA.name, make: malformedData, beside: DCP_METADATA },
  { part: 'trainer state', name: 'trainer_state.json', make: (dice) => damaged(TRAINER_STATE, dice) },
];

/** What came of the inputs: both must occur, or nothing was tried. */
export interface Outcomes {
  segmented: number;
  refused: number;
}

/** Tries `count` inputs from consecutive seeds and writes down that they held. */
export async function tryFiles(parser: FileParser, seed: number, count: number): Promise<Outcomes> {
  const { part, make } = parser;
  const outcomes: Outcomes = { segmented: 0, refused: 0 };
  for (let number = seed; number < seed + count; number++) {
    const bytes = make(new Dice(number));
    try {
      if (await holds(parser, bytes)) outcomes.segmented++;
      else outcomes.refused++;
    } catch (error) {
      throw new Error(`${part}, seed ${number}: ${Buffer.from(bytes.subarray(0, 4000)).toString('latin1')}`, {
        cause: error,
      });
    }
  }
  recordEvidence({ guarantee: 'malformed-inputs', part, cases: count });
  return outcomes;
}

/** Returns whether tensors were found; throws for whatever must not be. */
async function holds({ name, described, beside }: FileParser, bytes: Uint8Array): Promise<boolean> {
  let readBytes = 0;
  const counted = (file: RandomAccess): RandomAccess => ({
    ...file,
    read(offset, length) {
      readBytes += length;
      return file.read(offset, length);
    },
  });
  const made = inMemory(name, bytes);
  const source = described === undefined ? made : inMemory(described.name, described.bytes);
  const files = new Map([[name, counted(made)]]);
  if (described !== undefined) files.set(described.name, source);
  if (beside !== undefined) files.set(beside.name, inMemory(beside.name, beside.bytes));
  const folder = new FolderFiles(files);
  const started = performance.now();
  const result = await segmentFile(counted(source), folder);
  const milliseconds = performance.now() - started;
  if (milliseconds > CASE_MS) expect.fail(`${milliseconds} ms for ${bytes.length} bytes`);
  if (readBytes > READ_BYTES_BASE + 4 * source.size)
    expect.fail(`read ${readBytes} of ${bytes.length} bytes`);
  expectSound(result, source);
  const { problem, segmentation } = result;
  if (problem === undefined) return segmentation.ranges.length > 0;
  const typed = problem.kind === 'corrupt' || problem.kind === 'unsupported';
  // The code of a reader that threw something else than a typed error.
  if (!typed || problem.code === 'unreadable-content') throw problem;
  const size = (problem.object === name ? made : source).size;
  if ((problem.offset ?? 0) > size) expect.fail(`an error at ${problem.offset} of ${size} bytes`);
  if (segmentation.ranges.length > 0) expect.fail('refused, and tensors all the same');
  return false;
}
