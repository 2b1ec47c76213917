/**
 * The numbers to reach, one entry for each figure of the three tables: bytes, kernels, whole operations. `goal` is compared
 * as `sense` says; `unit` is what the figure is multiplied with (a limit or peer of the same run) or counted in.
 */

const least = (section, id, row, goal, unit) => ({ section, id, row, goal, unit, sense: 'least' });
const most = (section, id, row, goal, unit) => ({ section, id, row, goal, unit, sense: 'most' });

const SMALLER = 'x smaller';
const ZSTD = 'x zstd -1';
const MEMCPY = 'x memcpy';
const WRITE = 'x raw write + fsync';

const BYTES = [
  least('bytes', 'gpt-700-701', 'gpt 700 -> 701 (AdamW fp32, 1 step)', 3.6, SMALLER),
  least('bytes', 'gpt-100-101', 'gpt 100 -> 101', 3.6, SMALLER),
  least('bytes', 'gpt-700-710', 'gpt 700 -> 710', 1.54, SMALLER),
  least('bytes', 'gpt-700-800', 'gpt 700 -> 800', 1.43, SMALLER),
  least('bytes', 'gpt-100-110', 'gpt 100 -> 110', 1.37, SMALLER),
  least('bytes', 'gpt-bf16grad-700-701', 'gpt-bf16grad 700 -> 701', 7.6, SMALLER),
  least('bytes', 'gpt-torch1.13-700-701', 'gpt-torch1.13 700 -> 701', 3.6, SMALLER),
  least('bytes', 'bf16-700-701', 'bf16 700 -> 701 (9 % changed)', 30, SMALLER),
  least('bytes', 'bf16-700-710', 'bf16 700 -> 710 (38 %)', 9.5, SMALLER),
  least('bytes', 'bf16-700-800', 'bf16 700 -> 800 (61 %)', 5.9, SMALLER),
  most('bytes', 'bf16-sparse', 'bf16, about 1 % changed (RL)', 7.3, 'bits per changed element'),
  least('bytes', 'embedding-rows', 'embedding rows, 2-3 % touched, row-sparse Adam', 110, SMALLER),
  least('bytes', 'sgd-momentum', 'SGD with momentum, fp32, 1 step', 2.6, SMALLER),
  least('bytes', 'master-copy', 'bf16 copy of fp32 master weights', 500, SMALLER),
  least('bytes', 'first-fp32', 'first save, standalone fp32', 1.24, SMALLER),
  least('bytes', 'first-bf16', 'first save, standalone bf16', 1.48, SMALLER),
  least('bytes', 'chain-fp32', '20 saves one step apart, whole store, fp32', 2.7, SMALLER),
  least('bytes', 'chain-bf16grad', '20 saves one step apart, whole store, bf16 gradients', 4.1, SMALLER),
  most('bytes', 'same-again', 'the same state again, root apart', 1024, 'bytes'),
  most('bytes', 'noise-1e-4', '20 M N(0,1) bf16 + noise 1e-4, values only', 0.19, 'MB'),
  most('bytes', 'noise-1e-3', '20 M N(0,1) bf16 + noise 1e-3, values only', 1.85, 'MB'),
  most('bytes', 'noise-1e-2', '20 M N(0,1) bf16 + noise 1e-2, values only', 9.9, 'MB'),
  most('bytes', 'metadata', 'metadata per checkpoint, of 0.02 % of logical bytes + 2 KB', 1, 'x the bound'),
  most('bytes', 'never-worse', 'never worse: random bytes, beyond raw', 16, 'bytes a chunk'),
];

const bothWays = (id, row, goals, unit) => [
  least('kernels', `${id}-encode`, `${row}, encode`, goals[0], unit),
  least('kernels', `${id}-decode`, `${row}, decode`, goals[1], unit),
];

const KERNELS = [
  ...[1, 10, 100].flatMap((steps) =>
    bothWays(`weights-${steps}`, `dense fp32 delta of weights, ${apart(steps)}`, [3, 3], ZSTD),
  ),
  ...[1, 10, 100].map((steps) =>
    most('kernels', `weights-${steps}-size`, `the same, size, ${apart(steps)}`, 1, 'x size of zstd -1'),
  ),
  ...bothWays('first-moment-1', 'first moment at 1 step', [3, 3], ZSTD),
  ...[10, 100].flatMap((steps) =>
    bothWays(`first-moment-${steps}`, `first moment, ${apart(steps)}`, [1.7, 1.7], ZSTD),
  ),
  ...[1, 10, 100].flatMap((steps) =>
    bothWays(`second-moment-${steps}`, `second moment, ${apart(steps)}`, [1.7, 1.7], ZSTD),
  ),
  ...bothWays('bf16-context', 'bf16 context path, 9 % to 13 % changed', [1.3, 1.5], ZSTD),
  least('kernels', 'bf16-context-bound', 'the same, of the bound H(d | exponent)', 96, '% of the bound'),
  ...bothWays('bf16-sparse', 'bf16 sparse path at 1 %', [0.15, 0.2], MEMCPY),
  least('kernels', 'bf16-sparse-bound', 'the same, of the bound H(d | exponent)', 94, '% of the bound'),
  least('kernels', 'unchanged', 'unchanged data against a base in memory', 0.9, MEMCPY),
  least('kernels', 'predict-adam-weights', 'predictor: weights of AdamW', 0.4, MEMCPY),
  least('kernels', 'predict-adam-second', 'predictor: second moment of Adam', 0.4, MEMCPY),
  least('kernels', 'predict-adam-first', 'predictor: first moment from 16-bit gradients', 0.4, MEMCPY),
  least('kernels', 'predict-momentum', 'predictor: weights of SGD with momentum', 0.4, MEMCPY),
  least('kernels', 'predict-narrow', 'predictor: bf16 copy of fp32', 0.4, MEMCPY),
  least('kernels', 'predict-widen', 'predictor: fp32 from bf16', 0.4, MEMCPY),
  least('kernels', 'content-hash', 'content hash XXH3-128, at least 1 MiB in place', 0.6, MEMCPY),
];

