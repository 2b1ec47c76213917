/** HDF5: fixtures that Keras and h5py wrote. */
import { expect, test } from 'vitest';
import { type Segmentation, segmentFile } from '../../src/adapters/index.js';
import { littleEndian } from '../reliability/dice.js';
import { joined } from '../reliability/malformed-pickle.js';
import { describeRanges, elementBytes, inMemory, keysOf, namesOf, onDisk, segmentSound } from './sources.js';

const FIXTURES = new URL('../../fixtures/keras/', import.meta.url).pathname;

function fixture(name: string): Promise<Segmentation> {
  return segmentSound(onDisk(FIXTURES + name));
}

test.for([
  [
    'step-10.h5',
    'hdf5',
    'model_weights/up/classifier/up/kernel',
    'optimizer_weights/adam/classifier_up_kernel_',
  ],
  ['step-10.weights.h5', 'hdf5', 'layers/dense/vars/0', 'optimizer/vars/'],
  ['step-10.keras', 'keras', 'layers/dense/vars/0', 'optimizer/vars/'],
] as const)(
  '%s: weights, moments tied to them, step and learning rate',
  async ([name, format, weights, slot]) => {
    const found = await fixture(name);
    expect(found.format).toBe(format);
    expect(found.step).toBe(10);
    expect(found.ranges).toHaveLength(14);
    expect(describeRanges(found)).toContain(`${weights} model f32 512`);
    expect(found.parameters).toHaveLength(4);
    const facts = found.parameters?.find((one) => one.weights === weights);
    const [m, v] = name.endsWith('.h5') && !name.includes('weights') ? ['momentum', 'velocity'] : ['2', '3'];
    expect(facts).toMatchObject({
      slots: { exp_avg: slot + m, exp_avg_sq: slot + v },
      step: 10,
      settings: { lr: Math.fround(0.01) },
    });
  },
);

test('a tensor has the same bytes in all three, and the next step the same keys', async () => {
  const bytesOf = async (name: string, key: string) =>
    elementBytes(onDisk(FIXTURES + name), await fixture(name), key);
  const plain = await bytesOf('step-11.h5', 'model_weights/out/classifier/out/kernel');
  for (const name of ['step-11.weights.h5', 'step-11.keras']) {
    expect(await bytesOf(name, 'layers/dense_1/vars/0')).toEqual(plain);
    expect(keysOf(await fixture(name)).sort()).toEqual(
      keysOf(await fixture(name.replace('11', '10'))).sort(),
    );
  }
});

test('headers and links of the second version; what is in pieces stays in the skeleton', async () => {
  const found = await fixture('latest.h5');
  expect(describeRanges(found).map((line) => line.replace(/^kinds\//, ''))).toEqual([
    'f2 model f16 24',
    'twice model f64 96',
    'i1 model i8 12',
    'u8 model u64 96',
    'big-f4 model bytes 48',
    'bool model bytes 12',
    'text model bytes 16',
  ]);
  expect(namesOf(found)).toEqual(expect.arrayContaining(['twice', 'kinds/f8']));
  const numbers = await elementBytes(onDisk(`${FIXTURES}latest.h5`), found, 'twice');
  expect([...new Float64Array(numbers.buffer)]).toEqual([...Array(12).keys()]);
});

/** An object of some messages: type and content. */
function object(...messages: [type: number, content: Uint8Array][]): Uint8Array {
  const parts = messages.flatMap(([type, content]) => [
    littleEndian(type, 2),
    littleEndian(content.length, 2),
    new Uint8Array(4),
    content,
  ]);
  const body = joined(parts);
  return joined([Uint8Array.of(1, 0, 1, 0, 1, 0, 0, 0), littleEndian(body.length, 8), body]);
}

/** A link with a name of up to 64 KiB. */
function link(name: string, address: number): [number, Uint8Array] {
  const parts = [Uint8Array.of(1, 1), littleEndian(name.length, 2), new TextEncoder().encode(name)];
  return [6, joined([...parts, littleEndian(address, 8)])];
}

test('datasets below a deep group, whose paths take more memory than the file, are refused', async () => {
  const superblock = new Uint8Array(96);
  superblock.set([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0, 0, 8, 8]);
  superblock[64] = 96;
  const parts: Uint8Array[] = [superblock];
  let end = 96;
  const place = (part: Uint8Array): void => {
    parts.push(part);
    end += part.length;
  };
  const name = 'n'.repeat(4000);
  // Each group has the same size, and leads to the next behind it.
  const size = object(link(name, 0)).length;
  for (let depth = 0; depth < 60; depth++) place(object(link(name, end + size)));
  const empty = object([0, new Uint8Array(8)]);
  const links = (first: number) =>
    object(...Array.from({ length: 1000 }, (_, at) => link(`x${at + 1000}`, first + at * empty.length)));
  place(links(end + links(0).length));
  for (let at = 0; at < 1000; at++) place(empty);
  const { problem } = await segmentFile(inMemory('deep.h5', joined(parts)));
  expect(problem).toMatchObject({
    kind: 'corrupt',
    code: 'hdf5-tree',
    message: expect.stringMatching(/paths/),
  });
});
