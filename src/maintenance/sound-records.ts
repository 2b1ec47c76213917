/** Reads encodings and tells those that decode to what their ids say from those that do not. */
import type { OperationOptions, StoreContext } from '../checkpoints/index.js';
import type { ChunkEntry } from '../format/index.js';
import { RecordCheck } from './record-check.js';

const ALL_PERCENT = 100;

export class SoundRecords {
  private readonly claims: ReadonlySet<string>;
  private readonly faults: ReadonlySet<string>;

  private constructor(claims: ReadonlySet<string>, faults: ReadonlySet<string>) {
    this.claims = claims;
    this.faults = faults;
  }

  /** Reads all records of the entries, each once; those whose bases cannot be had are compared with their checksums. */
  static async read(
    context: StoreContext,
    entries: Iterable<ChunkEntry>,
    phase: string,
    { signal, onProgress }: OperationOptions,
  ): Promise<SoundRecords> {
    const needed = new Map<string, ChunkEntry>();
    for (const entry of entries) needed.set(claimOf(entry), entry);
    const faults = new Set<string>();
    let bytesRead = 0;
    const check = new RecordCheck(
      context,
      { records: () => needed.values() },
      {
        percent: ALL_PERCENT,
        signal,
        onRecord: (_, decoded) => {
          bytesRead += decoded;
          onProgress?.({ phase, bytesRead, bytesStored: 0, bytesTotal: check.decodedBytes });
        },
        onFault: (entry) => faults.add(claimOf(entry)),
      },
    );
    await check.run();
    return new SoundRecords(new Set(needed.keys()), faults);
  }

  /** Records that were read, and those among them that are damaged. */
  get counts(): { records: number; damagedRecords: number } {
    return { records: this.claims.size, damagedRecords: this.faults.size };
  }

  /** Returns whether a record was read and is sound. */
  has(entry: ChunkEntry): boolean {
    const claim = claimOf(entry);
    return this.claims.has(claim) && !this.faults.has(claim);
  }
}

/** Names what an index says of a record: after packs were swapped, two may say different things of one place. */
export function claimOf({ id, pack, offset, length, checksum }: ChunkEntry): string {
  return `${pack} ${offset} ${length} ${checksum} ${id}`;
}
