/** Finds out what of a damaged checkpoint can be restored, by reading all that it needs. */
import {
  type LoadedManifest,
  type LostParts,
  loadManifest,
  type OperationOptions,
  readIndexSource,
  type StoreContext,
} from '../checkpoints/index.js';
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import { ChunkIndex } from '../packs/index.js';
import { asDamage } from './damage-log.js';
import { lostChunks, lostParts } from './lost-parts.js';
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

/** Reads a checkpoint as far as it can be read. Where damage hides what it consists of, that is thrown. */
export async function rescueCheckpoint(
  context: StoreContext,
  manifest: string,
  options: OperationOptions,
): Promise<Rescued> {
  const loaded = await loadManifest(context, manifest);
  const index = new ChunkIndex();
  const segments: string[] = [];
  for (const name of loaded.manifest.segments) {
    const entries = await readSegment(context, name);
    if (entries === undefined) continue;
    index.add(name, entries);
    segments.push(name);
  }
  const needed = reachable(
    loaded.content.streams.flatMap(({ ids }) => ids),
    (id) => index.get(id),
  );
  const sound = await SoundRecords.read(context, needed.values(), 'verify', options);
  const isLost = lostChunks(
    (id) => index.get(id),
    (entry) => sound.has(entry),
  );
  const lost = lostParts(context, loaded, isLost);
  const all = { ...loaded, manifest: { ...loaded.manifest, segments } };
  return { all, ...withoutLost(all, lost), lost };
}

/** Reads what resolves a manifest's chunks; undefined if it is damaged. */
export async function readSegment(context: StoreContext, source: string): Promise<ChunkEntry[] | undefined> {
  try {
    return [...(await readIndexSource(context, source))];
  } catch (error) {
    asDamage(error);
    return undefined;
  }
}

/** Returns the encodings of chunks and of all that decoding them reads, as far as they are on record. */
export function reachable(
  ids: Iterable<ChunkId>,
  get: (id: ChunkId) => ChunkEntry | undefined,
): Map<ChunkId, ChunkEntry> {
  const found = new Map<ChunkId, ChunkEntry>();
  const open = [...ids];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const entry = get(id);
    if (entry === undefined || found.has(id)) continue;
    found.set(id, entry);
    open.push(...entry.references);
  }
  return found;
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
