/**
 * Speed of the kernels and of whole chunks on one core, in GB/s of decoded bytes and as a ratio to memcpy in the same run.
 *
 *   node bench/kernels.mjs [--json] [--typescript]      after npm run build
 */
import { createCodec } from '../dist/codec/index.js';
import { loadHasher } from '../dist/hash/index.js';
import { BLOCK_LANES, loadKernels } from '../dist/kernels/index.js';
import { printReport, randomNumbers, timeTasks, verifySame } from './harness.mjs';

const asJson = process.argv.includes('--json');
const kernels = loadKernels(process.argv.includes('--typescript') ? 'typescript' : undefined);
const oracle = loadKernels('typescript');
const codec = createCodec(kernels);
const hasher = await loadHasher(kernels);

/** Elements of a chunk in the default grid. */
const CHUNK_ELEMENTS = 262_144;
const next = randomNumbers(20260101);
const uniform = () => next() / 2 ** 31 - 1;

/** fp32 weights and the same after an update of about 1e-4. */
function floatChunk() {
  const base = Float32Array.from(
    { length: CHUNK_ELEMENTS },
    () => 0.02 * (uniform() + uniform() + uniform()),
  );
  const raw = base.map((value) => value + 1e-5 * uniform());
  return { dtype: 'f32', base: new Uint8Array(base.buffer), raw: new Uint8Array(raw.buffer) };
}

/** The upper halves of fp32 weights, of which one in `every` moved by one step. */
function bfloatChunk(every) {
  const source = new Uint16Array(floatChunk().base.buffer);
  const base = Uint16Array.from({ length: CHUNK_ELEMENTS }, (_, index) => source[2 * index + 1]);
  const raw = base.map((value) => (next() % every === 0 ? value + 1 - (next() & 2) : value));
  return { dtype: 'bf16', base: new Uint8Array(base.buffer), raw: new Uint8Array(raw.buffer) };
}

function hashTasks({ raw }) {
  verifySame('hash', kernels.contentHash(raw), oracle.contentHash(raw));
  const copy = new Uint8Array(raw.length);
  return [
    { name: 'memcpy', bytes: raw.length, run: () => copy.set(raw) },
    { name: 'XXH3-128, chunk id', bytes: raw.length, run: () => hasher.chunkId(raw) },
    { name: 'XXH64, checksum', bytes: raw.length, run: () => hasher.checksum(raw) },
  ];
}

function planeTasks({ raw, base }) {
  const layout = { laneBytes: 4, lane: 'float' };
  const block = raw.subarray(0, BLOCK_LANES * 4);
  const blockBase = base.subarray(0, BLOCK_LANES * 4);
  const planes = new Uint8Array(block.length);
  const expected = new Uint8Array(block.length);
  const counts = new Uint32Array(1024);
  const restored = new Uint8Array(block.length);
  kernels.splitPlanes(block, blockBase, layout, planes, counts);
  oracle.splitPlanes(block, blockBase, layout, expected, new Uint32Array(1024));
  verifySame('split', planes, expected);
  kernels.mergePlanes(planes, blockBase, layout, restored);
  verifySame('merge', restored, block);
  return [
    {
      name: 'residual, planes, histograms',
      bytes: block.length,
      run: () => kernels.splitPlanes(block, blockBase, layout, planes, counts),
    },
    {
      name: 'planes to lanes',
      bytes: block.length,
      run: () => kernels.mergePlanes(planes, blockBase, layout, restored),
    },
  ];
}

