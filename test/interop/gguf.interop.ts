import { pythonWith } from './installed.js';
import { interopCase } from './interop-case.js';

interopCase({
  name: 'gguf: f32, f16, bf16 and 8-bit blocks',
  interpreter: pythonWith('gguf'),
  script: 'gguf_files.py',
  tensors: { 'up.weight': 'model', 'mid.weight': 'model', 'out.weight': 'model', 'mid.bias': 'model' },
});
