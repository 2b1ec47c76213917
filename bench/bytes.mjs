/**
 * Sizes: what a save adds to the files of a store, by the built command. Deterministic, so each is measured once.
 *
 *   node bench/bytes.mjs [--json] [--quick] [--dir DIR]      after npm run build
 */
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import * as cases from './bytes/cases.mjs';
import { MeasuredStore } from './bytes/store-sizes.mjs';
import { scratchFolder } from './children.mjs';
import { Report, row, skipped } from './harness.mjs';
import { hasTraces, TRACES } from './trace-files.mjs';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    dir: { type: 'string', default: tmpdir() },
  },
});
const HOW =
  'sum of file sizes in the store after the save less before, as save --explain says; restored and compared';
const name = values.quick ? 'bytes-quick' : 'bytes';
const report = new Report(name, { json: values.json, settings: { quick: values.quick } });
const folder = scratchFolder(resolve(values.dir));

/** Elements of a case, far fewer when only trying. */
const sized = (elements) => (values.quick ? Math.ceil(elements / 65_536 / 16) * 65_536 : elements);

await traceRows();
await generatedRows();
await chainRows();
await noiseRows();
await worstRow();
report.finish();

async function increment(paths) {
  const store = await MeasuredStore.make(folder);
  await store.save(paths[0]);
  const saved = await store.save(paths[1]);
  await store.verify(paths[1], readFileSync);
  return saved;
}

function ratioRow(id, { added, logicalBytes }, note = '') {
  return row(id, logicalBytes / added, HOW, {
    bytes: added,
    note: `${added} of ${logicalBytes} bytes${note}`,
  });
}

async function traceRows() {
  const pth = (job, a, b) => ['pth', job, a, b];
  const pairs = [
    pth('gpt', 700, 701),
    pth('gpt', 100, 101),
    pth('gpt', 700, 710),
    pth('gpt', 700, 800),
    pth('gpt', 100, 110),
    pth('gpt-bf16grad', 700, 701),
    pth('gpt-torch1.13', 700, 701),
    ['safetensors', 'bf16', 700, 701],
    ['safetensors', 'bf16', 700, 710],
    ['safetensors', 'bf16', 700, 800],
  ];
  const others = ['first-fp32', 'first-bf16', 'same-again', 'metadata'];
  if (!hasTraces) {
    const reason = 'the traces are not here';
    for (const [, job, a, b] of pairs) report.add(skipped(`${job}-${a}-${b}`, reason));
    report.add(...others.map((id) => skipped(id, reason)));
    return;
  }
  for (const [format, job, a, b] of pairs) {
    const paths = [a, b].map((step) => join(TRACES, job, `step-${step}.${format}`));
    const saved = await increment(paths);
    report.add(ratioRow(`${job}-${a}-${b}`, saved));
    if (`${job}-${b}` === 'gpt-701') report.add(metadataRow(saved));
  }
  for (const [id, path] of [
    ['first-fp32', 'gpt/step-700.pth'],
    ['first-bf16', 'bf16/step-700.safetensors'],
  ]) {
    const store = await MeasuredStore.make(folder);
    report.add(ratioRow(id, await store.save(join(TRACES, path))));
    if (id !== 'first-fp32') continue;
    const { apart } = await store.save(join(TRACES, path));
    report.add(row('same-again', apart, 'the same file saved twice, files of the root apart'));
  }
}

/** Index segment, manifest and page against their bound; a pack's own index is told beside it. */
function metadataRow({ explain, logicalBytes }) {
  const sum =
    (kind) =>
    (total, { object, bytes }) =>
      kind.test(object) ? total + bytes : total;
  const bytes = explain.metadata.reduce(sum(/^(?!.*(root|pack))/), 0);
  const inPacks = explain.metadata.reduce(sum(/pack/), 0);
  const bound = 0.0002 * logicalBytes + 2048;
  const note = `${bytes} bytes, bound ${bound.toFixed(0)}; in the pack ${inPacks} more, its index twice`;
  return row('metadata', bytes / bound, 'gpt 700 -> 701: index segment if there is one, manifest, page', {
    note,
  });
}

async function generatedRows() {
  const sparse = cases.sparseBf16(folder, sized(2 ** 23));
  const saved = await increment(sparse.paths);
  const share = `${((100 * sparse.changed) / sparse.elements).toFixed(2)} % changed`;
  report.add(row('bf16-sparse', (8 * saved.added) / sparse.changed, `${HOW}; synthetic`, { note: share }));
  const rows = cases.embeddingRows(folder, values.quick ? 2048 : 40_960, 128);
  report.add(ratioRow('embedding-rows', await increment(rows.paths), ', synthetic'));
  const sgd = cases.sgdMomentum(folder, sized(2 ** 20));
  report.add(ratioRow('sgd-momentum', await increment(sgd.paths), ', synthetic'));
  const { master, copy, copyBytes } = cases.masterCopies(folder, sized(2 ** 23));
  const alone = await (await MeasuredStore.make(folder)).save(master);
  const both = await (await MeasuredStore.make(folder)).save(master, copy);
  const added = both.added - alone.added;
  const note = `${added} bytes for copies of ${copyBytes}, synthetic`;
  report.add(row('master-copy', copyBytes / added, 'a store with the copies less one without', { note }));
}

async function chainRows() {
  for (const [id, bf16] of [
    ['chain-fp32', false],
    ['chain-bf16grad', true],
  ]) {
    const store = await MeasuredStore.make(folder);
    const files = cases.adamwChain(join(folder, id), sized(2 ** 20), 20, bf16);
    let logical = 0;
    for (const path of files) logical += (await store.save(path)).logicalBytes;
    await store.verify(files.at(-1), readFileSync);
    const bytes = store.bytes();
    const note = `${bytes} of ${logical} bytes, synthetic`;
    report.add(
      row(id, logical / bytes, 'all files of the store after 20 saves one step apart', { note, bytes }),
    );
    rmSync(join(folder, id), { recursive: true });
  }
}

async function noiseRows() {
  for (const [id, amount] of [
    ['noise-1e-4', 1e-4],
    ['noise-1e-3', 1e-3],
    ['noise-1e-2', 1e-2],
  ]) {
    const { paths, positionBytes } = cases.noisyPair(folder, sized(20e6), amount);
    const { added } = await increment(paths);
    const note = `${added} bytes, of which positions ${positionBytes.toFixed(0)}${values.quick ? ', fewer elements' : ''}`;
    const how = `${HOW}; values only: less the entropy of which elements changed, given their exponents`;
    report.add(row(id, (added - positionBytes) / 1e6, how, { note, bytes: added }));
  }
}

async function worstRow() {
  const { explain } = await (await MeasuredStore.make(folder)).save(cases.randomBits(folder, sized(2 ** 22)));
  const tensors = explain.groups.filter(({ dtype }) => dtype === 'f32');
  const sum = (key) => tensors.reduce((total, group) => total + group[key], 0);
  const beyond = (sum('storedBytes') - sum('rawBytes')) / sum('chunks');
  report.add(row('never-worse', beyond, 'random bits as fp32, records of its chunks'));
}
