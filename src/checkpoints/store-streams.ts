/** Stores the streams of a plan: those that predict one another side by side, many groups of chunks at once. */
import { copyBytes, type FilePart, inOrder } from '../compute/index.js';
import { isThetalogError } from '../errors.js';
import type { StreamContent } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type {
  ChunkBuffer,
  ChunkGroup,
  ChunkWriter,
  ChunkWriterOptions,
  EncodedGroup,
  NewChunk,
  PredictionInput,
  SpareMemory,
} from '../packs/index.js';
import type { ChunkPredictions } from './chunk-predictions.js';
import type { StoreContext } from './context.js';
import { chunkBytesOf, contentChunks, readSource, type SavePlan, type SourcePart } from './plan.js';

/** Groups are put together up to so many bytes: handing over smaller ones would cost more than the work. */
const GROUP_BYTES = 2 ** 20;
/** Bytes of chunks under way at most. */
const BYTES_UNDER_WAY_MAX = 64 * 2 ** 20;
/**
 * Files that one chunk may keep open until it is stored, and its least length: others are read before they are handed over,
 * so that a folder of thousands of small files does not have them all open.
 */
const FILES_HELD_MAX = 4;
const HELD_BYTES_MIN = 64 * 1024;

/** A chunk of a stream. */
interface Place {
  stream: number;
  index: number;
  offset: number;
  length: number;
  /** Places that may predict it are in the same set. */
  set: number;
  /** Its bytes, where they had to be read to find the end of the chunk. */
  bytes?: Uint8Array;
}

type Raw = NewChunk['raw'];

/** Returns the chunks of all streams, in the order of the layout. `onStored` is called now and then with the bytes stored. */
export async function storeStreams(
  context: StoreContext,
  plan: SavePlan,
  writer: ChunkWriter,
  predictions: ChunkPredictions,
  onStored: (bytes: number) => Promise<void>,
): Promise<StreamContent[]> {
  const contents = plan.layout.streams.map((stream): StreamContent => {
    return { ids: [], lengths: stream.chunking === 'content' ? [] : null };
  });
  const encode = async (places: Place[]): Promise<EncodedPlaces> => {
    const same = await findUnchanged(context, plan, writer, predictions, places);
    if (same !== undefined) return same;
    const lent: Lent[] = [];
    for (const place of places) lent.push(await lend(context, plan, place));
    const group = planGroup(plan, predictions, places, lent);
    return { places, lent, encoded: await writer.encode(group) };
  };
  const options = { ahead: context.compute.width, bytesMax: BYTES_UNDER_WAY_MAX, bytesOf };
  const groups = placeGroups(context, plan, predictions.order());
  for await (const group of inOrder(groups, options, encode)) {
    await store(writer, group, contents);
    for (const { release } of group.lent) release?.();
    await onStored(bytesOf(group.places));
  }
  return contents;
}

/** A group, encoded or, where nothing of it is new, the ids of its chunks. */
interface EncodedPlaces {
  places: readonly Place[];
  lent: readonly Pick<Lent, 'release'>[];
  encoded: EncodedGroup | ChunkId[];
}

/**
 * Returns the group if nothing of it is new: staged chunks tell by their ids, others are hashed where they are in memory. That is
 * done on this thread: to copy them and hand them to another takes longer.
 */
async function findUnchanged(
  { hasher }: StoreContext,
  { staged }: SavePlan,
  writer: ChunkWriter,
  predictions: ChunkPredictions,
  places: readonly Place[],
): Promise<EncodedPlaces | undefined> {
  const ids: ChunkId[] = [];
  let hashed = false;
  for (const { stream, index, bytes: read } of places) {
    if (read !== undefined) {
      const id = hasher.chunkId(read);
      if (!writer.isStored(id)) return undefined;
      hashed = true;
      ids.push(id);
      continue;
    }
    const base = predictions.baseOf(stream, index);
    if (staged === undefined || base === undefined || !writer.isStored(base)) return undefined;
    const bytes = writer.expectsUnchanged ? staged.unstaged(stream, index) : undefined;
    hashed ||= bytes !== undefined;
    const id = bytes === undefined ? staged.chunk(stream, index)?.id : hasher.chunkId(bytes);
    if (id !== base) return undefined;
    ids.push(id);
  }
  if (hashed) await new Promise(setImmediate);
  const lent = places.map(({ stream, index }) => ({ release: () => staged?.done(stream, index) }));
  return { places, lent, encoded: ids };
}

async function store(
  writer: ChunkWriter,
  { places, encoded }: EncodedPlaces,
  contents: readonly StreamContent[],
): Promise<void> {
  if (Array.isArray(encoded)) writer.skip();
  const ids = Array.isArray(encoded) ? encoded : await writer.add(encoded);
  for (const [at, { stream, length }] of places.entries()) {
    contents[stream].ids.push(ids[at]);
    contents[stream].lengths?.push(length);
  }
}

function bytesOf(places: readonly { length: number }[]): number {
  return places.reduce((sum, { length }) => sum + length, 0);
}

