/** Finds out what of a damaged checkpoint can be restored, by reading all that it needs. */
import {
  type LoadedManifest,
  type LostParts,
  loadCheckpoint,
  type OperationOptions,
  type StoreContext,
} from '../checkpoints/index.js';
import type { CatalogueEntry, ChunkEntry } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { ChunkIndex } from '../packs/index.js';
import { Inventory } from './inventory.js';
import { isAnythingLost, lostChunks, lostParts } from './lost-parts.js';
import { RepairIndex } from './repair-index.js';
import { reachable, readSegment } from './segment-entries.js';
import { SoundRecords } from './sound-records.js';

export interface Rescued {
  /** The checkpoint with the segments that are readable. */
  all: LoadedManifest;
  /** Only its tensors and files that are whole. */
  sound: LoadedManifest;
  /** The tensors that are whole and in no file that is. */
  tensorsOnly: LoadedManifest;
  lost: LostParts;
}

/** Encodings of chunks, and which of them were read and are sound. */
interface Encodings {
  get(id: ChunkId): ChunkEntry | undefined;
  isSound(entry: ChunkEntry): boolean;
}

/**
 * Reads a checkpoint as far as it can be read: with its own segments or, if anything is lost so, with the tables at both ends
 * of all packs. What retention dropped is not there, but not lost. Where damage hides what it consists of, that is thrown.
 */
export async function rescueCheckpoint(
  context: StoreContext,
  entry: CatalogueEntry,
  options: OperationOptions,
): Promise<Rescued> {
  const loaded = await loadCheckpoint(context, entry);
  let encodings = await ownEncodings(context, loaded, options);
  let lost = lostOf(context, loaded, encodings);
  if (isAnythingLost(lost)) {
    encodings = await allEncodings(context, loaded, options);
    lost = lostOf(context, loaded, encodings);
  }
  const index = new ChunkIndex();
  index.add(loaded.name, reachable(idsOf(loaded), encodings.get).values());
  const all = { ...loaded, index };
  return { all, ...withoutLost(all, lost), lost };
}

function idsOf({ content }: LoadedManifest): ChunkId[] {
  return content.streams.flatMap(({ ids }) => ids);
}

function lostOf(context: StoreContext, loaded: LoadedManifest, { get, isSound }: Encodings): LostParts {
  return lostParts(context, loaded, lostChunks(get, isSound));
}

async function ownEncodings(
  context: StoreContext,
  loaded: LoadedManifest,
  options: OperationOptions,
): Promise<Encodings> {
  const index = new ChunkIndex();
  for (const name of loaded.manifest.segments) index.add(name, (await readSegment(context, name)) ?? []);
  const get = (id: ChunkId): ChunkEntry | undefined => index.get(id);
  const sound = await SoundRecords.read(context, reachable(idsOf(loaded), get).values(), 'verify', options);
  return { get, isSound: (entry) => sound.has(entry) };
}

async function allEncodings(
  context: StoreContext,
  loaded: LoadedManifest,
  options: OperationOptions,
): Promise<Encodings> {
  const index = new RepairIndex(context, await Inventory.take(context.storage), options);
  // Nothing is written that could go on naming what others remove.
  await index.read([loaded], new Set(), new Set());
  return { get: (id) => index.get(id), isSound: (entry) => index.isSound(entry) };
}

function withoutLost(
  loaded: LoadedManifest,
  { tensors, files }: LostParts,
): Pick<Rescued, 'sound' | 'tensorsOnly'> {
  const { layout, content } = loaded;
  const lostFiles = new Set(files);
  const lostTensors = new Set(tensors);
  const kept = [...layout.files.keys()].filter((at) => !lostFiles.has(content.files[at].path));
  const keptFiles = kept.map((at) => layout.files[at]);
  const inFiles = new Set(
    keptFiles.flatMap(({ pieces }) =>
      pieces.flatMap((piece) => (piece.kind === 'stream' ? [piece.stream] : [])),
    ),
  );
  const whole = layout.tensors.filter(({ name }) => !lostTensors.has(name));
  const alone = whole.filter(({ boxes }) => !boxes.every(({ stream }) => inFiles.has(stream)));
  return {
    sound: {
      ...loaded,
      layout: { ...layout, tensors: whole, files: keptFiles },
      content: { ...content, files: kept.map((at) => content.files[at]) },
    },
    tensorsOnly: { ...loaded, layout: { ...layout, tensors: alone } },
  };
}
