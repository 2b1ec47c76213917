/** The long run of reference-readers.test.ts. */
import { afterAll, describe, expect, test } from 'vitest';
import { compareFiles, REFERENCE_CASES } from './reference-differences.js';
import { hasLibrary, ReferenceReader } from './reference-readers.js';

const CASES = 100_000;
/** Seeds that the short run has not tried. */
const SEED = 2001;

describe.each(['safetensors', 'torch'] as const)('%s', (library) => {
  const reader = new ReferenceReader(library);
  const cases = REFERENCE_CASES.filter((each) => each.library === library);

  afterAll(() => reader.close());

  test.skipIf(!hasLibrary(library)).for(cases)(
    `100,000 malformed inputs, as in python3 with ${library}: $part`,
    async (each) => {
      const { equal } = await compareFiles(each, reader, SEED, CASES);
      expect(equal).toBeGreaterThan(CASES / 12);
    },
  );
});
