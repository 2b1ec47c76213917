/** The long run of malformed-files.test.ts and malformed-objects.test.ts: a million inputs for each parser. */
import { expect, test } from 'vitest';
import { FILE_PARSERS, tryFiles } from './malformed-files.js';
import { OBJECT_PARSERS, tryObjects } from './malformed-objects.js';

const CASES = 1_000_000;
/** Seeds that the short run has not tried. */
const SEED = 20_001;

test.for(FILE_PARSERS)('a million malformed inputs: $part', async (parser) => {
  const { segmented, refused } = await tryFiles(parser, SEED, CASES);
  expect(segmented + refused).toBe(CASES);
});

test.for(OBJECT_PARSERS)('a million malformed inputs: $part', (parser) => {
  const { read, refused } = tryObjects(parser, SEED, CASES);
  expect(read + refused).toBe(CASES);
});