const ENGINE = [
  most('engine', 'stall', 'training stall of an asynchronous save', 1.25, 'x the time of memcpy'),
  least('engine', 'same-memory', 'save, nothing changed, base in memory', 0.6, MEMCPY),
  least('engine', 'same-disk', 'save, nothing changed, base on disk', 0.35, MEMCPY),
  least('engine', 'save-1', 'save, AdamW one step apart, durable, base in memory', 1.5, WRITE),
  least('engine', 'save-10', 'save, ten steps apart, durable', 1.2, WRITE),
  least('engine', 'save-100', 'save, a hundred steps apart, durable', 1.2, WRITE),
  ...['safetensors', 'pth'].flatMap((format) => [
    least('engine', `files-1-${format}`, `save from a .${format} file, one step`, 0.8, 'x cp + fsync'),
    least('engine', `files-100-${format}`, `save from a .${format} file, far apart`, 0.6, 'x cp + fsync'),
  ]),
  least('engine', 'first-save', 'first save', 1, WRITE),
  least('engine', 'restore-cold', 'restore of a full checkpoint into memory, cold', 1.1, 'x raw cold read'),
  least('engine', 'restore-warm', 'restore of a full checkpoint into memory, warm', 0.2, MEMCPY),
  least('engine', 'restore-files-0', 'restore to files, depth 0, from the page cache', 0.5, 'x cp'),
  least('engine', 'restore-files-1', 'restore to files, next save, from the page cache', 0.5, 'x cp'),
  ...[2, 4, 8].map((depth) =>
    most('engine', `depth-${depth}`, `restore at depth ${depth}`, 1 + 0.8 * depth, 'x the time at depth 0'),
  ),
  most('engine', 'chain-worst', 'any checkpoint of 20 saves one step apart', 8, 'x the time at depth 0'),
  most('engine', 'compact-head', 'the head after compact', 1.15, 'x the time at depth 0'),
  most(
    'engine',
    'compact-growth',
    'store after compact and gc',
    1,
    'x (store before + full copies of heads)',
  ),
  most('engine', 'tensor', 'one 4 MiB tensor out of a 10 GiB checkpoint, warm, depth <= 2', 30, 'ms'),
  least('engine', 'compact', 'compact, of the logical bytes rewritten', 0.5, WRITE),
  least('engine', 'gc', 'gc, of the logical bytes freed', 0.5, WRITE),
  most('engine', 'gc-million', 'gc of a store of 1 M chunks', 10, 's'),
  most('engine', 'gc-million-memory', 'gc of a store of 1 M chunks, memory', 200, 'MB'),
  most('engine', 'memory-files', 'memory, save and restore of files', 512, 'MB'),
  most('engine', 'memory-sync', 'memory above state, base in memory, synchronous', 1, 'x (state + 256 MB)'),
  most('engine', 'memory-disk', 'memory above state, base on disk, synchronous', 256, 'MB'),
  most(
    'engine',
    'memory-async',
    'memory above state, base in memory, asynchronous',
    1,
    'x (2 states + 256 MB)',
  ),
  most('engine', 'growth-save', 'save, 10,000 checkpoints in the store', 1.2, 'x the time with 10'),
  most('engine', 'growth-resume', 'resume, 10,000 checkpoints in the store', 1.2, 'x the time with 10'),
  most('engine', 'growth-list', 'list --last 20, 10,000 checkpoints in the store', 1.2, 'x the time with 10'),
  least('engine', 'scaling-save', 'save one step apart, from 1 to 2 workers, in memory', 1.6, 'x'),
  least('engine', 'scaling-restore', 'restore, from 1 to 2 workers', 1.6, 'x'),
];

function apart(steps) {
  return steps === 1 ? '1 step apart' : `${steps} steps apart`;
}

export const TARGETS = [...BYTES, ...KERNELS, ...ENGINE];

/** The entry with this id; ids are unique. */
export function targetOf(id) {
  const target = TARGETS.find((candidate) => candidate.id === id);
  if (target === undefined) throw new Error(`no target is called ${id}`);
  return target;
}

/** The goal as people write it, for example `≥ 1.5 x raw write + fsync`. */
export function goalText({ goal, sense, unit }) {
  return `${sense === 'least' ? '≥' : '≤'} ${goal} ${unit}`;
}

/** Whether a figure reaches its goal. */
export function isReached({ goal, sense }, reached) {
  return sense === 'least' ? reached >= goal : reached <= goal;
}
