/** A training state in memory: a transformer under AdamW, as torch lays it out; each step changes it in place. */
import {
  adamwFar,
  adamwStep,
  elementsOf,
  initialise,
  Noise,
  SETTINGS,
  transformerShapes,
} from '../training-law.mjs';

/** Bytes of one parameter: weights and two moments in fp32. */
const PARAMETER_BYTES = 12;

/** Elements of a chunk in the default grid. */
const CHUNK_ELEMENTS = 262_144;

export class TrainingState {
  /** About `gib` GiB: 156 tensors and the numbers of an optimizer. */
  constructor(gib, seed = 1) {
    this.noise = new Noise(seed);
    this.step = 700;
    this.parameters = transformerShapes((gib * 2 ** 30) / PARAMETER_BYTES).map(([name, shape]) => {
      const length = elementsOf(shape);
      const [w, m, v] = [0, 1, 2].map(() => new Float32Array(length));
      initialise({ w, m, v }, this.noise, 0.02);
      return { name, shape, w, m, v };
    });
    this.buffers = this.parameters.flatMap(({ w, m, v }) =>
      [w, m, v].map((array) => new Uint8Array(array.buffer)),
    );
    this.bytes = this.buffers.reduce((sum, { length }) => sum + length, 0);
    this.chunks = this.parameters.reduce((sum, { w }) => sum + 3 * Math.ceil(w.length / CHUNK_ELEMENTS), 0);
  }

  /** Trains on: one exact step, or many by a law that leads as far. */
  advance(steps, options) {
    this.step += steps;
    for (const parameter of this.parameters) {
      if (steps === 1) adamwStep(parameter, this.noise, this.step, options);
      else if (steps > 1) adamwFar(parameter, this.noise, steps);
    }
  }

  /** The state tree that is saved; it shares the arrays. */
  tree() {
    const tensor = (shape, data) => ({ dtype: 'f32', shape, data });
    const entries = this.parameters.map(({ shape, m, v }, index) => [
      index,
      { step: this.step, exp_avg: tensor(shape, m), exp_avg_sq: tensor(shape, v) },
    ]);
    const { lr, beta1, beta2, eps, weight_decay } = SETTINGS;
    const group = { lr, betas: [beta1, beta2], eps, weight_decay, amsgrad: false, maximize: false };
    const params = this.parameters.map((_, index) => index);
    return {
      model: Object.fromEntries(this.parameters.map(({ name, shape, w }) => [name, tensor(shape, w)])),
      optimizer: { state: Object.fromEntries(entries), param_groups: [{ ...group, params }] },
      progress: { step: this.step, epoch: 1 },
      metrics: { loss: 2.5 },
    };
  }

  /** Throws unless a checkpoint holds the same weights and moments; one tensor at a time, so that no second state is in memory. */
  async verifyStored(store, ref) {
    for (const [index, { name, w, m, v }] of this.parameters.entries()) {
      const pairs = [
        [`model.${name}`, w],
        [`optimizer.state.${index}.exp_avg`, m],
        [`optimizer.state.${index}.exp_avg_sq`, v],
      ];
      for (const [path, expected] of pairs) {
        const { data } = await store.readTensor(ref, path);
        if (Buffer.compare(data, new Uint8Array(expected.buffer)) !== 0) throw new Error(`${path} differs`);
      }
    }
  }

  /** Throws unless a restored tree holds the same weights and moments. */
  verify(tree) {
    for (const [index, { name, w, m, v }] of this.parameters.entries()) {
      const { exp_avg, exp_avg_sq } = tree.optimizer.state[index];
      const pairs = [
        [tree.model[name], w],
        [exp_avg, m],
        [exp_avg_sq, v],
      ];
      for (const [restored, expected] of pairs) {
        const { buffer, byteOffset, byteLength } = restored.data ?? restored;
        const bytes = Buffer.from(buffer, byteOffset, byteLength);
        if (bytes.compare(new Uint8Array(expected.buffer)) !== 0) throw new Error(`${name} differs`);
      }
    }
  }
}
