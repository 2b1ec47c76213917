/** Small torch files of the shapes that the reader knows, so that a malformed one costs some tens of microseconds. */
import { readFileSync } from 'node:fs';
import { readZipDirectory } from '../../src/adapters/zip-directory.js';
import {
  PyCall,
  PyFloat,
  PyGlobal,
  PyReference,
  PyTuple,
  type PyValue,
  writePickle,
} from '../adapters/pickle-writer.js';
import { inMemory } from '../adapters/sources.js';
import { floats, type StorageSpec, TorchArchive, zeros } from '../adapters/torch-zip-writer.js';
import { littleEndian } from './dice.js';
import { joined, opcodesOf } from './malformed-pickle.js';
import type { ZipRecord } from './malformed-zip.js';

const FIXTURES = new URL('../../fixtures/torch/', import.meta.url);

function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(name, FIXTURES)));
}

type Make = (archive: TorchArchive) => PyValue;

function model(archive: TorchArchive): PyValue {
  const shared = floats(1, 2, 3, 4, 5, 6);
  return {
    'a.weight': archive.tensor(shared, [2, 3]),
    'a.bias': archive.tensor(floats(0.5, -0.5), [2]),
    'b.weight': archive.tensor(shared, [3, 2], 0, [1, 3]),
    'b.tail': archive.tensor(shared, [2], 4),
  };
}

function checkpoint(archive: TorchArchive): PyValue {
  const moments = (value: number) => ({
    step: archive.tensor(floats(value), []),
    exp_avg: archive.tensor(floats(value, value), [2]),
    exp_avg_sq: archive.tensor(floats(value, value), [2]),
  });
  const group = {
    lr: new PyFloat(0.001),
    betas: new PyTuple(new PyFloat(0.9), new PyFloat(0.999)),
    params: [0, 1],
  };
  const state = new Map<PyValue, PyValue>([
    [0, moments(1)],
    [1, moments(2)],
  ]);
  return {
    model: model(archive),
    optimizer: { state, param_groups: [group] },
    epoch: 3,
    loss: new PyFloat(0.25),
  };
}

function module(archive: TorchArchive): PyValue {
  const rebuild = new PyGlobal('torch._utils', '_rebuild_parameter');
  const hooks = new PyCall(new PyGlobal('collections', 'OrderedDict'), new PyTuple());
  const weight = new PyCall(rebuild, new PyTuple(archive.tensor(floats(1, 2, 3), [3]), true, hooks));
  const state = { training: true, _parameters: { weight }, _buffers: {}, _modules: {} };
  return new PyCall(new PyGlobal('__main__', 'Net'), new PyTuple(), state, true);
}

/** What a process of DeepSpeed's ZeRO saves: flat tensors of two parameter groups, and two tensors side by side in one buffer. */
function partitions(archive: TorchArchive): PyValue {
  const fragment = new PyGlobal('deepspeed.utils.tensor_fragment', 'fragment_address');
  const address = (start: number, numel: number) =>
    new PyCall(fragment, new PyTuple(), { numel, start }, true);
  const buffer = zeros(1024);
  const groups = [0, 1];
  return {
    module: { a: archive.tensor(buffer, [16, 32]), b: archive.tensor(buffer, [512], 512) },
    optimizer_state_dict: {
      base_optimizer_state: {
        state: new Map<PyValue, PyValue>(
          groups.map((group) => [group, { step: 3, exp_avg: archive.zeros(1025) }]),
        ),
        param_groups: groups.map((group) => ({ lr: new PyFloat(0.001), params: [group] })),
      },
      single_partition_of_fp32_groups: groups.map(() => archive.tensor(zeros(1025), [1024])),
      param_slice_mappings: groups.map((group) => ({
        [`a${group}`]: address(0, 512),
        [`b${group}`]: address(512, 512),
      })),
    },
  };
}

const bytesOf = (content: Uint8Array | number): Uint8Array =>
  typeof content === 'number' ? new Uint8Array(content) : content;

function archiveOf(make: Make): ZipRecord[] {
  const archive = new TorchArchive();
  const pickle = { name: 'archive/data.pkl', content: writePickle(make(archive)) };
  const storages = archive.storages.map(({ content }, key) => ({
    name: `archive/data/${key}`,
    content: bytesOf(content),
  }));
  return [pickle, ...storages, { name: 'archive/version', content: new TextEncoder().encode('3\n') }];
}

/** The records of a file of torch's own, as many as its tensors need. */
async function archiveIn(name: string): Promise<ZipRecord[]> {
  const source = inMemory(name, fixture(name));
  const records: ZipRecord[] = [];
  for (const entry of await readZipDirectory(source)) {
    if (!/\/data\.pkl$|\/data\/[0-9]+$|\/version$/.test(entry.name)) continue;
    records.push({ name: entry.name, content: await source.read(entry.dataOffset, entry.bytes) });
  }
  return records;
}

export const ARCHIVES: readonly ZipRecord[][] = [
  ...[model, checkpoint, module].map(archiveOf),
  await archiveIn('plain-data.pth'),
  await archiveIn('sparse.pth'),
];

/** Flat tensors, which have other names here than in the pickle. */
export const PARTITIONS: readonly ZipRecord[] = archiveOf(partitions);

/** In legacy files a reference also says which part of the storage is meant: none is all of it. */
class LegacyArchive extends TorchArchive {
  override reference(storage: StorageSpec): PyReference {
    return new PyReference(new PyTuple(...super.reference(storage).id.items, null));
  }
}

/** The five pickles of a legacy file, and its storages with their counts. */
export const LEGACY: { readonly pickles: Uint8Array[]; readonly storages: Uint8Array } = legacyOf(checkpoint);

function legacyOf(make: Make): { pickles: Uint8Array[]; storages: Uint8Array } {
  const real = fixture('legacy-10.pth');
  const pickles: Uint8Array[] = [];
  for (let at = 0; pickles.length < 3; at += pickles[pickles.length - 1].length)
    pickles.push(joined(opcodesOf(real.subarray(at))));
  const archive = new LegacyArchive();
  pickles.push(writePickle(make(archive)));
  pickles.push(writePickle(archive.storages.map((_, key) => String(key))));
  const storages = archive.storages.flatMap(({ content, length, elementBytes }) => [
    littleEndian(length / elementBytes, 8),
    bytesOf(content),
  ]);
  return { pickles, storages: joined(storages) };
}
