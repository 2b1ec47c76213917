/** What runs at the speed of memory: predictors, hashes, the scan of unchanged data; all against memcpy of 8 MiB. */
import { BLOCK_LANES, formulaShape } from '../../dist/kernels/index.js';
import { median, randomNumbers, row, verifySame } from '../harness.mjs';
import { watchLoad } from '../machine.mjs';
import { memcpy, placed, speeds } from './timing.mjs';

/** Bytes that each task goes through at most: more than the caches of a core, as a state is. */
const TASK_BYTES_MAX = 8 * 2 ** 20;

/** Arrays of a task, of one length; twice as many leave room to spare. */
const TASK_ARRAYS = 8;

const PREDICTORS = [
  {
    id: 'predict-adam-weights',
    formula: 'adam-weights',
    order: 1,
    constants: [0.99997, -3e-4, 0.9, 0.7, 1e-8],
  },
  { id: 'predict-adam-second', formula: 'adam-second-moment', order: 0, constants: [0.9, 0.1, 0.999, 0.001] },
  { id: 'predict-adam-first', formula: 'adam-first-moment', order: 0, constants: [0.9, 0.1] },
  { id: 'predict-momentum', formula: 'momentum-weights', order: 1, constants: [-0.05, 0.9, 1] },
  { id: 'predict-narrow', formula: 'narrow-bf16', order: 0, constants: [] },
  { id: 'predict-widen', formula: 'widen-bf16', order: 0, constants: [] },
];

/** Positive numbers around 0.01, as fp32 or bf16. */
function numbers(length, laneBytes, seed) {
  const next = randomNumbers(seed);
  if (laneBytes === 4) return new Uint8Array(Float32Array.from({ length }, () => next() / 2 ** 38).buffer);
  return new Uint8Array(Uint16Array.from({ length }, () => 0x3c00 + (next() & 0xff)).buffer);
}

/** Bytes of a task whose arrays all fit into the memory of the kernels: a power of two. */
function taskBytes(kernels) {
  return Math.min(TASK_BYTES_MAX, 2 ** Math.floor(Math.log2(kernels.arena.free / TASK_ARRAYS)));
}

function predictorTask(kernels, oracle, { id, formula, order, constants }) {
  const { inputBytes, outputBytes } = formulaShape(formula);
  const bytes = taskBytes(kernels);
  const lanes = bytes / outputBytes;
  const mark = kernels.arena.mark();
  const arrays = inputBytes.map((laneBytes, index) => placed(kernels, numbers(lanes, laneBytes, index + 1)));
  const output = placed(kernels, new Uint8Array(bytes));
  const settings = Float32Array.from(constants);
  const blockOf = (from) =>
    arrays.map((array, index) => {
      const width = inputBytes[index];
      return array.subarray(from * width, (from + BLOCK_LANES) * width);
    });
  const expected = new Uint8Array(BLOCK_LANES * outputBytes);
  oracle.predict(formula, order, settings, blockOf(0), expected);
  const run = () => {
    for (let from = 0; from < lanes; from += BLOCK_LANES) {
      const target = output.subarray(from * outputBytes, (from + BLOCK_LANES) * outputBytes);
      kernels.predict(formula, order, settings, blockOf(from), target);
    }
  };
  run();
  verifySame(formula, output.subarray(0, expected.length), expected);
  // Tasks run one after the other and each only needs its own arrays' places, whatever is left in them.
  kernels.arena.release(mark);
  return { name: id, bytes, run };
}

function scanTasks(kernels, oracle, hasher) {
  const bytes = placed(kernels, numbers(taskBytes(kernels) / 4, 4, 9));
  const base = placed(kernels, bytes);
  verifySame('content hash', kernels.contentHash(bytes), oracle.contentHash(bytes));
  const same = () => {
    if (!kernels.isSame(bytes, base)) throw new Error('equal bytes differ');
  };
  return [
    { name: 'content-hash', bytes: bytes.length, run: () => kernels.contentHash(bytes) },
    { name: 'unchanged', bytes: bytes.length, run: same },
    { name: 'XXH64, checksums', bytes: bytes.length, run: () => hasher.checksum(bytes), info: true },
  ];
}

/** Rows of predictors, hash and scan; `oracle` is the TypeScript twin. */
export async function memoryRows({ kernels, oracle, hasher }, report, { rounds, milliseconds }) {
  const tasks = [
    ...scanTasks(kernels, oracle, hasher),
    ...PREDICTORS.map((predictor) => predictorTask(kernels, oracle, predictor)),
  ];
  const loadOf = watchLoad();
  const results = [];
  for (let round = 0; round < rounds; round++) results.push(await speeds([memcpy, ...tasks], milliseconds));
  report.limit(
    'memcpy, 8 MiB',
    results.map((result) => result.memcpy),
  );
  const load = loadOf();
  const how = `${tasks[0].bytes / 2 ** 20} MiB in the memory of the kernels, against memcpy of 8 MiB`;
  for (const { name, info } of tasks) {
    const gigabytesPerSecond = median(results.map((result) => result[name]));
    if (info) report.note({ name, gigabytesPerSecond });
    else {
      const ratios = results.map((result) => result[name] / result.memcpy);
      const more = { load, gigabytesPerSecond, note: `${gigabytesPerSecond.toFixed(1)} GB/s` };
      report.add(row(name, ratios, how, more));
    }
  }
}
