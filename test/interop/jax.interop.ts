import { pythonWith } from './installed.js';
import { interopCase } from './interop-case.js';

for (const form of ['npz', 'safetensors']) {
  interopCase({
    name: `JAX: a tree of arrays as ${form}`,
    interpreter: pythonWith('jax'),
    script: 'jax_files.py',
    args: [form],
    tensors: { 'params/Dense_0/kernel': 'model', 'opt_state/0/mu/Dense_0/kernel': 'optimizer' },
    steps: [20, 21],
    predictors: {
      'model weights': /^adam-weights$/,
      'optimizer nu': /^adam-second-moment$/,
    },
  });
}
