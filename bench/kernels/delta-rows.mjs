/** Whole chunks through the codec, records and choices included, against native zstd -1 on the planes of their residual. */
import { RECORD_ROOM_BYTES } from '../../dist/codec/index.js';
import { BLOCK_LANES } from '../../dist/kernels/index.js';
import { median, row, skipped, verifySame } from '../harness.mjs';
import { nativeZstd } from '../limits.mjs';
import { watchLoad } from '../machine.mjs';
import { bf16Chunks, contextBound, deltaChunks, residualPlanes } from './deltas.mjs';
import { memcpy, placed, speeds } from './timing.mjs';

const HOW = 'codec.encode and codec.decode of one chunk of 262,144 elements, records and choices included';

function codingTasks({ codec, kernels }, chunk) {
  const { name, dtype } = chunk;
  const [raw, base] = [chunk.raw, chunk.base].map((bytes) => placed(kernels, bytes));
  const predictions = [{ rule: { kind: 'base' }, inputs: [base] }];
  const { prediction, ...encoded } = codec.encode(raw, dtype, predictions, 'fast');
  const record = placed(kernels, encoded.record);
  const inputs = prediction?.inputs ?? [];
  // As jobs do, both are given memory of the kernels for what they make.
  const [output, target] = [raw.length + RECORD_ROOM_BYTES, raw.length].map((length) =>
    placed(kernels, new Uint8Array(length)),
  );
  const decode = () => codec.decode(record, raw.length, inputs, name, target);
  verifySame(name, decode(), raw);
  const encode = () => codec.encode(raw, dtype, predictions, 'fast', output);
  return {
    size: record.length,
    tasks: [
      { name: 'encode', bytes: raw.length, run: encode },
      { name: 'decode', bytes: raw.length, run: decode },
    ],
  };
}

/** Speeds of ours, memcpy and zstd in each of some rounds. */
async function measure(coder, chunk, { rounds, milliseconds }) {
  const mark = coder.kernels.arena.mark();
  const { size, tasks } = codingTasks(coder, chunk);
  const planes = residualPlanes(chunk);
  const loadOf = watchLoad();
  const results = [];
  for (let round = 0; round < rounds; round++) {
    const zstd = nativeZstd(planes, { seconds: milliseconds >= 200 ? 1 : 0 });
    results.push({ ours: await speeds([memcpy, ...tasks], milliseconds), zstd });
  }
  coder.kernels.arena.release(mark);
  const zstdBlocks = nativeZstd(residualPlanes(chunk, BLOCK_LANES), { seconds: milliseconds >= 200 ? 1 : 0 });
  return { size, results, load: loadOf(), zstdSize: results[0].zstd?.size, zstdBlocks };
}

/** Rows of fp32 weights and moments, one to a hundred steps apart; `coder` is a codec and its kernels. */
export async function fp32Rows(coder, report, settings) {
  for (const chunk of deltaChunks()) {
    const { size, results, load, zstdSize, zstdBlocks } = await measure(coder, chunk, settings);
    const note = sizeNote(chunk.raw.length, size, zstdSize);
    report.add(
      ...['encode', 'decode'].map((way) => zstdRow(chunk, way, results, { load, note, zstdBlocks })),
    );
    if (!chunk.id.startsWith('weights')) continue;
    const id = `${chunk.id}-size`;
    report.add(
      zstdSize === undefined
        ? skipped(id, 'no zstd command')
        : row(id, size / zstdSize, 'bytes of the record'),
    );
  }
}

/** Rows of bf16 weights: the context path against zstd, the sparse one against memcpy, both against the bound. */
export async function bf16Rows(coder, report, settings) {
  const [dense, sparse] = bf16Chunks();
  for (const chunk of [dense, sparse]) {
    const { size, results, load, zstdSize } = await measure(coder, chunk, settings);
    const changed = `${(100 * chunk.changed).toFixed(1)} % changed`;
    const more = { load, note: `${sizeNote(chunk.raw.length, size, zstdSize)}, ${changed}` };
    for (const way of ['encode', 'decode']) {
      if (chunk === dense) report.add(zstdRow(chunk, way, results, more));
      else {
        const ratios = results.map(({ ours }) => ours[way] / ours.memcpy);
        report.add(
          row(`${chunk.id}-${way}`, ratios, `${HOW}, against memcpy of 64 MiB`, speedOf(results, way, more)),
        );
      }
    }
    const share = (100 * contextBound(chunk)) / size;
    report.add(row(`${chunk.id}-bound`, share, 'H(d | exponent) of the chunk over bytes of the record'));
  }
}

function zstdRow({ id }, way, results, more) {
  const rowId = `${id}-${way}`;
  if (results[0].zstd === undefined) return skipped(rowId, 'no zstd command');
  const ratios = results.map(({ ours, zstd }) => ours[way] / zstd[way]);
  const how = `${HOW}, against zstd -b1 on one thread; the median of ratios, each of one round`;
  return row(rowId, ratios, how, speedOf(results, way, more));
}

function speedOf(results, way, more) {
  const gigabytesPerSecond = median(results.map(({ ours }) => ours[way]));
  const speed = `${gigabytesPerSecond.toFixed(2)} GB/s`;
  const peer = results[0].zstd === undefined ? undefined : median(results.map(({ zstd }) => zstd[way]));
  const zstd = peer === undefined ? '' : `, zstd ${peer.toFixed(2)}`;
  return { ...more, gigabytesPerSecond, zstdGigabytesPerSecond: peer, note: `${speed}${zstd}, ${more.note}` };
}

function sizeNote(raw, size, zstdSize) {
  const zstd = zstdSize === undefined ? '' : `, zstd ${(raw / zstdSize).toFixed(3)}x`;
  return `${(raw / size).toFixed(3)}x smaller${zstd}`;
}
