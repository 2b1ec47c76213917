/** Orbax: compressed, as it writes by default, a checkpoint is files like any others; uncompressed its arrays are found. */
import { pythonWith } from './installed.js';
import { interopCase } from './interop-case.js';

for (const layout of ['ocdbt', 'manager']) {
  interopCase({
    name: `Orbax, ${layout}: files`,
    interpreter: pythonWith('orbax'),
    script: 'orbax_files.py',
    args: [layout],
    tensors: {},
    // Compressed by zstd: nothing predicts it.
    most: 4,
  });
}

interopCase({
  name: 'Orbax, raw: a file for each array',
  interpreter: pythonWith('orbax'),
  script: 'orbax_files.py',
  args: ['raw'],
  tensors: { 'params.Dense_0.kernel': 'model', 'opt_state.0.mu.Dense_0.kernel': 'optimizer' },
  steps: [20, 21],
  predictors: {
    'model weights': /^adam-weights$/,
    'optimizer nu': /^adam-second-moment$/,
  },
});
