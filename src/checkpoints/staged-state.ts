/**
 * States in memory while they are saved, cut into chunks. A chunk that has not changed since the state before is not copied:
 * both share it. The latest state stays, so that the next save is encoded against it without reading the store.
 */
import type { ChunkBuffer } from '../packs/index.js';
import { type ByteSource, chunkBytesOf, type SavePlan, type StagedChunks } from './plan.js';

/** A state, or what is left of it. */
interface Staged {
  /** By the key of the stream. */
  readonly streams: ReadonlyMap<string, readonly ChunkBuffer[]>;
  /** The save that stores it, the one after that, and being the latest. */
  uses: number;
}

/** The memory of one run's states. Buffers are used again: memory that was never touched is slow to fill. */
export class StagingMemory {
  private readonly bytesMax: number;
  /** By length. */
  private readonly free = new Map<number, Uint8Array[]>();
  private freeBytes = 0;
  /** How many states each chunk belongs to. */
  private readonly owners = new Map<ChunkBuffer, number>();
  private latest: Staged = { streams: new Map(), uses: 1 };

  /** `bytesMax`: how much of the latest state to keep between saves, and of buffers for the next one. */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Copies the plan's streams, so that their sources may change from now on; hands them back by `release`. */
  stage(plan: SavePlan, chunkElements: number): StagedChunks & { release(): void } {
    const previous = this.latest;
    const streams = new Map<string, ChunkBuffer[]>();
    for (const [at, stream] of plan.layout.streams.entries()) {
      const size = chunkBytesOf(stream, chunkElements);
      const before = previous.streams.get(stream.key) ?? [];
      streams.set(stream.key, size === undefined ? [] : this.stageStream(plan.sources[at], size, before));
    }
    const state: Staged = { streams, uses: 2 };
    this.latest = state;
    const keys = plan.layout.streams.map(({ key }) => key);
    return {
      chunk: (stream, index) => streams.get(keys[stream])?.at(index),
      previous: (stream, index) => previous.streams.get(keys[stream])?.at(index),
      release: () => {
        this.letGo(state);
        this.letGo(previous);
        this.trim();
      },
    };
  }

  private stageStream(source: ByteSource, size: number, before: readonly ChunkBuffer[]): ChunkBuffer[] {
    const chunks: ChunkBuffer[] = [];
    for (let offset = 0; offset < source.size; offset += size) {
      const chunk = this.stageChunk(
        source,
        offset,
        Math.min(size, source.size - offset),
        before[chunks.length],
      );
      this.owners.set(chunk, (this.owners.get(chunk) ?? 0) + 1);
      chunks.push(chunk);
    }
    return chunks;
  }

  private stageChunk(
    source: ByteSource,
    offset: number,
    length: number,
    before: ChunkBuffer | undefined,
  ): ChunkBuffer {
    const parts = source.parts(offset, length).filter((part) => part instanceof Uint8Array);
    if (before?.bytes.length === length && isSame(parts, before.bytes)) return before;
    const bytes = this.take(length);
    let done = 0;
    for (const part of parts) {
      bytes.set(part, done);
      done += part.length;
    }
    return { bytes };
  }

  private take(length: number): Uint8Array {
    const bytes = this.free.get(length)?.pop();
    if (bytes === undefined) return new Uint8Array(length);
    this.freeBytes -= length;
    return bytes;
  }

  private letGo(state: Staged): void {
    state.uses -= 1;
    if (state.uses > 0) return;
    for (const chunk of [...state.streams.values()].flat()) this.disown(chunk);
  }

  private disown(chunk: ChunkBuffer): void {
    const owners = (this.owners.get(chunk) ?? 0) - 1;
    if (owners > 0) {
      this.owners.set(chunk, owners);
      return;
    }
    this.owners.delete(chunk);
    const { length } = chunk.bytes;
    if (length === 0) return;
    const buffers = this.free.get(length);
    if (buffers === undefined) this.free.set(length, [chunk.bytes]);
    else buffers.push(chunk.bytes);
    this.freeBytes += length;
    chunk.bytes = new Uint8Array(0);
  }

  /** Between saves, drops what is more than may be kept: of the latest state, then of buffers that no state of its size needs. */
  private trim(): void {
    if (this.latest.uses > 1) return;
    let kept = 0;
    for (const chunk of [...this.latest.streams.values()].flat()) {
      if (kept + chunk.bytes.length > this.bytesMax) chunk.bytes = new Uint8Array(0);
      kept += chunk.bytes.length;
    }
    for (const [length, buffers] of this.free) {
      while (buffers.length > 0 && this.freeBytes > kept) {
        buffers.pop();
        this.freeBytes -= length;
      }
    }
  }
}

function isSame(parts: readonly Uint8Array[], bytes: Uint8Array): boolean {
  let done = 0;
  for (const part of parts) {
    if (Buffer.compare(part, bytes.subarray(done, done + part.length)) !== 0) return false;
    done += part.length;
  }
  return true;
}
