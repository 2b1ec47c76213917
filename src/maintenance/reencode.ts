/** Encodes the versions of chunks on one another instead of on ghosts, if that saves bytes. */
import { type Codec, fromBase } from '../codec/index.js';
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type { ChunkReader, PackedChunk } from '../packs/index.js';
import { ghostsBelow, type Lineage } from './compact-plan.js';

/**
 * Returns new encodings for the versions of a group of lineages that read ghosts, or none if those would take more bytes than
 * the ones they replace together with the ghosts that they free. No version gets higher than it was.
 */
export async function reencodeGroup(
  codec: Codec,
  reader: ChunkReader,
  encodings: { get(id: ChunkId): ChunkEntry | undefined },
  group: readonly Lineage[],
  content: ReadonlySet<ChunkId>,
  freed: readonly ChunkId[],
): Promise<PackedChunk[]> {
  const lookUp = { get: (id: ChunkId) => encodings.get(id) } as ReadonlyMap<ChunkId, ChunkEntry>;
  const records = new Map<ChunkId, PackedChunk>();
  let bytesBefore = freed.reduce((sum, ghost) => sum + (encodings.get(ghost)?.length ?? 0), 0);
  let bytesAfter = 0;
  const versions = group.flatMap(({ dtype, versions: all }) => all.map((version) => ({ ...version, dtype })));
  for (const { id, predecessor, dtype } of versions) {
    const entry = encodings.get(id);
    if (entry === undefined || ghostsBelow(id, lookUp, content).size === 0) continue;
    const base =
      predecessor === undefined ? undefined : (records.get(predecessor) ?? encodings.get(predecessor));
    const usable = base !== undefined && base.height < entry.height ? base : undefined;
    const raw = await reader.read(id);
    const baseBytes = usable === undefined ? undefined : await reader.read(usable.id);
    const { record, prediction } = codec.encode(raw, dtype, fromBase(baseBytes), 'max');
    const reads = prediction !== undefined && usable !== undefined;
    records.set(id, {
      id,
      record,
      rawLength: raw.length,
      height: reads ? usable.height + 1 : 0,
      references: reads ? [usable.id] : [],
    });
    bytesBefore += entry.length;
    bytesAfter += record.length;
  }
  return bytesAfter < bytesBefore ? [...records.values()] : [];
}
