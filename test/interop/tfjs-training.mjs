/**
 * Trains small models with TensorFlow.js, one for each kind of optimizer, up to step TO, going on from what the store has of each, and saves
 * each at the end as a run of its own. Usage: node tfjs-training.mjs NPM_FOLDER STORE BACKEND TO [OTHER_LAYERS]
 * OTHER_LAYERS are made first, so that TensorFlow.js numbers those of the models differently. Needs a built dist/.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createStore, isThetalogError, openStore } from '../../dist/index.js';
import { applyState, captureState } from '../../dist/tfjs/index.js';

const [, , folder, location, backend, to, otherLayers = '0'] = process.argv;
const require = createRequire(join(folder, 'package.json'));
const tf = require('@tensorflow/tfjs');
if (backend === 'wasm') require('@tensorflow/tfjs-backend-wasm');
if (!(await tf.setBackend(backend))) throw new Error(`no backend ${backend}`);

const [INPUTS, CLASSES, BATCH] = [20, 5, 16];
const { train } = tf;

/** Kinds of training: by the classes of tf.train with a loop of one's own, with `compile` and `trainOnBatch`, without layers. */
const JOBS = {
  sgd: () => ownLoop(train.sgd(0.05)),
  momentum: () => ownLoop(train.momentum(0.02, 0.9)),
  nesterov: () => ownLoop(train.momentum(0.02, 0.9, true)),
  rmsprop: () => ownLoop(train.rmsprop(1e-3)),
  'rmsprop-centered': () => ownLoop(train.rmsprop(1e-3, 0.9, 0.5, null, true)),
  adagrad: () => ownLoop(train.adagrad(0.05)),
  adadelta: () => ownLoop(train.adadelta(0.5)),
  adam: () => ownLoop(train.adam(1e-3)),
  adamax: () => ownLoop(train.adamax(1e-3, 0.9, 0.999, 1e-8, 0.01)),
  compiled: () => compiled(),
  variables: () => withoutLayers(),
};

/** Numbers in [0, 1) of a step: mulberry32. */
function randomOf(step) {
  let seed = step;
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function batchOf(step) {
  const random = randomOf(step);
  const labels = Int32Array.from({ length: BATCH }, () => Math.floor(random() * CLASSES));
  const inputs = Float32Array.from({ length: BATCH * INPUTS }, random);
  return { x: tf.tensor2d(inputs, [BATCH, INPUTS]), y: tf.oneHot(tf.tensor1d(labels, 'int32'), CLASSES) };
}

function network() {
  const initial = (seed) => tf.initializers.glorotNormal({ seed });
  return tf.sequential({
    layers: [
      tf.layers.dense({ units: 32, inputShape: [INPUTS], activation: 'relu', kernelInitializer: initial(1) }),
      tf.layers.batchNormalization(),
      tf.layers.dense({ units: 12, activation: 'tanh', kernelInitializer: initial(2), name: 'middle' }),
      tf.layers.dense({ units: CLASSES, kernelInitializer: initial(3) }),
    ],
  });
}

function ownLoop(optimizer) {
  const model = network();
  const loss = ({ x, y }) => tf.losses.softmaxCrossEntropy(y, model.apply(x, { training: true }));
  return { model, optimizer, step: (batch) => optimizer.minimize(() => loss(batch)) };
}

function compiled() {
  const model = network();
  model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
  return { model, step: ({ x, y }) => model.trainOnBatch(x, y) };
}

function withoutLayers() {
  const weights = Float32Array.from({ length: INPUTS * CLASSES }, randomOf(9));
  const variables = {
    w: tf.variable(tf.tensor2d(weights, [INPUTS, CLASSES])),
    b: tf.variable(tf.zeros([CLASSES])),
  };
  const optimizer = train.adam(1e-2);
  const loss = ({ x, y }) => tf.losses.softmaxCrossEntropy(y, x.matMul(variables.w).add(variables.b));
  return { variables, optimizer, step: (batch) => optimizer.minimize(() => loss(batch)) };
}

for (let count = 0; count < Number(otherLayers); count++)
  tf.layers.dense({ units: 1, inputShape: [1] }).build([1]);
const store = await openStore(location).catch((error) => {
  if (isThetalogError(error, 'not-found')) return createStore(location);
  throw error;
});
for (const [name, make] of Object.entries(JOBS)) {
  const { step, ...training } = make();
  const run = store.run(name);
  const resumed = await run.resume();
  const begin = resumed?.checkpoint.step ?? 0;
  if (resumed !== undefined) {
    applyState(resumed.state, { tf, ...training });
    const tensors = tf.memory().numTensors;
    applyState(resumed.state, { tf, ...training });
    const again = captureState(training);
    if (tf.memory().numTensors !== tensors) throw new Error(`${name}: tensors were left behind`);
    const { differences } = await run.verify({ ...again, progress: { step: begin } });
    if (differences.length > 0) throw new Error(`${name}: ${differences[0].name} ${differences[0].message}`);
  }
  for (let at = begin; at < Number(to); at++) {
    const batch = batchOf(at);
    await step(batch);
    tf.dispose(batch);
  }
  const state = { ...captureState(training), progress: { step: Number(to) } };
  await (await run.save(state)).committed;
  console.log(`${name} ${begin} ${to}`);
}
await store.close();
