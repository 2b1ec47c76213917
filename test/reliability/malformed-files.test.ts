/**
 * Malformed model files: a typed error or a sound segmentation, in bounded time, reading no more than there is; 20,000 for
 * each parser, a million in slow-malformed-inputs.test.ts. Seen to fail when SETITEMS stops asking for a dict (torch pickle);
 * when views of tensors may reach outside their storage; when a storage may be shorter than its pickle says (`placeStorage` in
 * torch-ranges.ts: torch zip and pickle); when a storage that
 * no reference names is taken (`placeStorages`: torch legacy); without `checkSize` (safetensors); when a header without a shape
 * is taken (npy, npz); when an error of JSON.parse is not caught (trainer state); and without the check of bounds in
 * ByteReader (all but safetensors and trainer state).
 * When a name that is no UTF-8 is not caught (gguf); when a tensor may have another size than its shape (tensor bundle);
 * when items of a `.distcp` may lie behind its end (`segmentItems`: dcp metadata);
 * when a dataset may reach past the end of its file (hdf5); when a part of a weight has the shape of the whole (`pieceOf`:
 * tfjs manifest); when a description without chunks is taken (zarr); when the elements of a tensor are still counted from the start of its
 * buffer (`cutRange`: torch partitions).
 */
import { expect, test } from 'vitest';
import { FILE_PARSERS, tryFiles } from './malformed-files.js';

test.for(FILE_PARSERS)('20,000 malformed inputs: $part', async (parser) => {
  const { segmented, refused } = await tryFiles(parser, 1, 20_000);
  expect(refused).toBeGreaterThan(1000);
  if (!parser.part.endsWith(' state')) expect(segmented).toBeGreaterThan(1000);
});
