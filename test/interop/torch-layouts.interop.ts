import { pythonWith } from './installed.js';
import { type InteropCase, interopCase } from './interop-case.js';

const adam = { 'optimizer exp_avg_sq': /^adam-second-moment$/ };
const weights = { 'model weights': /^adam-weights$/, ...adam };

const CASES: readonly Omit<InteropCase, 'interpreter' | 'script'>[] = [
  {
    name: 'accelerate save_state',
    args: ['accelerate'],
    tensors: { '0.up.weight': 'model', 'optimizer.state.0.exp_avg': 'optimizer' },
    predictors: weights,
  },
  {
    name: 'Lightning .ckpt',
    args: ['lightning'],
    tensors: { 'state_dict.model.0.up.weight': 'model', 'optimizer_states.0.state.0.exp_avg': 'optimizer' },
    steps: [21, 22],
    predictors: weights,
  },
  {
    name: 'files as DeepSpeed ZeRO lays them out',
    args: ['deepspeed'],
    tensors: {
      'module.0.up.weight': 'model',
      'optimizer_state_dict.base_optimizer_state.state.1.up.weight.exp_avg': 'optimizer',
      'optimizer_state_dict.single_partition_of_fp32_groups.0.1.up.weight': 'optimizer',
    },
    steps: [21, 22],
    predictors: { 'model weights': /^cast$/, 'optimizer weight': /^adam-weights$/, ...adam },
  },
  {
    name: 'files as Megatron-LM lays them out',
    args: ['megatron'],
    tensors: { 'model.0.up.weight': 'model', 'optimizer.optimizer.state.0.exp_avg': 'optimizer' },
    steps: [21, 22],
    predictors: { 'model weights': /^cast$/, ...adam },
  },
];

for (const wanted of CASES) {
  const library = { accelerate: 'transformers', lightning: 'lightning' } as const;
  const [layout] = wanted.args ?? [];
  const interpreter = pythonWith(
    layout === 'accelerate' || layout === 'lightning' ? library[layout] : 'torch',
  );
  interopCase({ ...wanted, interpreter, script: 'torch_layouts.py' });
}