/** Yields the places of all chunks, put together into groups; what may predict one another stays together. */
async function* placeGroups(
  context: StoreContext,
  plan: SavePlan,
  units: readonly (readonly number[])[],
): AsyncGenerator<Place[]> {
  let group: Place[] = [];
  let bytes = 0;
  let set = 0;
  for (const unit of units) {
    for await (const places of placeSets(context, plan, unit)) {
      group.push(...places.map((place) => ({ ...place, set })));
      set += 1;
      bytes += bytesOf(places);
      if (bytes < GROUP_BYTES) continue;
      yield group;
      group = [];
      bytes = 0;
    }
  }
  if (group.length > 0) yield group;
}

/** Yields the chunks of a unit that belong side by side. */
async function* placeSets(
  { config, kernels }: StoreContext,
  plan: SavePlan,
  unit: readonly number[],
): AsyncGenerator<Omit<Place, 'set'>[]> {
  const [first] = unit;
  if (plan.layout.streams[first].chunking === 'content') {
    let [index, offset] = [0, 0];
    for await (const bytes of contentChunks(plan.sources[first], kernels)) {
      yield [{ stream: first, index, offset, length: bytes.length, bytes }];
      index += 1;
      offset += bytes.length;
    }
    return;
  }
  for (let index = 0; ; index++) {
    const places = unit.flatMap((stream) => {
      const size = chunkBytesOf(plan.layout.streams[stream], config.chunkElements) ?? 0;
      const offset = index * size;
      const length = Math.min(size, plan.sources[stream].size - offset);
      return length > 0 ? [{ stream, index, offset, length }] : [];
    });
    if (places.length === 0) return;
    yield places;
  }
}

/** What a chunk is read from until it is stored. */
interface Lent {
  raw: Raw;
  release?: () => void;
}

/** Finds the bytes of a chunk in memory, or opens the files that hold them. */
async function lend(
  { spareMemory: spare }: StoreContext,
  plan: SavePlan,
  { stream, index, offset, length, bytes }: Place,
): Promise<Lent> {
  if (bytes !== undefined) return lendCopy(spare, bytes);
  const staged = plan.staged?.chunk(stream, index);
  if (staged !== undefined)
    return { raw: { buffer: staged }, release: () => plan.staged?.done(stream, index) };
  const source = plan.sources[stream];
  const held = length < HELD_BYTES_MIN ? undefined : await holdFiles(source.parts(offset, length));
  if (held === undefined) return lendCopy(spare, await readSource(source, offset, length));
  return { raw: { parts: held.parts }, release: held.release };
}

/** Small chunks are not worth memory that is shared: they are copied with the job. */
function lendCopy(spare: SpareMemory, bytes: Uint8Array): Lent {
  if (bytes.length < HELD_BYTES_MIN) return { raw: { buffer: { bytes } } };
  const shared = copyBytes(spare.take(bytes.length), bytes);
  return { raw: { buffer: { bytes: shared } }, release: () => spare.give(shared.buffer) };
}

/** Returns what finds chunks of the base in files, as far as these are still there. */
export function holderOfBases({ baseParts }: SavePlan): ChunkWriterOptions['holdBase'] {
  if (baseParts === undefined) return undefined;
  return async (id) => {
    try {
      const held = await holdFiles(baseParts(id) ?? []);
      return held && { id, ...held };
    } catch (error) {
      if (!isThetalogError(error)) throw error;
      return undefined;
    }
  };
}

/** Keeps the files of parts open until `release`; undefined where these are in memory, or in many files. */
async function holdFiles(
  sourceParts: readonly SourcePart[],
): Promise<{ parts: FilePart[]; release(): void } | undefined> {
  const parts = sourceParts.flatMap((part) => (part instanceof Uint8Array ? [] : [part]));
  const files = [...new Set(parts.map(({ file }) => file))];
  if (parts.length < sourceParts.length || files.length === 0 || files.length > FILES_HELD_MAX)
    return undefined;
  const held = new Map(await Promise.all(files.map(async (file) => [file, await file.hold()] as const)));
  const fileParts = parts.map(({ file, offset, length }): FilePart => {
    return { descriptor: held.get(file)?.descriptor ?? -1, path: file.name, offset, length };
  });
  const release = () => {
    for (const { release: releaseFile } of held.values()) releaseFile();
  };
  return { parts: fileParts, release };
}

function planGroup(
  plan: SavePlan,
  predictions: ChunkPredictions,
  places: readonly Place[],
  lent: readonly Lent[],
): ChunkGroup {
  const members = new Map(places.map(({ set, stream }, at) => [`${set}:${stream}`, at]));
  const known = new Set<ChunkBuffer>();
  const chunks = places.map(({ stream, index, set, length }, at): NewChunk => {
    const base = predictions.baseOf(stream, index);
    const previous = plan.staged?.previous(stream, index);
    if (base !== undefined && previous?.id === base && previous.bytes.length > 0) known.add(previous);
    const possible = predictions.of(stream, index).flatMap(({ rule, inputs }) => {
      const found = inputs.flatMap((input): PredictionInput[] => {
        if ('id' in input) return [input];
        const member = members.get(`${set}:${input.stream}`);
        return member === undefined ? [] : [{ member }];
      });
      return found.length < inputs.length ? [] : [{ rule, inputs: found }];
    });
    return {
      raw: lent[at].raw,
      length,
      dtype: plan.layout.streams[stream].dtype,
      base,
      predictions: possible,
    };
  });
  return { members: chunks, known: [...known] };
}
