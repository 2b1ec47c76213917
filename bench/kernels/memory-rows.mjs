/** What runs at the speed of memory: predictors, hashes, the scan of unchanged data; all from memory, against memcpy of 64 MiB. */
import { BLOCK_LANES, formulaShape } from '../../dist/kernels/index.js';
import { median, randomNumbers, row, verifySame } from '../harness.mjs';
import { watchLoad } from '../machine.mjs';
import { memcpy, placed, speeds } from './timing.mjs';

/** Bytes of all arrays of a task: what the memory of the kernels has room for, more than caches hold; fewer for a trial. */
const ARRAYS_BYTES = 48 * 2 ** 20;
const TRIAL_BYTES = 4 * 2 ** 20;

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

/** Positive numbers below 0.02, as fp32 or bf16. */
function numbers(length, laneBytes, seed) {
  const next = randomNumbers(seed);
  if (laneBytes === 4) return new Uint8Array(Float32Array.from({ length }, () => next() / 2 ** 38).buffer);
  return new Uint8Array(Uint16Array.from({ length }, () => 0x3c00 + (next() & 0xff)).buffer);
}

function predictorTask({ kernels, oracle }, { formula, order, constants }, arraysBytes) {
  const { inputBytes, outputBytes } = formulaShape(formula);
  const laneBytes = inputBytes.reduce((sum, width) => sum + width, outputBytes);
  const lanes = Math.floor(arraysBytes / laneBytes / BLOCK_LANES) * BLOCK_LANES;
  const arrays = inputBytes.map((width, index) => placed(kernels, numbers(lanes, width, index + 1)));
  const output = placed(kernels, new Uint8Array(lanes * outputBytes));
  const settings = Float32Array.from(constants);
  const blockOf = (from) =>
    arrays.map((array, index) =>
      array.subarray(from * inputBytes[index], (from + BLOCK_LANES) * inputBytes[index]),
    );
  const run = () => {
    for (let from = 0; from < lanes; from += BLOCK_LANES) {
      const target = output.subarray(from * outputBytes, (from + BLOCK_LANES) * outputBytes);
      kernels.predict(formula, order, settings, blockOf(from), target);
    }
  };
  run();
  const expected = new Uint8Array(BLOCK_LANES * outputBytes);
  oracle.predict(formula, order, settings, blockOf(0), expected);
  verifySame(formula, output.subarray(0, expected.length), expected);
  return { bytes: output.length, run };
}

function hashTask({ kernels, oracle }, hash, arraysBytes) {
  const bytes = placed(kernels, numbers(arraysBytes / 4, 4, 9));
  const part = bytes.subarray(0, 2 ** 20);
  verifySame('content hash', kernels.contentHash(part), oracle.contentHash(part));
  return { bytes: bytes.length, run: () => hash(bytes) };
}

function scanTask({ kernels }, arraysBytes) {
  const bytes = placed(kernels, numbers(arraysBytes / 8, 4, 9));
  const base = placed(kernels, bytes);
  const run = () => {
    if (!kernels.isSame(bytes, base)) throw new Error('equal bytes differ');
  };
  return { bytes: bytes.length, run };
}

/** Tasks by the ids of their targets; they are made when their turn comes, for they share one memory. */
function makers(room, arraysBytes) {
  const { kernels, hasher } = room;
  return new Map([
    ['content-hash', () => hashTask(room, (bytes) => kernels.contentHash(bytes), arraysBytes)],
    ['XXH64, checksums', () => hashTask(room, (bytes) => hasher.checksum(bytes), arraysBytes)],
    ['unchanged', () => scanTask(room, arraysBytes)],
    ...PREDICTORS.map((predictor) => [predictor.id, () => predictorTask(room, predictor, arraysBytes)]),
  ]);
}

/** Rows of predictors, hash and scan; in `room` are kernels, their TypeScript twin as oracle, and a hasher. */
export async function memoryRows(room, report, { rounds, milliseconds, quick }) {
  const copies = [];
  for (const [id, make] of makers(room, quick ? TRIAL_BYTES : ARRAYS_BYTES)) {
    const mark = room.kernels.arena.mark();
    const task = { name: 'ours', ...make() };
    const loadOf = watchLoad();
    const results = [];
    for (let round = 0; round < rounds; round++) results.push(await speeds([memcpy, task], milliseconds));
    room.kernels.arena.release(mark);
    copies.push(...results.map((result) => result.memcpy));
    const gigabytesPerSecond = median(results.map(({ ours }) => ours));
    if (id.startsWith('XXH64')) {
      report.note({ name: id, gigabytesPerSecond });
      continue;
    }
    const how = `${(task.bytes / 2 ** 20).toFixed(0)} MiB in the memory of the kernels, against memcpy of 64 MiB`;
    const ratios = results.map((result) => result.ours / result.memcpy);
    const note = `${gigabytesPerSecond.toFixed(1)} GB/s`;
    report.add(row(id, ratios, how, { load: loadOf(), gigabytesPerSecond, note }));
  }
  report.limit('memcpy, 64 MiB', copies);
}
