import { pythonWith } from './installed.js';
import { interopCase } from './interop-case.js';

const predictors = { 'model weights': /^adam-weights$/, 'optimizer exp_avg_sq': /^adam-second-moment$/ };

interopCase({
  name: 'torch.distributed.checkpoint, 1 process',
  interpreter: pythonWith('torch'),
  script: 'torch_dcp.py',
  args: ['1'],
  tensors: {
    'model.0.up.weight': 'model',
    'optimizer.state.0.up.weight.exp_avg': 'optimizer',
    'optimizer.state.1.norm.bias.exp_avg_sq': 'optimizer',
  },
  steps: [51, 52],
  predictors,
});

interopCase({
  name: 'torch.distributed.checkpoint, 2 processes with FSDP',
  interpreter: pythonWith('torch'),
  script: 'torch_dcp.py',
  args: ['2'],
  tensors: {
    'model.0.up.weight[0:256]': 'model',
    'model.0.up.weight[256:512]': 'model',
    'optimizer.state.0.up.weight.exp_avg[256:512]': 'optimizer',
  },
  steps: [51, 52],
  predictors,
});
