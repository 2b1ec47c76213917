/**
 * What this library takes for tensors in malformed files, safetensors and torch take for the same tensors: names, dtypes,
 * shapes and bytes. Skipped where Python has not the library; `THETALOG_PYTHON` names an interpreter that has. Seen to fail
 * when texts in pickles need not be UTF-8 and when a view loses its strides; the long run also when MS-DOS's mark of
 * directories is ignored, where torch returns memory that was never written.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { compareFiles, REFERENCE_CASES } from './reference-differences.js';
import { hasLibrary, ReferenceReader } from './reference-readers.js';

describe.each(['safetensors', 'torch'] as const)('%s', (library) => {
  const reader = new ReferenceReader(library);
  const cases = REFERENCE_CASES.filter((each) => each.library === library);

  afterAll(() => reader.close());

  test.skipIf(!hasLibrary(library)).for(cases)(
    `2,000 malformed inputs, as in python3 with ${library}: $part`,
    async (each) => {
      const { equal } = await compareFiles(each, reader, 1, 2000);
      expect(equal).toBeGreaterThan(150);
    },
  );
});
