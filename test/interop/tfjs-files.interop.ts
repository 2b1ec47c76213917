import { npmFolder } from './installed.js';
import { interopCase } from './interop-case.js';

const weights = { 'hidden/kernel': 'model', 'output/bias': 'model' };
const common = {
  interpreter: npmFolder === undefined ? undefined : process.execPath,
  script: 'tfjs-files.mjs',
};

interopCase({
  ...common,
  name: 'tfjs: Adam in model.json with its files of weights',
  args: [npmFolder ?? '', 'adam'],
  tensors: { ...weights, iter: 'optimizer', 'hidden/kernel/m': 'optimizer', 'hidden/kernel/v': 'optimizer' },
  steps: [20, 21],
  predictors: { 'model weights': /adam/ },
});

interopCase({
  ...common,
  name: 'tfjs: momentum in model.json with its files of weights',
  args: [npmFolder ?? '', 'momentum'],
  tensors: { ...weights, 'hidden/kernel/momentum': 'optimizer' },
  steps: [20, 21],
  predictors: { 'model weights': /momentum/ },
});
