/**
 * Malformed model files: a typed error or a sound segmentation, in bounded time, reading no more than there is; 20,000 for
 * each parser, a million in slow-malformed-inputs.test.ts. Seen to
 * fail when SETITEMS stops asking for a dict, and when views of tensors may reach outside their storage.
 */
import { expect, test } from 'vitest';
import { FILE_PARSERS, tryFiles } from './malformed-files.js';

test.for(FILE_PARSERS)('20,000 malformed inputs: $part', async (parser) => {
  const { segmented, refused } = await tryFiles(parser, 1, 20_000);
  expect(refused).toBeGreaterThan(1000);
  if (parser.part !== 'trainer state') expect(segmented).toBeGreaterThan(1000);
});
