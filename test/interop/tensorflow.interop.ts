import { pythonWith } from './installed.js';
import { interopCase } from './interop-case.js';

const weights = { 'optimizer/_trainable_variables/0': 'model', 'optimizer/_trainable_variables/7': 'model' };

interopCase({
  name: 'tensorflow: Adam in a TensorBundle',
  interpreter: pythonWith('tensorflow'),
  script: 'tensorflow_files.py',
  args: ['Adam'],
  tensors: { ...weights, 'optimizer/_variables/2': 'optimizer', 'optimizer/_variables/3': 'optimizer' },
  steps: [20, 21],
  predictors: { 'model weights': /adam/ },
});

interopCase({
  name: 'tensorflow: SGD with momentum in a TensorBundle',
  interpreter: pythonWith('tensorflow'),
  script: 'tensorflow_files.py',
  args: ['SGD'],
  tensors: { ...weights, 'optimizer/_variables/2': 'optimizer' },
  steps: [20, 21],
  predictors: { 'model weights': /momentum/ },
});
