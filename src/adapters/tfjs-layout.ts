/** Where the weights of a group of TensorFlow.js lie in its files, and what part of them is in which. */
import { corrupt } from '../errors.js';
import type { TensorRange } from './adapter.js';
import { placeTensor } from './element-type.js';
import type { WeightGroup, WeightSpec, WeightsManifest } from './tfjs-manifest.js';
import { groupOfVariable } from './variable-names.js';

/** A weight and what an optimizer keeps of it: four at most in TensorFlow.js. Guards memory: each is cut where the others are. */
const FAMILY_MAX = 8;

/** A file of a group; `start` counts from the begin of the first. */
export interface Shard {
  name: string;
  start: number;
  end: number;
}

/** A weight of numbers; `start` as that of files. */
export interface PlacedWeight {
  weight: WeightSpec & Required<Pick<WeightSpec, 'stored'>>;
  start: number;
}

/** Where weights begin, from the front up to text, and from the end back to it; between texts nobody says. */
export function placeWeights(
  group: WeightGroup,
  shards: readonly Shard[],
  manifest: WeightsManifest,
): PlacedWeight[] {
  const total = shards.at(-1)?.end ?? 0;
  let texts = group.weights.filter(({ stored }) => stored === undefined).length;
  let left = group.weights.reduce((sum, { stored }) => sum + (stored?.bytes ?? 0), 0);
  if (texts === 0 ? left !== total : left > total) {
    const message = `the weights take ${left} bytes, their files have ${total}`;
    throw corrupt('tfjs-size', message, manifest.object, group.place);
  }
  const placed: PlacedWeight[] = [];
  let start = 0;
  let certain = true;
  for (const weight of group.weights) {
    const { stored } = weight;
    if (stored === undefined) {
      texts--;
      certain = texts === 0;
      start = total - left;
      continue;
    }
    if (certain) placed.push({ weight: { ...weight, stored }, start });
    start += stored.bytes;
    left -= stored.bytes;
  }
  return placed;
}

/** A range by its offset in the group; `path` is its name with the part behind the name of the weights, where slots have theirs. */
export interface Piece {
  range: TensorRange;
  shard: Shard;
  path: string;
}

/**
 * Cuts weights where files end, and where what belongs together with them is cut, so that each part of a weight has its moments. The
 * bytes of an element that is cut in two stay in the skeleton.
 */
export function cutAtFiles(placed: readonly PlacedWeight[], shards: readonly Shard[]): Piece[] {
  const families = cutsOfFamilies(placed, shards);
  const pieces: Piece[] = [];
  let at = 0;
  for (const { weight, start } of placed) {
    const { bytes } = weight.stored.element;
    const { cuts } = families.get(weight) ?? { cuts: [] };
    const count = weight.stored.bytes / bytes;
    const edges = count === 0 ? [0, 0] : [...new Set([0, ...cuts, count])].sort((a, b) => a - b);
    for (let edge = 1; edge < edges.length; edge++) {
      const [from, to] = [edges[edge - 1], edges[edge]];
      while (at < shards.length - 1 && shards[at].end <= start + from * bytes) at++;
      if (start + to * bytes > shards[at].end) continue;
      const part = edges.length === 2 ? undefined : ([from, to] as const);
      pieces.push(pieceOf(weight, start, shards[at], part));
    }
  }
  return pieces;
}

interface Family {
  cuts: number[];
  members: number;
}

function cutsOfFamilies(
  placed: readonly PlacedWeight[],
  shards: readonly Shard[],
): Map<PlacedWeight['weight'], Family> {
  const byName = new Map<string, Family>();
  const families = new Map<PlacedWeight['weight'], Family>();
  let at = 0;
  for (const { weight, start } of placed) {
    const { element, bytes } = weight.stored;
    while (at < shards.length - 1 && shards[at].end <= start) at++;
    const own: number[] = [];
    for (let next = at; next < shards.length && shards[next].end < start + bytes; next++) {
      const cut = (shards[next].end - start) / element.bytes;
      own.push(Math.floor(cut), Math.ceil(cut));
    }
    const [name] = weight.ofOptimizer ? splitSlot(weight.name) : [weight.name];
    const id = `${name} ${weight.shape} ${element.bytes}`;
    const known = byName.get(id) ?? { cuts: [], members: 0 };
    const family = known.members < FAMILY_MAX ? known : { cuts: [], members: 0 };
    byName.set(id, family);
    families.set(weight, family);
    family.members++;
    family.cuts.push(...own);
  }
  return families;
}

/** `dense/kernel/m` is the slot `/m` of `dense/kernel`. */
function splitSlot(name: string): [string, string] {
  const cut = name.lastIndexOf('/');
  return cut < 0 ? [name, ''] : [name.slice(0, cut), name.slice(cut)];
}

function pieceOf(
  { name, shape, stored, ofOptimizer }: PlacedWeight['weight'],
  start: number,
  shard: Shard,
  part: readonly [number, number] | undefined,
): Piece {
  const { element, bytes } = stored;
  const [from, to] = part ?? [0, bytes / element.bytes];
  const suffix = part === undefined ? '' : `[${from}:${to}]`;
  const key = `${name}${suffix}`;
  const [weights, slot] = splitSlot(name);
  const range: TensorRange = {
    offset: start + from * element.bytes,
    length: (to - from) * element.bytes,
    dtype: element.dtype,
    group: ofOptimizer ? 'optimizer' : groupOfVariable(name),
    key,
    tensors: [placeTensor(key, element, part === undefined ? shape : [to - from])],
  };
  return { range, shard, path: ofOptimizer ? `${weights}${suffix}${slot}` : key };
}
