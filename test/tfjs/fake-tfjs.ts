/**
 * What TensorFlow.js 4.22 does, in small: variables over arrays that its cpu backend hands out without copying, names unique in the
 * process, optimizers with the same private fields and, for Adam, the same order of operations.
 */
import type {
  Tf,
  TfLayer,
  TfLayersModel,
  TfLayerVariable,
  TfNewTensor,
  TfVariable,
} from '../../src/tfjs/index.js';

type Values = Float32Array | Int32Array | Uint8Array;

const f = Math.fround;
const taken = new Map<string, number>();
/** Made and not disposed. */
export const alive = new Set<FakeTensor>();

/** As TensorFlow.js does with names that are taken: `hidden/kernel`, `hidden/kernel_1`. */
function unique(name: string): string {
  const count = taken.get(name) ?? 0;
  taken.set(name, count + 1);
  return count === 0 ? name : `${name}_${count}`;
}

export class FakeTensor implements TfNewTensor {
  values: Values;
  readonly shape: number[];
  readonly dtype: string;

  constructor(values: Values, shape: number[], dtype = 'float32') {
    this.values = values;
    this.shape = shape;
    this.dtype = dtype;
    alive.add(this);
  }

  dataSync(): Values {
    return this.values;
  }

  async data(): Promise<Values> {
    const { values } = this;
    await new Promise((resolve) => setTimeout(resolve, 1));
    return values;
  }

  dispose(): void {
    if (!alive.delete(this)) throw new Error('disposed twice');
  }

  variable(_trainable?: boolean, name = unique('Variable')): FakeVariable {
    return new FakeVariable(this.values, this.shape, this.dtype, name);
  }
}

export class FakeVariable extends FakeTensor implements TfVariable {
  readonly name: string;

  constructor(values: Values, shape: number[], dtype: string, name: string) {
    super(values, shape, dtype);
    this.name = name;
  }

  assign(value: FakeTensor): void {
    if (value.dtype !== this.dtype || String(value.shape) !== String(this.shape))
      throw new Error('must match');
    this.values = value.values;
  }
}

export const tf: Tf = {
  tensor: (values, shape, dtype) => new FakeTensor(values, shape, dtype),
};

export function variable(name: string, values: number[] | Values, shape?: number[]): FakeVariable {
  const data = Array.isArray(values) ? Float32Array.from(values) : values;
  const dtype = data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'bool';
  return new FakeVariable(data, shape ?? [data.length], dtype, unique(name));
}

class FakeWeight implements TfLayerVariable {
  readonly originalName: string;
  readonly value: FakeVariable;

  constructor(originalName: string, values: number[]) {
    this.originalName = originalName;
    this.value = variable(originalName, values);
  }

  get name(): string {
    return this.value.name;
  }

  read(): FakeVariable {
    return this.value;
  }

  /** As with a constraint, which rounds: nothing that restores bits may call it. */
  write(): never {
    throw new Error('write() applies constraints');
  }
}

export type FakeLayer = TfLayer & { weights: FakeWeight[] };

/** A layer that calls its weights by name, and the values that they have. */
export function layer(name: string, weights: Record<string, number[]> = {}): FakeLayer {
  return {
    name,
    weights: Object.entries(weights).map(([own, values]) => new FakeWeight(`${name}/${own}`, values)),
  };
}

export interface FakeModel extends TfLayersModel, FakeLayer {
  layers: FakeLayer[];
  weights: FakeWeight[];
}

export function model(layers: FakeLayer[], name = 'sequential_1'): FakeModel {
  return { name, layers, weights: layers.flatMap(({ weights }) => weights) };
}

/** The values of all weights. */
export function valuesOf({ weights }: FakeModel): number[][] {
  return weights.map(({ value }) => [...value.values]);
}

interface Kept {
  originalName: string;
  variable: FakeVariable;
}

/** An optimizer of any class, with the fields given. */
export class FakeOptimizer {
  [field: string]: unknown;
  iterations_ = 0;
  private readonly className: string;
  private readonly config: Record<string, unknown>;

  constructor(className: string, config: Record<string, unknown>, fields: Record<string, unknown> = {}) {
    this.className = className;
    this.config = config;
    Object.assign(this, config, fields);
  }

  get iterations(): number {
    return this.iterations_;
  }

  getClassName(): string {
    return this.className;
  }

  getConfig(): Record<string, unknown> {
    return Object.fromEntries(Object.keys(this.config).map((name) => [name, this[name]]));
  }
}

export class FakeAdam extends FakeOptimizer {
  accBeta1 = variable('accBeta1', [0.9], []);
  accBeta2 = variable('accBeta2', [0.999], []);
  accumulatedFirstMoment: Kept[] = [];
  accumulatedSecondMoment: Kept[] = [];
  declare learningRate: number;

  constructor(learningRate = 1e-3, beta2 = 0.999) {
    super('Adam', { learningRate, beta1: 0.9, beta2, epsilon: 1e-7 });
  }

  /** One step, every operation rounded to single precision, as in `AdamOptimizer.applyGradients`. */
  step(gradients: readonly (readonly [FakeVariable, Float32Array])[]): void {
    const [bias1, bias2] = [f(1 - this.accBeta1.values[0]), f(1 - this.accBeta2.values[0])];
    for (const [at, [parameter, gradient]] of gradients.entries()) {
      const zeros = () => new FakeTensor(new Float32Array(gradient.length), parameter.shape).variable();
      this.accumulatedFirstMoment[at] ??= { originalName: `${parameter.name}/m`, variable: zeros() };
      this.accumulatedSecondMoment[at] ??= { originalName: `${parameter.name}/v`, variable: zeros() };
      const [first, second] = [
        this.accumulatedFirstMoment[at].variable,
        this.accumulatedSecondMoment[at].variable,
      ];
      const m = first.values.map((old, lane) => f(f(old * f(0.9)) + f(gradient[lane] * f(1 - 0.9))));
      const v = second.values.map((old, lane) => {
        return f(f(old * f(0.999)) + f(f(gradient[lane] * gradient[lane]) * f(1 - 0.999)));
      });
      const w = parameter.values.map((old, lane) => {
        const root = f(f(Math.sqrt(f(v[lane] / bias2))) + f(1e-7));
        return f(f(f(f(m[lane] / bias1) / root) * f(-this.learningRate)) + old);
      });
      [first.values, second.values, parameter.values] = [m, v, w];
    }
    this.accBeta1.values = Float32Array.of(f(this.accBeta1.values[0] * f(0.9)));
    this.accBeta2.values = Float32Array.of(f(this.accBeta2.values[0] * f(0.999)));
    this.iterations_++;
  }
}
