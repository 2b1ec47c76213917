/** Pairs of checkpoints that no trace has, written as files: returns their paths and what the figure needs to know. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeSafetensors, writeTorchFile } from '../checkpoint-files.mjs';
import { randomNumbers } from '../harness.mjs';
import {
  adamwStep,
  elementsOf,
  initialise,
  momentumStep,
  Noise,
  SETTINGS,
  SGD_SETTINGS,
  SPARSE_SETTINGS,
  sparseAdamStep,
  toBf16,
  transformerShapes,
} from '../training-law.mjs';

/** A parameter with its moments in the middle of training. */
function trained(name, shape, noise) {
  const length = elementsOf(shape);
  const [w, m, v] = [0, 1, 2].map(() => new Float32Array(length));
  initialise({ w, m, v }, noise, 0.02);
  return { name, shape, w, m, v };
}

const transformer = (elements, noise) =>
  transformerShapes(elements).map(([name, shape]) => trained(name, shape, noise));

function bf16File(path, name, halves) {
  writeSafetensors(path, [{ name, dtype: 'BF16', shape: [halves.length], data: halves }]);
}

/** bf16 weights under the learning rate of fine-tuning by reinforcement: about 1 % change. */
export function sparseBf16(folder, elements) {
  const noise = new Noise(11);
  const parameter = trained('weight', [elements], noise);
  const base = toBf16(parameter.w);
  adamwStep(parameter, noise, 700, { settings: { ...SETTINGS, lr: 2e-6 } });
  const next = toBf16(parameter.w);
  const paths = ['base', 'next'].map((name) => join(folder, `${name}.safetensors`));
  bf16File(paths[0], 'weight', base);
  bf16File(paths[1], 'weight', next);
  return { paths, changed: next.reduce((count, half, at) => count + Number(half !== base[at]), 0), elements };
}

/** An embedding and its moments, of which a row-sparse Adam moved one row in forty. */
export function embeddingRows(folder, rows, width) {
  const noise = new Noise(12);
  const settings = SPARSE_SETTINGS;
  const table = trained('embedding.weight', [rows, width], noise);
  const paths = ['base', 'next'].map((name) => join(folder, `${name}.pth`));
  writeTorchFile(paths[0], { parameters: [table], step: 700, settings });
  const next = randomNumbers(13);
  for (let row = 0; row < rows; row++) {
    if (next() % 40 !== 0) continue;
    const [w, m, v] = [table.w, table.m, table.v].map((all) => all.subarray(row * width, (row + 1) * width));
    sparseAdamStep({ w, m, v }, noise, 701);
  }
  writeTorchFile(paths[1], { parameters: [table], step: 701, settings });
  return { paths };
}

/**
 * A network under SGD with momentum, one step apart. Gradients agree from step to step but for noise, as in large batches:
 * the residual entropy of the momentum is then that of the network which the target was set with (bound 2.7).
 */
export function sgdMomentum(folder, elements) {
  const noise = new Noise(14);
  const parameters = transformer(elements, noise).map(({ name, shape, w, m, v }) => {
    // A momentum buffer sums what Adam's first moment averages.
    return { name, shape, w, v, slots: { momentum_buffer: m.map((mean) => 10 * mean) } };
  });
  const paths = ['base', 'next'].map((name) => join(folder, `${name}.pth`));
  for (const [index, path] of paths.entries()) {
    if (index > 0) {
      for (const { w, v, slots } of parameters) momentumStep({ w, buffer: slots.momentum_buffer, v }, noise);
    }
    writeTorchFile(path, { parameters, step: 700 + index, settings: SGD_SETTINGS });
  }
  return { paths };
}

/** fp32 weights, and a folder with the same and their bf16 copies. */
export function masterCopies(folder, elements) {
  const parameters = transformer(elements, new Noise(15));
  const master = join(folder, 'master.safetensors');
  const copy = join(folder, 'model.safetensors');
  const tensors = parameters.map(({ name, shape, w }) => ({ name, dtype: 'F32', shape, data: w }));
  writeSafetensors(master, tensors);
  const copies = tensors.map(({ data, ...tensor }) => ({ ...tensor, dtype: 'BF16', data: toBf16(data) }));
  writeSafetensors(copy, copies);
  return { master, copy, copyBytes: copies.reduce((sum, { data }) => sum + data.byteLength, 0) };
}

/** A network under AdamW, saved after each of some steps; `bf16` gradients or full ones. */
export function adamwChain(folder, elements, saves, bf16) {
  const noise = new Noise(16);
  const parameters = transformer(elements, noise);
  mkdirSync(folder, { recursive: true });
  return Array.from({ length: saves }, (_, index) => {
    const path = join(folder, `step-${700 + index}.pth`);
    if (index > 0) for (const parameter of parameters) adamwStep(parameter, noise, 700 + index, { bf16 });
    writeTorchFile(path, { parameters, step: 700 + index });
    return path;
  });
}

/** N(0,1) in bf16, and the same with normal noise of size `amount` added; `positionBytes` is what it takes to say which changed. */
export function noisyPair(folder, elements, amount) {
  const noise = new Noise(17);
  const [values, deviates] = [0, 1].map(() => noise.fill(new Float32Array(elements)));
  // The table of deviates has 65,536 entries: a second, small one makes the values continuous.
  for (let at = 0; at < elements; at++) values[at] += 1e-4 * deviates[(at * 7919) % elements];
  const base = toBf16(values);
  const wide = new Float32Array(Uint32Array.from(base, (half) => half * 65_536).buffer);
  const next = toBf16(wide.map((value, at) => value + amount * deviates[at]));
  const paths = ['base', 'next'].map((name) => join(folder, `${name}.safetensors`));
  bf16File(paths[0], 'values', base);
  bf16File(paths[1], 'values', next);
  return { paths, positionBytes: positionEntropy(base, next) };
}

/** Entropy of which of the values changed, given their exponents, in bytes. */
function positionEntropy(base, next) {
  const [all, changed] = [0, 1].map(() => new Float64Array(256));
  for (let at = 0; at < base.length; at++) {
    const exponent = (base[at] >>> 7) & 255;
    all[exponent]++;
    if (next[at] !== base[at]) changed[exponent]++;
  }
  const bitsOf = (part, whole) => (part === 0 ? 0 : part * Math.log2(whole / part));
  const bits = all.reduce((sum, whole, exponent) => {
    return sum + bitsOf(changed[exponent], whole) + bitsOf(whole - changed[exponent], whole);
  }, 0);
  return bits / 8;
}

/** Random bits in an fp32 tensor: nothing can be saved. */
export function randomBits(folder, elements) {
  const next = randomNumbers(18);
  const data = Uint32Array.from({ length: elements }, next);
  const path = join(folder, 'random.safetensors');
  writeSafetensors(path, [{ name: 'random', dtype: 'F32', shape: [elements], data }]);
  return path;
}
