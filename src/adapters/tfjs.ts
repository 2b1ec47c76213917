/**
 * Files of weights that TensorFlow.js and its converters write beside a `model.json`: no header, no alignment, and a tensor may begin in
 * one file and end in the next. Each file then has a part of it, `dense/kernel[0:1000]` in elements. Source: tfjs-core/src/io/io_utils.ts.
 */
import { corrupt, isThetalogError, ThetalogError } from '../errors.js';
import type { ParameterFacts } from '../tensor/index.js';
import type { Adapter, Folder, RandomAccess, Segmentation, TensorRange } from './adapter.js';
import { orderRanges } from './range-keys.js';
import { cutAtFiles, type Piece, placeWeights, type Shard } from './tfjs-layout.js';
import { readWeightsManifest, type WeightGroup, type WeightsManifest } from './tfjs-manifest.js';
import { variableFacts } from './variable-names.js';

const DATA_NAME = /\.bin$|-shard\d+(of\d+)?$/;
const MANIFEST_NAME = /^model\.json$|weights_manifest\.json$/;
/** JSON files of a folder that are asked for a manifest: one for each model in it. */
const MANIFESTS_MAX = 16;

/** A data file; without a manifest that names it, it is opaque. Asked last: `pytorch_model.bin` is a zip. */
export const tfjsAdapter: Adapter = {
  format: 'tfjs',
  recognises: (_head, name) => DATA_NAME.test(name),
  async segment(source, folder) {
    const name = source.name.replace(/^.*[\\/]/, '');
    const found = await findGroup(name, folder);
    if (found === undefined) return { format: 'opaque', ranges: [] };
    const { group, manifest } = found;
    const known = layouts.get(group) ?? layOut(group, manifest, folder);
    layouts.set(group, known);
    return (await known).get(name) ?? { format: 'tfjs', ranges: [] };
  },
};

/** What the files of a group hold, by name: thousands of files may ask. Groups belong to one folder. */
const layouts = new WeakMap<WeightGroup, Promise<ReadonlyMap<string, Segmentation>>>();

async function findGroup(
  name: string,
  folder: Folder,
): Promise<{ group: WeightGroup; manifest: WeightsManifest } | undefined> {
  const turn = (file: string): number => (MANIFEST_NAME.test(file) ? 0 : 1);
  const candidates = folder.names().filter((file) => file.endsWith('.json'));
  candidates.sort((a, b) => turn(a) - turn(b) || (a < b ? -1 : 1));
  for (const candidate of candidates.slice(0, MANIFESTS_MAX)) {
    const parse = MANIFEST_NAME.test(candidate) ? readWeightsManifest : readOtherJson;
    const manifest = await folder.parse(candidate, parse);
    const group = manifest?.groups.find(({ paths }) => paths.includes(name));
    if (manifest !== undefined && group !== undefined) return { group, manifest };
  }
  return undefined;
}

/** Settings of anything, where damage says nothing of the weights. */
async function readOtherJson(file: RandomAccess): Promise<WeightsManifest | undefined> {
  try {
    return await readWeightsManifest(file);
  } catch (error) {
    if (isThetalogError(error, 'corrupt', 'unsupported')) return undefined;
    throw error;
  }
}

async function layOut(
  group: WeightGroup,
  manifest: WeightsManifest,
  folder: Folder,
): Promise<ReadonlyMap<string, Segmentation>> {
  const shards = findShards(group, manifest, folder);
  const pieces = cutAtFiles(placeWeights(group, shards, manifest), shards);
  const fileOf = new Map(pieces.map(({ range, shard }) => [range, shard]));
  const ranges = orderRanges(pieces.map(({ range }) => range));
  const { parameters = [], step } = await factsOf(ranges, pieces, manifest, openShards(shards, folder));
  const files = new Map(
    shards.map(({ name }) => [name, { ranges: [] as TensorRange[], parameters: [] as ParameterFacts[] }]),
  );
  const nameOf = new Map(ranges.map((range) => [range.key, fileOf.get(range)?.name ?? '']));
  for (const facts of parameters) {
    const own = nameOf.get(facts.weights ?? '') ?? '';
    const others = Object.values(facts.slots).filter((key) => nameOf.get(key) !== own);
    const elsewhere = Object.fromEntries(others.map((key) => [key, nameOf.get(key) ?? '']));
    files.get(own)?.parameters.push(others.length === 0 ? facts : { ...facts, elsewhere });
  }
  for (const range of ranges) {
    const shard = fileOf.get(range);
    if (shard === undefined) continue;
    files.get(shard.name)?.ranges.push({ ...range, offset: range.offset - shard.start });
  }
  const progress = step === undefined ? {} : { step };
  return new Map([...files].map(([name, file]) => [name, { format: 'tfjs', ...file, ...progress }]));
}

function findShards({ paths }: WeightGroup, { object }: WeightsManifest, folder: Folder): Shard[] {
  let end = 0;
  return paths.map((name) => {
    const size = folder.sizeOf(name);
    if (size === undefined) {
      const message = `${object}: ${JSON.stringify(name)}, which has a part of the weights, is not beside it`;
      throw new ThetalogError('unsupported', 'tfjs-file-missing', message, { object, offset: 0 });
    }
    const start = end;
    end += size;
    return { name, start, end };
  });
}

const asItIs = async (file: RandomAccess): Promise<RandomAccess> => file;

/** The files of a group as one; no range that is read reaches from one into the next. */
function openShards(shards: readonly Shard[], folder: Folder): RandomAccess {
  return {
    name: shards[0].name,
    size: shards.at(-1)?.end ?? 0,
    async read(offset, length) {
      const shard = shards.find(({ end }) => offset < end) ?? shards[0];
      const file = await folder.parse(shard.name, asItIs);
      if (file === undefined) throw corrupt('truncated', 'the file is gone', shard.name, 0);
      return file.read(offset - shard.start, length);
    },
  };
}

/** Optimizers name what they keep by the weights: `dense/kernel/m`. */
async function factsOf(
  ranges: readonly TensorRange[],
  pieces: readonly Piece[],
  { optimizer, settings }: WeightsManifest,
  source: RandomAccess,
): Promise<Pick<Segmentation, 'parameters' | 'step'>> {
  const own = pieces.filter(({ range }) => range.group === 'optimizer');
  const names = new Map(own.map(({ range, path }) => [range.key, `${optimizer}/${path}`]));
  const { parameters = [], ...progress } = await variableFacts(ranges, names, source);
  const known = parameters.map((facts) => ({ ...facts, settings: { ...settings, ...facts.settings } }));
  return { parameters: known, ...progress };
}
