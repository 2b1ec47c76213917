/**
 * A storage that measures what a store would take: metadata stays in memory, packs are counted and forgotten but for their footers and
 * the front of each checkpoint's first pack, from which restoring is timed.
 */
import { decodePackTrailer, PACK_TRAILER_BYTES } from '../format/index.js';
import { MemoryStorage } from '../storage/index.js';

/** Kept of a checkpoint's first pack. */
const FRONT_BYTES = 8 * 2 ** 20;
const PACKS = 'packs/';

/** What is left of a pack: its front, and everything from the footer on. */
interface KeptPack {
  front: Uint8Array;
  footerOffset: number;
  footer: Uint8Array;
}

export class EstimateStorage extends MemoryStorage {
  private readonly packs = new Map<string, KeptPack>();
  private isFirstPack = true;

  /** Says that what comes now is another checkpoint. */
  beginCheckpoint(): void {
    this.isFirstPack = true;
  }

  /** Returns whether bytes of a pack can still be read. */
  holds(key: string, offset: number, length: number): boolean {
    return offset + length <= (this.packs.get(key)?.front.length ?? 0);
  }

  /** Forgets the fronts of all other packs. */
  keepFronts(keys: ReadonlySet<string>): void {
    for (const [key, pack] of this.packs) if (!keys.has(key)) pack.front = new Uint8Array(0);
  }

  override async putIfAbsent(key: string, parts: readonly Uint8Array[]): Promise<boolean> {
    if (!key.startsWith(PACKS)) return super.putIfAbsent(key, parts);
    if (this.packs.has(key)) return false;
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    const trailer = slice(parts, bytes - PACK_TRAILER_BYTES, bytes);
    const { offset: footerOffset } = decodePackTrailer(trailer, bytes, key);
    const front = slice(parts, 0, this.isFirstPack ? Math.min(bytes, FRONT_BYTES) : 0);
    this.isFirstPack = false;
    this.packs.set(key, { front, footerOffset, footer: slice(parts, footerOffset, bytes) });
    return true;
  }

  override async get(
    key: string,
    range?: { offset: number; length: number },
  ): Promise<Uint8Array | undefined> {
    const pack = this.packs.get(key);
    if (pack === undefined) return super.get(key, range);
    if (range === undefined) return undefined;
    const end = range.offset + range.length;
    if (end <= pack.front.length) return pack.front.slice(range.offset, end);
    const start = range.offset - pack.footerOffset;
    return start < 0 ? undefined : pack.footer.slice(start, start + range.length);
  }
}

/** Returns a copy of the bytes `[start, end)` of the parts one after another. */
function slice(parts: readonly Uint8Array[], start: number, end: number): Uint8Array {
  const bytes = new Uint8Array(end - start);
  let offset = 0;
  for (const part of parts) {
    const from = Math.max(0, start - offset);
    const until = Math.min(part.length, end - offset);
    if (from < until) bytes.set(part.subarray(from, until), offset + from - start);
    offset += part.length;
  }
  return bytes;
}
