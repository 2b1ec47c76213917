import { pythonWith } from './installed.js';
import { interopCase } from './interop-case.js';

interopCase({
  name: 'transformers.Trainer, with dropout, resumed from the checkpoint for one more step',
  interpreter: pythonWith('transformers'),
  script: 'trainer_files.py',
  tensors: {
    'model.layers.0.self_attn.q_proj.weight': 'model',
    'lm_head.weight': 'model',
    'optimizer.state.0.exp_avg': 'optimizer',
    'optimizer.state.20.exp_avg_sq': 'optimizer',
  },
  steps: [11, 12],
  predictors: { 'model weights': /^adam-weights$/, 'optimizer exp_avg_sq': /^adam-second-moment$/ },
});
