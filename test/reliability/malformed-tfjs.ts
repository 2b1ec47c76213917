/** A `model.json` of TensorFlow.js whose weights, groups or bytes are wrong; the two files of weights beside it are sound. */
import { type Dice, damaged, EDGES } from './dice.js';

const MATRIX = { shape: [2, 3] as unknown, dtype: 'float32' as unknown };

/** A matrix and its moments, of which one begins in the first file and ends in the second, and a counter. */
export const TFJS_FIRST = { name: 'first.bin', bytes: Uint8Array.from({ length: 38 }, (_, at) => at) };
export const TFJS_SECOND = { name: 'second.bin', bytes: new Uint8Array(38) };

interface Draft {
  paths: unknown;
  weights: Record<string, unknown>[];
}

function draft(): Draft {
  return {
    paths: [TFJS_FIRST.name, TFJS_SECOND.name],
    weights: [
      { name: 'w', ...MATRIX },
      { name: 'iter', shape: [], dtype: 'int32', group: 'optimizer' },
      { name: 'w/m', ...MATRIX, group: 'optimizer' },
      { name: 'w/v', ...MATRIX, group: 'optimizer' },
    ],
  };
}

const DTYPES = ['float32', 'int32', 'bool', 'complex64', 'string', 'float16', '', 7, null];

const CHANGES: readonly ((manifest: Draft, weight: Record<string, unknown>, dice: Dice) => void)[] = [
  (_, weight, dice) => {
    weight.dtype = dice.pick(DTYPES);
  },
  (_, weight, dice) => {
    weight.shape = Array.from(
      { length: dice.below(4) },
      () => dice.pick(EDGES) * dice.pick([1, 1, 1, -1, 0.5]),
    );
  },
  (_, weight, dice) => {
    weight.shape = dice.pick([null, 'x', {}, [[1]], new Array(70).fill(1), [3, 2], [6], [1, 6, 1], [0]]);
  },
  (_, weight, dice) => {
    weight.name = dice.pick(['', 'w', 'w/m', 'iter', '__proto__', '/', 'w[0:2]', 'x'.repeat(300), null, 3]);
  },
  (_, weight, dice) => {
    weight.group = dice.pick(['optimizer', 'model', 3, null]);
  },
  (_, weight, dice) => {
    weight.quantization = dice.pick([
      { dtype: dice.pick(['uint8', 'uint16', 'float16', 'int4', 3]) },
      {},
      null,
      [],
    ]);
  },
  (manifest, _, dice) => {
    const names = [
      TFJS_FIRST.name,
      TFJS_SECOND.name,
      `./${TFJS_SECOND.name}`,
      '../first.bin',
      'model.json',
      '',
      3,
    ];
    manifest.paths = dice.pick([
      Array.from({ length: dice.below(4) }, () => dice.pick(names)),
      [TFJS_SECOND.name, TFJS_FIRST.name],
      [TFJS_FIRST.name, TFJS_SECOND.name, 'empty.bin'],
      TFJS_FIRST.name,
      null,
    ]);
  },
  (manifest, _, dice) => {
    manifest.weights.splice(dice.below(4), dice.below(3), { name: 'x', ...MATRIX, shape: [dice.below(12)] });
  },
  (manifest) => {
    manifest.weights.reverse();
  },
];

/** A manifest with up to three things wrong, one in ten with none. */
export function malformedTfjs(dice: Dice): Uint8Array {
  const manifest = draft();
  for (let times = dice.oneIn(10) ? 0 : 1 + dice.below(3); times > 0; times--) {
    const weight = dice.pick(manifest.weights);
    dice.pick(CHANGES)(manifest, weight ?? {}, dice);
  }
  const config = { learningRate: 0.01, beta1: dice.pick([0.9, 1e300, true]) };
  const whole = {
    trainingConfig: { optimizer_config: { class_name: dice.pick(['Adam', '', 'a/b', 3]), config } },
    weightsManifest: [manifest],
  };
  const bytes = new TextEncoder().encode(JSON.stringify(dice.oneIn(5) ? [manifest] : whole));
  return dice.oneIn(3) ? damaged(bytes, dice) : bytes;
}
