import { expect, test } from 'vitest';
import { type RandomAccess, segmentFile } from '../../src/adapters/index.js';
import { ThetalogError } from '../../src/errors.js';
import { inMemory, segmentSound } from './sources.js';
import { torchFile } from './torch-zip-writer.js';

test('a failure of the file itself is thrown, not taken for damage', async () => {
  const sound = torchFile((archive) => ({ w: archive.zeros(4) }));
  for (const failure of [new Error('EIO: i/o error'), new ThetalogError('aborted', 'aborted', 'stop')]) {
    const failing: RandomAccess = {
      name: sound.name,
      size: sound.size,
      read: (offset, length) => (offset === 0 ? sound.read(offset, length) : Promise.reject(failure)),
    };
    await expect(segmentFile(failing)).rejects.toBe(failure);
  }
});

test('a file that shrinks while it is read is reported as truncated', async () => {
  const sound = torchFile((archive) => ({ w: archive.zeros(4) }));
  const bytes = await sound.bytes();
  const shrunk: RandomAccess = { ...inMemory('x.pt', bytes.slice(0, 600)), size: bytes.length };
  const { problem } = await segmentFile(shrunk);
  expect(problem).toMatchObject({ kind: 'corrupt', code: 'truncated' });
});

test('the same paths printed the same way stay apart', async () => {
  const { ranges } = await segmentSound(
    torchFile((archive) => ({
      'a.b': archive.zeros(1),
      a: { b: archive.zeros(2), 'b#2': archive.zeros(3) },
    })),
  );
  expect(ranges.map(({ key }) => key)).toEqual(['a.b', 'a.b#2', 'a.b#2#2']);
});

test('files are read by their parts, never whole', async () => {
  const source = torchFile((archive) => ({ w: archive.zeros(2 ** 32) }));
  let longest = 0;
  const watched: RandomAccess = {
    name: source.name,
    size: source.size,
    read(offset, length) {
      longest = Math.max(longest, length);
      return source.read(offset, length);
    },
  };
  await segmentSound(watched);
  expect(longest).toBeLessThan(70_000);
});

test('unknown content and a shard of torch.distributed.checkpoint are opaque, without a problem', async () => {
  const zip = await torchFile((archive) => ({ w: archive.zeros(4) })).bytes();
  const shard = new Uint8Array([...zip, ...zip]);
  const opaque = { segmentation: { format: 'opaque', ranges: [] } };
  expect(await segmentFile(inMemory('dcp/__0_0.distcp', shard))).toEqual(opaque);
  expect(await segmentFile(inMemory('model.h5', new Uint8Array([0x89, 0x48, 0x44, 0x46])))).toEqual(opaque);
  expect(await segmentFile(inMemory('empty', new Uint8Array(0)))).toEqual(opaque);
});
