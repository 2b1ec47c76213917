/** Malformed model files, each asked of this library and of the reader that its format comes from. */
import { expect } from 'vitest';
import { readZipDirectory } from '../../src/adapters/zip-directory.js';
import { inMemory } from '../adapters/sources.js';
import { Dice } from './dice.js';
import { recordEvidence } from './evidence.js';
import { FILE_PARSERS, type FileParser } from './malformed-files.js';
import { differenceOf, type Library, ownReading, type ReferenceReader } from './reference-readers.js';

/** What the reference may refuse while this library finds tensors, and why that is right. */
const ALLOWED_REFUSALS: Readonly<Record<Library, readonly [RegExp, string][]>> = {
  safetensors: [[/unknown variant/, 'a type that is not known yet is kept as bytes; its place is checked']],
  torch: [
    [
      /^ValueError: (UnpicklingError\('state is not|(TypeError|AttributeError)\((?!.*(_rebuild|'dtype')))/,
      'what a pickle does to objects that are no tensors is written down, not done, so that nothing can go wrong in it',
    ],
    [
      /NEWOBJ class argument must be a type/,
      'the same: whether a name is a class or a function is not known',
    ],
    [
      /_rebuild_\w+\(\) missing \d+ required positional arguments/,
      'a call whose result another one replaces is not looked at; those of tensors that are found are',
    ],
  ],
};

/** Of a compressed record, whose tensors are left out anyway. */
const RECORD_SIZE = /record size \(\d+ bytes\) does not match/;

const READERS: readonly [string, Library][] = [
  ['safetensors', 'safetensors'],
  ['torch zip', 'torch'],
  ['torch pickle', 'torch'],
  ['torch legacy', 'torch'],
];

export interface ReferenceCase extends FileParser {
  readonly library: Library;
}

export const REFERENCE_CASES: readonly ReferenceCase[] = READERS.flatMap(([part, library]) =>
  FILE_PARSERS.filter((parser) => parser.part === part).map((parser) => ({ ...parser, library })),
);

/** What came of the inputs: tensors found and equal, tensors found that the reference refuses, none found. */
export interface Agreement {
  equal: number;
  allowed: number;
  opaque: number;
}

/** Compares `count` inputs from consecutive seeds; what this library takes as opaque bytes is asked of nobody. */
export async function compareFiles(
  { part, name, make, library }: ReferenceCase,
  reader: ReferenceReader,
  seed: number,
  count: number,
): Promise<Agreement> {
  const agreement: Agreement = { equal: 0, allowed: 0, opaque: 0 };
  for (let number = seed; number < seed + count; number++) {
    const bytes = make(new Dice(number));
    const own = await ownReading(name, bytes);
    if (own === undefined) {
      agreement.opaque++;
      continue;
    }
    const { tensors, error = '' } = await reader.read(bytes);
    if (tensors === undefined) {
      const isAllowed = ALLOWED_REFUSALS[library].some(([pattern]) => pattern.test(error));
      const isOfLeftOut = RECORD_SIZE.test(error) && (await isLeftOut(true, name, bytes));
      if (!isAllowed && !isOfLeftOut)
        expect.fail(`${part}, seed ${number}: ${own.length} tensors where the reference says ${error}`);
      agreement.allowed++;
      continue;
    }
    const difference = differenceOf(own, tensors);
    if (difference !== undefined && !(await isLeftOut(difference.missing, name, bytes)))
      expect.fail(`${part}, seed ${number}: ${JSON.stringify(difference)}`);
    agreement.equal++;
  }
  recordEvidence({ guarantee: 'reference-readers', part, cases: agreement.equal + agreement.allowed });
  return agreement;
}

/** Tensors in compressed records are nobody's ranges: their elements are not in the file. */
async function isLeftOut(missing: boolean, name: string, bytes: Uint8Array): Promise<boolean> {
  if (!missing || !(bytes[0] === 0x50 && bytes[1] === 0x4b)) return false;
  return (await readZipDirectory(inMemory(name, bytes))).some(({ stored }) => !stored);
}