/** The upper halves or all of fp32 weights in classes, coded with one table for each of 16 groups of exponents. */
function classTasks(name, { raw, base }, layout) {
  const block = raw.subarray(0, BLOCK_LANES * layout.laneBytes);
  const blockBase = base.subarray(0, block.length);
  const streamsOf = () => ({
    symbols: new Uint8Array(BLOCK_LANES),
    exponents: new Uint8Array(BLOCK_LANES),
    rests: new Uint8Array(4 * BLOCK_LANES),
    counts: new Uint32Array(65_536),
  });
  const streams = streamsOf();
  const expected = streamsOf();
  const restBytes = kernels.splitClasses(block, blockBase, layout, streams);
  oracle.splitClasses(block, blockBase, layout, expected);
  verifySame(`${name} symbols`, streams.symbols, expected.symbols);
  const { symbols, exponents, rests, counts } = streams;
  const restored = new Uint8Array(block.length);
  kernels.mergeClasses(symbols, rests.subarray(0, restBytes), blockBase, layout, restored);
  verifySame(`${name} merge`, restored, block);
  const tables = { groups: exponents.slice(0, 256).fill(0), frequencies: new Uint16Array(4096) };
  for (let exponent = 0; exponent < 256; exponent++) tables.groups[exponent] = exponent & 15;
  for (let group = 0; group < 16; group++) {
    const sums = new Array(256).fill(0);
    for (let at = 0; at < counts.length; at++) if ((at >> 8) % 16 === group) sums[at % 256] += counts[at];
    const total = sums.reduce((sum, n) => sum + n, 0) + 256;
    const shares = sums.map((n) => 1 + Math.floor((n * 3840) / total));
    shares[0] += 4096 - shares.reduce((sum, n) => sum + n, 0);
    tables.frequencies.set(shares, 256 * group);
  }
  const coded = kernels.encodeContexts(symbols, exponents, tables);
  verifySame(`${name} coded`, coded, oracle.encodeContexts(symbols, exponents, tables));
  const decoded = new Uint8Array(BLOCK_LANES);
  const bytes = block.length;
  const note = `${((8 * coded.length) / BLOCK_LANES).toFixed(2)} bits a symbol`;
  const usedRests = rests.subarray(0, restBytes);
  return [
    {
      name: `${name} to classes`,
      bytes,
      run: () => kernels.splitClasses(block, blockBase, layout, expected),
    },
    {
      name: `classes to ${name}`,
      bytes,
      run: () => kernels.mergeClasses(symbols, usedRests, blockBase, layout, restored),
    },
    {
      name: `encode ${name} by context`,
      bytes,
      note,
      run: () => kernels.encodeContexts(symbols, exponents, tables),
    },
    {
      name: `decode ${name} by context`,
      bytes,
      note,
      run: () => kernels.decodeContexts(coded, exponents, tables, decoded),
    },
  ];
}

function entropyTasks() {
  const bytes = Uint8Array.from({ length: BLOCK_LANES }, () => Math.clz32(next() | 1) * 4);
  const frequencies = new Uint16Array(256);
  for (const byte of bytes) frequencies[byte] = 1;
  const present = frequencies.filter((frequency) => frequency > 0).length;
  let left = 4096 - present;
  for (let symbol = 0; left > 0; symbol += 4) {
    const share = symbol === 124 ? left : Math.ceil(left / 2);
    if (frequencies[symbol] === 0) continue;
    frequencies[symbol] += share;
    left -= share;
  }
  const coded = kernels.encodeEntropy(bytes, frequencies, 4);
  verifySame('rANS encode', coded, oracle.encodeEntropy(bytes, frequencies, 4));
  const decoded = new Uint8Array(bytes.length);
  kernels.decodeEntropy(coded, frequencies, 4, decoded);
  verifySame('rANS decode', decoded, bytes);
  const note = `${((8 * coded.length) / bytes.length).toFixed(2)} bits a byte`;
  return [
    {
      name: 'rANS encode',
      bytes: bytes.length,
      note,
      run: () => kernels.encodeEntropy(bytes, frequencies, 4),
    },
    {
      name: 'rANS decode',
      bytes: bytes.length,
      note,
      run: () => kernels.decodeEntropy(coded, frequencies, 4, decoded),
    },
  ];
}

function chunkTasks(name, { dtype, raw, base }) {
  const inputs = base === undefined ? [] : [base];
  const predictions = base === undefined ? [] : [{ rule: { kind: 'base' }, inputs }];
  const { record } = codec.encode(raw, dtype, predictions, 'fast');
  verifySame(name, codec.decode(record, raw.length, inputs, name), raw);
  const note = `${(raw.length / record.length).toFixed(2)}x smaller`;
  return [
    {
      name: `encode ${name}`,
      bytes: raw.length,
      note,
      run: () => codec.encode(raw, dtype, predictions, 'fast'),
    },
    {
      name: `decode ${name}`,
      bytes: raw.length,
      note,
      run: () => codec.decode(record, raw.length, inputs, name),
    },
  ];
}

const float = floatChunk();
const tasks = [
  ...hashTasks(float),
  ...planeTasks(float),
  ...entropyTasks(),
  ...classTasks('fp32', float, { laneBytes: 4, exponentBits: 8 }),
  ...classTasks('bf16', bfloatChunk(10), { laneBytes: 2, exponentBits: 8 }),
  ...chunkTasks('fp32 delta', float),
  ...chunkTasks('fp32 alone', { ...float, base: undefined }),
  ...chunkTasks('bf16 delta, 10 % changed', bfloatChunk(10)),
  ...chunkTasks('bf16 delta, 1 % changed', bfloatChunk(100)),
  ...chunkTasks('fp32 equal to its base', { ...float, base: float.raw }),
];
const rows = await timeTasks(tasks, { reference: 'memcpy' });
printReport(`kernels (${kernels.implementation})`, rows, asJson);
