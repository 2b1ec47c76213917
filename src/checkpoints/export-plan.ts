/** Which tensors an export has, under which names and types, and in which files. */
import { mayBeTied } from '../adapters/index.js';
import { CAST_DTYPES, type Cast } from '../compute/index.js';
import { ThetalogError } from '../errors.js';
import type { Layout, TensorLayout } from '../format/index.js';
import { tensorBytes } from '../tensor/index.js';
import type { ExportOptions } from './export-types.js';
import type { NamedTensor } from './safetensors-file.js';
import { makeShard, type Shard, type WrittenTensor } from './safetensors-writer.js';

/**
 * Keys under which programs keep a state dict in a checkpoint. Other first parts of names are modules: a bare state dict may
 * well have all its tensors in `encoder.`.
 */
const MODEL_KEYS = /^(model|model_state|net|params|module|(model_)?state_?dict)$/;

const EXPORT_DTYPES = CAST_DTYPES.filter((dtype) => dtype !== 'f64');

/** Where the metadata says what was taken from the front of the names; `import` puts it back. */
export const PREFIX_KEY = 'thetalog.prefix';

export interface ExportPlan {
  shards: Shard[];
  /** What says which shard has which tensor; undefined for a single file. */
  index: { name: string; bytes: Uint8Array } | undefined;
  /** Names of tensors that are written under another's, by theirs. */
  tied: Record<string, string>;
}

/** What goes on record of the checkpoint. */
export interface Provenance {
  id: string;
  run: string;
  step: number | null;
}

/** Plans the files of some of a layout's tensors; `base` is the name of a single file without its extension. */
export function planExport(
  layout: Pick<Layout, 'files'>,
  tensors: readonly TensorLayout[],
  base: string,
  provenance: Provenance,
  { dtype, shardSize, fullNames }: Pick<ExportOptions, 'dtype' | 'shardSize' | 'fullNames'>,
): ExportPlan {
  assertOptions(dtype, shardSize);
  const prefix = fullNames === true ? '' : prefixOf(layout, tensors);
  const metadata = metadataOf(provenance, prefix);
  const { kept, tied } = withoutTied(tensors, prefix);
  const written = kept.map((source): WrittenTensor => {
    const cast = castOf(source, dtype);
    const name = source.name.slice(prefix.length);
    return { source, name, dtype: cast?.to ?? source.dtype, shape: source.shape, ...(cast && { cast }) };
  });
  const parts = splitTensors(written, shardSize ?? Number.POSITIVE_INFINITY);
  const shards = parts.map((part, at): Shard => {
    const names = new Set(part.map(({ name }) => name));
    const own = Object.entries(tied).filter(([, name]) => names.has(name));
    return makeShard(shardName(base, at, parts.length), part, { ...metadata, ...Object.fromEntries(own) });
  });
  return { shards, tied, index: parts.length === 1 ? undefined : indexOf(base, shards) };
}

function assertOptions(dtype: ExportOptions['dtype'], shardSize: number | undefined): void {
  if (dtype !== undefined && !EXPORT_DTYPES.includes(dtype))
    throw badOption('dtype', dtype, EXPORT_DTYPES.join(', '));
  if (shardSize !== undefined && !(shardSize >= 1))
    throw badOption('shardSize', shardSize, 'a number from 1');
}

function badOption(object: string, value: unknown, wanted: string): ThetalogError {
  return new ThetalogError('invalid', 'bad-option', `${object} is ${String(value)}, not ${wanted}.`, {
    object,
  });
}

/**
 * Returns what readers of a model do not expect in front of its tensors' names: the key under which a state or a torch file has
 * the model, where only the model is exported. Names in safetensors files are those that their readers expect already.
 */
function prefixOf({ files }: Pick<Layout, 'files'>, tensors: readonly TensorLayout[]): string {
  const [key] = tensors[0].name.split('.', 1);
  const prefix = `${key}.`;
  const isModel = tensors.every(({ group, name }) => {
    return group === 'model' && name.startsWith(prefix) && name.length > prefix.length;
  });
  const isNamed = files.some(({ format }) => format === 'safetensors');
  return isModel && !isNamed && MODEL_KEYS.test(key) ? prefix : '';
}

function metadataOf({ id, run, step }: Provenance, prefix: string): Record<string, string> {
  return {
    format: 'pt',
    ...(step === null ? {} : { step: String(step) }),
    'thetalog.checkpoint': id,
    'thetalog.run': run,
    [PREFIX_KEY]: prefix,
  };
}

/**
 * Leaves out tensors that are the same memory as an earlier one: the format has no shared tensors. The metadata says so, as
 * safetensors' own `save_model` does. The first is kept: of tied embeddings that is the one that models tie the others to.
 */
function withoutTied(
  tensors: readonly TensorLayout[],
  prefix: string,
): { kept: TensorLayout[]; tied: Record<string, string> } {
  const firsts = new Map<string, string>();
  const tied: [string, string][] = [];
  const kept = tensors.filter((tensor) => {
    const name = tensor.name.slice(prefix.length);
    if (tensorBytes(tensor) === 0 || !mayBeTied(name)) return true;
    const place = JSON.stringify([tensor.dtype, tensor.shape, tensor.boxes]);
    const first = firsts.get(place);
    if (first === undefined) firsts.set(place, name);
    else tied.push([name, first]);
    return first === undefined;
  });
  return { kept, tied: Object.fromEntries(tied) };
}

function castOf({ dtype }: TensorLayout, wanted: ExportOptions['dtype']): Cast | undefined {
  const from = CAST_DTYPES.find((known) => known === dtype);
  return wanted === undefined || from === undefined || from === wanted ? undefined : { from, to: wanted };
}

function bytesOf(tensors: readonly NamedTensor[]): number {
  return tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
}

/** Cuts as huggingface_hub's `split_torch_state_dict_into_shards` does; a tensor that is too large has a shard of its own. */
function splitTensors(tensors: readonly WrittenTensor[], shardSize: number): WrittenTensor[][] {
  const shards: WrittenTensor[][] = [];
  let open: WrittenTensor[] = [];
  let size = 0;
  for (const tensor of tensors) {
    const bytes = tensorBytes(tensor);
    if (bytes > shardSize) {
      shards.push([tensor]);
      continue;
    }
    if (size + bytes > shardSize) {
      shards.push(open);
      open = [];
      size = 0;
    }
    open.push(tensor);
    size += bytes;
  }
  return open.length === 0 ? shards : [...shards, open];
}

function shardName(base: string, at: number, count: number): string {
  if (count === 1) return `${base}.safetensors`;
  const digits = (number: number): string => String(number).padStart(5, '0');
  return `${base}-${digits(at + 1)}-of-${digits(count)}.safetensors`;
}

/** The index of Hugging Face: `total_size` counts values only. */
function indexOf(base: string, shards: readonly Shard[]): { name: string; bytes: Uint8Array } {
  const places = shards.flatMap(({ name, tensors }) => tensors.map((tensor) => [tensor.name, name] as const));
  const map = places
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([tensor, shard]) => `    ${JSON.stringify(tensor)}: ${JSON.stringify(shard)}`);
  const total = shards.reduce((sum, { tensors }) => sum + bytesOf(tensors), 0);
  const text = `{\n  "metadata": {\n    "total_size": ${total}\n  },\n  "weight_map": {\n${map.join(',\n')}\n  }\n}\n`;
  return { name: `${base}.safetensors.index.json`, bytes: new TextEncoder().encode(text) };
}
