/**
 * Speed of the kernels and of whole chunks on one core.
 *
 *   node bench/kernels.mjs [--json] [--quick] [--rounds N] [--milliseconds N]      after npm run build
 */
import { parseArgs } from 'node:util';
import { createCodec } from '../dist/codec/index.js';
import { loadHasher } from '../dist/hash/index.js';
import { loadKernels } from '../dist/kernels/index.js';
import { Report } from './harness.mjs';
import { bf16Rows, fp32Rows } from './kernels/delta-rows.mjs';
import { bf16Chunks, deltaChunks, origin } from './kernels/deltas.mjs';
import { memoryRows } from './kernels/memory-rows.mjs';
import { speeds } from './kernels/timing.mjs';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    milliseconds: { type: 'string' },
  },
});
const settings = {
  quick: values.quick,
  rounds: Number(values.rounds ?? (values.quick ? 1 : 5)),
  milliseconds: Number(values.milliseconds ?? (values.quick ? 5 : 200)),
};

const kernels = loadKernels();
const oracle = loadKernels('typescript');
const report = new Report(values.quick ? 'kernels-quick' : 'kernels', {
  json: values.json,
  settings: { ...settings, data: origin },
});

await memoryRows({ kernels, oracle, hasher: await loadHasher(kernels) }, report, settings);
const codec = createCodec(kernels);
await fp32Rows({ codec, kernels }, report, settings);
await bf16Rows({ codec, kernels }, report, settings);
await noteTwin();
report.finish();

/** Speed of the TypeScript twin, for information. */
async function noteTwin() {
  const twin = createCodec(oracle);
  for (const { name, dtype, raw, base } of [deltaChunks()[0], bf16Chunks()[0]]) {
    const predictions = [{ rule: { kind: 'base' }, inputs: [base] }];
    const { record, prediction } = twin.encode(raw, dtype, predictions, 'fast');
    if (Buffer.compare(record, codec.encode(raw, dtype, predictions, 'fast').record) !== 0)
      throw new Error(`${name}: the twins differ`);
    const inputs = prediction?.inputs ?? [];
    const tasks = [
      { name: 'encode', bytes: raw.length, run: () => twin.encode(raw, dtype, predictions, 'fast') },
      { name: 'decode', bytes: raw.length, run: () => twin.decode(record, raw.length, inputs, name) },
    ];
    const found = await speeds(tasks, settings.milliseconds);
    for (const way of ['encode', 'decode'])
      report.note({ name: `TypeScript twin, ${name}, ${way}`, gigabytesPerSecond: found[way] });
  }
}
