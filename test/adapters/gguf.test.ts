/** GGUF: fixtures that gguf-py wrote, versions that it no longer writes, and headers of any length. */
import { expect, test } from 'vitest';
import { segmentFile } from '../../src/adapters/index.js';
import { littleEndian } from '../reliability/dice.js';
import { ggufDraft, ggufText, writeGguf } from './gguf-writer.js';
import { describeRanges, elementBytes, inMemory, keysOf, onDisk, segmentSound } from './sources.js';

const FIXTURES = new URL('../../fixtures/', import.meta.url).pathname;

test('every tensor of a file is found with the type it has, quantized ones as rows of bytes', async () => {
  const found = await segmentSound(onDisk(`${FIXTURES}gguf/step-100.gguf`));
  expect(found.format).toBe('gguf');
  expect(describeRanges(found).slice(0, 3)).toEqual([
    'blocks.0.down.bias model f32 128',
    'blocks.0.down.weight model bytes 2304',
    'blocks.0.ln1.bias model f32 128',
  ]);
  const shapes = Object.fromEntries(
    found.ranges.map(({ key, dtype, tensors }) => [key, [dtype, tensors[0].shape]]),
  );
  expect(shapes).toMatchObject({
    'blocks.0.qkv.weight': ['f16', [96, 32]],
    'blocks.0.up.weight': ['bytes', [128, 34]],
    'blocks.0.down.weight': ['bytes', [32, 72]],
    'pos.weight': ['bf16', [48, 32]],
    'blocks.0.mask': ['i8', [48, 48]],
  });
  expect(found.ranges).toHaveLength(18);
});

test('a tensor of 32 bits has the bytes that it has in safetensors', async () => {
  const gguf = onDisk(`${FIXTURES}gguf/step-101.gguf`);
  const plain = onDisk(`${FIXTURES}run-safetensors/step-101.safetensors`);
  const ours = await elementBytes(gguf, await segmentSound(gguf), 'blocks.0.up.bias');
  expect(ours).toEqual(await elementBytes(plain, await segmentSound(plain), 'blocks.0.up.bias'));
});

test('keys do not depend on the metadata, which shifts every tensor', async () => {
  const keys = keysOf(await segmentSound(onDisk(`${FIXTURES}gguf/step-100.gguf`)));
  expect(keysOf(await segmentSound(onDisk(`${FIXTURES}gguf/step-101.gguf`)))).toEqual(keys);
});

test.for([1, 2, 3])('version %i', async (version) => {
  const found = await segmentSound(inMemory('model.gguf', writeGguf(ggufDraft(version))));
  expect(describeRanges(found)).toEqual(['a model f32 24', 'b model bytes 68']);
  expect(found.ranges[1].tensors[0].shape).toEqual([2, 34]);
});

test('the alignment that the metadata names', async () => {
  const draft = { ...ggufDraft(), alignment: 4096 };
  draft.values.push({ key: 'general.alignment', type: 4, bytes: littleEndian(4096, 4) });
  draft.tensors[1].place = 4096;
  const data = new Uint8Array(4096 + 68);
  const found = await segmentSound(inMemory('model.gguf', writeGguf({ ...draft, data })));
  expect(found.ranges.map(({ offset }) => offset)).toEqual([4096, 8192]);
});

test('a vocabulary that is longer than what is read at first', async () => {
  const draft = ggufDraft();
  const words = Array.from({ length: 40_000 }, (_, index) => ggufText(`word ${index}`, 3));
  const length = words.reduce((sum, word) => sum + word.length, 0);
  expect(length).toBeGreaterThan(512 * 1024);
  const bytes = new Uint8Array(12 + length);
  bytes.set([...littleEndian(8, 4), ...littleEndian(words.length, 8)]);
  let at = 12;
  for (const word of words) {
    bytes.set(word, at);
    at += word.length;
  }
  draft.values.push({ key: 'tokenizer.ggml.tokens', type: 9, bytes });
  expect((await segmentSound(inMemory('model.gguf', writeGguf(draft)))).ranges).toHaveLength(2);
});

test('a type that came later reaches up to the next tensor, or to the end', async () => {
  const draft = ggufDraft();
  for (const tensor of draft.tensors) tensor.type = 999;
  const found = await segmentSound(inMemory('model.gguf', writeGguf(draft)));
  expect(describeRanges(found)).toEqual(['a model bytes 32', 'b model bytes 68']);
});

test('a big-endian file is stored as it is, and says why', async () => {
  const bytes = writeGguf(ggufDraft());
  bytes.subarray(4, 8).reverse();
  const { segmentation, problem } = await segmentFile(inMemory('model.gguf', bytes));
  expect(segmentation).toEqual({ format: 'opaque', ranges: [] });
  expect(problem).toMatchObject({ kind: 'unsupported', code: 'gguf-big-endian', offset: 4 });
});
