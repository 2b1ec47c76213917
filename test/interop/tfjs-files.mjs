/**
 * Trains a small model under an optimizer of TensorFlow.js and writes it as its `model.json` with files of weights at two consecutive steps, each into a folder
 * of its own, beside the same tensors in plain safetensors; or loads such a folder and prints a digest of all tensors.
 * Usage: node tfjs-files.mjs write|load FOLDER NPM_FOLDER [OPTIMIZER] [UNITS] [FILE_BYTES]
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [command, folder, npm, optimizer = 'adam', units = '96', fileBytes = '65536'] = process.argv.slice(2);
const tf = createRequire(join(npm, 'package.json'))('@tensorflow/tfjs');
await tf.setBackend('cpu');

const [INPUTS, CLASSES, BATCH, FIRST_STEP] = [16, 8, 16, 20];
const OPTIMIZERS = {
  adam: () => tf.train.adam(1e-3),
  momentum: () => tf.train.momentum(0.02, 0.9),
};
const DTYPES = { float32: 'F32', int32: 'I32', bool: 'BOOL' };

function makeModel() {
  const dense = (count, seed, options) =>
    tf.layers.dense({
      units: count,
      kernelInitializer: tf.initializers.glorotNormal({ seed }),
      ...options,
    });
  const layers = [
    dense(Number(units), 1, { inputShape: [INPUTS], activation: 'relu', name: 'hidden' }),
    dense(Number(units), 2, { activation: 'relu' }),
    dense(CLASSES, 3, { activation: 'softmax', name: 'output' }),
  ];
  const model = tf.sequential({ layers });
  model.compile({ optimizer: OPTIMIZERS[optimizer](), loss: 'categoricalCrossentropy' });
  return model;
}

async function train(model, step) {
  const noise = tf.randomNormal([BATCH, INPUTS], 0, 0.5, 'float32', step);
  const labels = Int32Array.from({ length: BATCH }, (_, row) => (row * 5 + step) % CLASSES);
  const y = tf.oneHot(tf.tensor1d(labels, 'int32'), CLASSES);
  const x = noise.add(tf.concat([y, y], 1).toFloat());
  await model.trainOnBatch(x, y);
}

/** As the handler for downloads in a browser does, with the files of the converters. */
function writeModel(target, { weightData, weightSpecs, ...rest }) {
  mkdirSync(target, { recursive: true });
  const bytes = Buffer.from(weightData);
  const count = Math.ceil(bytes.length / Number(fileBytes));
  const paths = Array.from({ length: count }, (_, at) => `./group1-shard${at + 1}of${count}.bin`);
  for (const [at, path] of paths.entries())
    writeFileSync(join(target, path), bytes.subarray(at * Number(fileBytes), (at + 1) * Number(fileBytes)));
  const manifest = { ...rest, weightsManifest: [{ paths, weights: weightSpecs }] };
  writeFileSync(join(target, 'model.json'), JSON.stringify(manifest));
}

function writeSafetensors(file, { weightData, weightSpecs }) {
  let end = 0;
  const entries = weightSpecs.map(({ name, dtype, shape }) => {
    const begin = end;
    end += 4 * shape.reduce((product, size) => product * size, 1);
    return [name, { dtype: DTYPES[dtype], shape, data_offsets: [begin, end] }];
  });
  const text = JSON.stringify(Object.fromEntries(entries));
  const header = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(file, Buffer.concat([length, header, Buffer.from(weightData)]));
}

async function artifactsOf(model) {
  let artifacts;
  const handler = tf.io.withSaveHandler(async (given) => {
    artifacts = given;
    return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
  });
  await model.save(handler, { includeOptimizer: true });
  return artifacts;
}

async function write() {
  const model = makeModel();
  mkdirSync(join(folder, 'reference'), { recursive: true });
  for (let step = 1; step <= FIRST_STEP + 1; step++) {
    await train(model, step);
    const number = step - FIRST_STEP + 1;
    if (number < 1) continue;
    const artifacts = await artifactsOf(model);
    writeModel(join(folder, `step-${number}`), artifacts);
    writeSafetensors(join(folder, `reference/step-${number}.safetensors`), artifacts);
  }
}

async function load() {
  const { weightsManifest, ...rest } = JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8'));
  const [{ paths, weights: weightSpecs }] = weightsManifest;
  const bytes = Buffer.concat(paths.map((path) => readFileSync(join(folder, path))));
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const model = await tf.loadLayersModel(tf.io.fromMemory({ ...rest, weightSpecs, weightData }));
  const kept = await model.optimizer.getWeights();
  const digest = createHash('sha256');
  const tensors = [...model.weights.map((weight) => [weight.originalName, weight.read()])];
  tensors.push(...kept.map(({ name, tensor }) => [name, tensor]));
  for (const [name, tensor] of tensors)
    digest.update(`${name} ${tensor.dtype} ${tensor.shape}\n`).update(tensor.dataSync());
  console.log(JSON.stringify({ digest: digest.digest('hex'), tensors: tensors.length }));
}

await (command === 'write' ? write() : load());
