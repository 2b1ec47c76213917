/** Orbax: whether compressed, as it writes by default, or not, its arrays are found and predicted. */
import { pythonWith } from './installed.js';
import { interopCase } from './interop-case.js';

const TREE = {
  tensors: { 'params.Dense_0.kernel': 'model', 'opt_state.0.mu.Dense_0.kernel': 'optimizer' },
  steps: [20, 21],
  predictors: {
    'model weights': /^adam-weights$/,
    'optimizer nu': /^adam-second-moment$/,
  },
} as const;

for (const layout of ['ocdbt', 'manager']) {
  interopCase({
    name: `Orbax, ${layout}: a database of compressed arrays`,
    interpreter: pythonWith('orbax'),
    script: 'orbax_files.py',
    args: [layout],
    ...TREE,
  });
}

interopCase({
  name: 'Orbax, raw: a file for each array',
  interpreter: pythonWith('orbax'),
  script: 'orbax_files.py',
  args: ['raw'],
  ...TREE,
});
