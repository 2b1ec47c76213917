/** The encoded records that live checkpoints need, pack by pack. */
import type { ChunkEntry } from '../format/index.js';

export class NeededRecords {
  /** Pack name to offset to record; segments may list one record several times. */
  private readonly packs = new Map<string, Map<number, ChunkEntry>>();
  /** Records, each counted once. */
  size = 0;

  add(entry: ChunkEntry): void {
    const pack = this.packs.get(entry.pack) ?? new Map<number, ChunkEntry>();
    this.packs.set(entry.pack, pack);
    if (pack.has(entry.offset)) return;
    pack.set(entry.offset, entry);
    this.size += 1;
  }

  /** Returns the record that lies where the given one lies, if it is needed. */
  get(entry: ChunkEntry): ChunkEntry | undefined {
    return this.packs.get(entry.pack)?.get(entry.offset);
  }

  /** Returns the names of the packs that hold the records. */
  packNames(): string[] {
    return [...this.packs.keys()];
  }

  /** Yields the records of one pack, or of all. */
  *records(pack?: string): Generator<ChunkEntry> {
    const packs = pack === undefined ? [...this.packs.values()] : [this.packs.get(pack) ?? new Map()];
    for (const records of packs) yield* records.values();
  }

  /** Returns the encoded bytes of the records of one pack, or of all. */
  bytes(pack?: string): number {
    let sum = 0;
    for (const record of this.records(pack)) sum += record.length;
    return sum;
  }
}
