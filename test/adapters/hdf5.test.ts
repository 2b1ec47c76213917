/** HDF5: fixtures that Keras and h5py wrote. */
import { expect, test } from 'vitest';
import type { Segmentation } from '../../src/adapters/index.js';
import { describeRanges, elementBytes, keysOf, namesOf, onDisk, segmentSound } from './sources.js';

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
