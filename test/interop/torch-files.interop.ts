import { pythonWith } from './installed.js';
import { interopCase } from './interop-case.js';

const weights = { 'model.0.up.weight': 'model', 'model.1.norm.bias': 'model' };

for (const library of ['torch', 'torch 1.13'] as const) {
  interopCase({
    name: `${library}: AdamW in .pth`,
    interpreter: pythonWith(library),
    script: 'torch_files.py',
    args: ['AdamW'],
    tensors: {
      ...weights,
      'optimizer.state.0.exp_avg': 'optimizer',
      'optimizer.state.11.exp_avg_sq': 'optimizer',
    },
    steps: [51, 52],
    predictors: { 'model weights': /adam/, 'optimizer exp_avg_sq': /adam/ },
  });
  interopCase({
    name: `${library}: SGD with momentum in .pth`,
    interpreter: pythonWith(library),
    script: 'torch_files.py',
    args: ['SGD'],
    tensors: { ...weights, 'optimizer.state.0.momentum_buffer': 'optimizer' },
    steps: [51, 52],
    predictors: { 'model weights': /momentum/ },
  });
}
