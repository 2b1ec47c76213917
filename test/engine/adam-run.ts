/** A training run with AdamW in exact single precision, as torch takes its steps, one after another. */
import type { StateValue } from '../../src/index.js';
import { randomNumbers } from './training-state.js';

const f = Math.fround;
const LR = 1e-3;
const [BETA1, BETA2, EPS, DECAY] = [0.9, 0.999, 1e-8, 0.1];
/** Steps behind which the moments have settled. */
const WARM_UP_STEPS = 30;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

function toBf16(value: number): number {
  float[0] = value;
  bits[0] = (bits[0] + 0x7fff + ((bits[0] >>> 16) & 1)) & 0xffff0000;
  return float[0];
}

export class AdamRun {
  step = 0;
  private readonly w: Float32Array;
  private readonly m: Float32Array;
  private readonly v: Float32Array;
  /** Gradients of elements differ in size by orders of magnitude, as those of rows and layers do. */
  private readonly sizes: Float32Array;
  private readonly next: () => number;
  private readonly bf16Gradients: boolean;

  constructor({ elements = 32_768, seed = 1, bf16Gradients = false } = {}) {
    this.next = randomNumbers(seed);
    this.bf16Gradients = bf16Gradients;
    this.w = Float32Array.from({ length: elements }, () => (this.next() - 0.5) * 0.1);
    this.sizes = Float32Array.from({ length: elements }, () => 10 ** (-4 * this.next() - 1));
    this.m = new Float32Array(elements);
    this.v = new Float32Array(elements);
    this.advance(WARM_UP_STEPS);
  }

  /** Takes steps of the optimizer. */
  advance(steps = 1): this {
    for (let left = steps; left > 0; left--) this.takeStep();
    return this;
  }

  /** Returns a copy of the state as a program would save it. */
  state(): StateValue {
    const { step, w, m, v } = this;
    const group = { lr: LR, betas: [BETA1, BETA2], eps: EPS, weight_decay: DECAY, params: [0] };
    const slots = { step, exp_avg: m.slice(), exp_avg_sq: v.slice() };
    return {
      model: { w: w.slice() },
      optimizer: { state: { 0: slots }, param_groups: [group] },
      progress: { step },
    };
  }

  private takeStep(): void {
    const { w, m, v } = this;
    const step = ++this.step;
    const size = f(-LR / (1 - BETA1 ** step));
    const root = f(Math.sqrt(1 - BETA2 ** step));
    for (let at = 0; at < w.length; at++) {
      const gradient = this.gradient(at);
      m[at] = f(m[at] + f(f(1 - BETA1) * f(gradient - m[at])));
      v[at] = f(f(v[at] * f(BETA2)) + f(f(f(1 - BETA2) * gradient) * gradient));
      const denominator = f(f(f(Math.sqrt(v[at])) / root) + f(EPS));
      w[at] = f(f(w[at] * f(1 - LR * DECAY)) + f(size * f(m[at] / denominator)));
    }
  }

  private gradient(at: number): number {
    const noise = this.next() + this.next() + this.next() - 1.5;
    const exact = f(noise * this.sizes[at]);
    return this.bf16Gradients ? toBf16(exact) : exact;
  }
}
