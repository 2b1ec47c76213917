/**
 * What is asked of the objects of TensorFlow.js: by shape, so that neither the library nor its types are needed to build or to
 * load this package. Versions 3 and 4 fit, whichever of its packages it was imported from.
 */

/** A `tf.Tensor`. */
export interface TfTensor {
  readonly dtype: string;
  readonly shape: number[];
  dataSync(): unknown;
  data(): Promise<unknown>;
  dispose(): void;
}

/** A `tf.Variable`. */
export interface TfVariable extends TfTensor {
  /** Unique in the process. */
  readonly name: string;
  assign(value: TfTensor): void;
}

/** A tensor that was just made, and can be turned into a variable. */
export interface TfNewTensor extends TfTensor {
  variable(trainable?: boolean): TfVariable;
}

/** What is needed of the library itself: `import * as tf from '@tensorflow/tfjs'`, or `-core`. */
export interface Tf {
  tensor(values: Float32Array | Int32Array | Uint8Array, shape: number[], dtype: TfDType): TfNewTensor;
}

/** Element types of variables that can be saved. There are no others that optimizers train. */
export type TfDType = 'float32' | 'int32' | 'bool';

/** A weight of a layer, as `tf.layers` wraps it. */
export interface TfLayerVariable {
  /** Unique in the process: `hidden/kernel_1` for the second that was called `hidden/kernel`. */
  readonly name: string;
  /** As the layer called it: `hidden/kernel`. */
  readonly originalName: string;
  /** The variable itself, not a copy. */
  read(): TfTensor;
}

/** A layer, or a model that is used as one. */
export interface TfLayer {
  readonly name: string;
  readonly weights: TfLayerVariable[];
}

/** A `tf.LayersModel`, `tf.Sequential` included. */
export interface TfLayersModel {
  readonly layers: TfLayer[];
  readonly weights: TfLayerVariable[];
  /** The one it was compiled with. */
  readonly optimizer?: TfOptimizer;
}

/** A `tf.Optimizer` of `tf.train`. */
export interface TfOptimizer {
  readonly iterations: number;
  getClassName(): string;
  getConfig(): object;
}

/** What is saved and restored together. */
export interface Training {
  /** A layers model; its weights get the names that `captureState` describes. */
  model?: TfLayersModel;
  /** Variables of programs, or parts of them, that are written without layers, by names that you choose. */
  variables?: Readonly<Record<string, TfVariable>>;
  /** Default: the one that the model was compiled with. `null` leaves it out on purpose. */
  optimizer?: TfOptimizer | null;
}
