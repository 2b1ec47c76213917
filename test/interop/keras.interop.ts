import { pythonWith } from './installed.js';
import { interopCase } from './interop-case.js';

const COUNTED = { 'layers/dense/vars/0': 'model', 'optimizer/vars/2': 'optimizer' };
const NAMED = {
  'model_weights/up/classifier/up/kernel': 'model',
  'optimizer_weights/adam/classifier_up_kernel_momentum': 'optimizer',
};

for (const [ending, tensors] of [
  ['.h5', NAMED],
  ['.weights.h5', COUNTED],
  ['.keras', COUNTED],
] as const) {
  interopCase({
    name: `keras: Adam in ${ending}`,
    interpreter: pythonWith('tensorflow'),
    script: 'keras_files.py',
    args: [ending],
    tensors,
    steps: [20, 21],
    predictors: { 'model weights': /adam/ },
  });
}
