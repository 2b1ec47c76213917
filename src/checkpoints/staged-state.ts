/**
 * States in memory while they are saved, cut into chunks. A chunk that has not changed since the state before is not copied:
 * both share it. The latest state stays, so that the next save is encoded against it without reading the store. All memory is
 * shared with the threads that encode it.
 */
import { copyBytes } from '../compute/index.js';
import type { ChunkBuffer } from '../packs/index.js';
import { chunkBytesOf, type SavePlan, type StagedChunks } from './plan.js';

/** The chunks of a state that is being saved; to be released once it is. */
interface StagingOfState extends StagedChunks {
  release(): void;
}

/** The chunks of a state by the key of the stream, or what is left of them. */
type Chunks = ReadonlyMap<string, (ChunkBuffer | undefined)[]>;

/** Buffers that stay even where nothing is kept: as many as are staged at once by a synchronous save. */
const FREE_BYTES_MIN = 16 * 2 ** 20;

/** The memory of one run's states. Buffers are used again: memory that was never touched is slow to fill. */
export class StagingMemory {
  private readonly bytesMax: number;
  /** By length. */
  private readonly free = new Map<number, Uint8Array[]>();
  private freeBytes = 0;
  /** How many states each chunk belongs to. */
  private readonly owners = new Map<ChunkBuffer, number>();
  private latest: Chunks = new Map();

  /** `bytesMax`: how much of the latest state to keep between saves, and of buffers for the next one. */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Copies the plan's streams, so that their sources may change from now on. The staging before must have been released. */
  stage(plan: SavePlan, chunkElements: number): StagingOfState {
    const staging = this.stageLazily(plan, chunkElements);
    for (const [stream, { size }] of plan.sources.entries()) {
      const chunkBytes = chunkBytesOf(plan.layout.streams[stream], chunkElements) ?? size;
      for (let index = 0; index * chunkBytes < size; index++) staging.chunk(stream, index);
    }
    return { ...staging, done: () => {} };
  }

  /**
   * Copies each chunk when it is asked for, and lets go of what is no longer needed as soon as it is done: the sources must
   * stay as they are until the end.
   */
  stageLazily(plan: SavePlan, chunkElements: number): StagingOfState {
    const previous = this.latest;
    const keys = plan.layout.streams.map(({ key }) => key);
    const streams: Chunks = new Map(keys.map((key) => [key, []]));
    this.latest = streams;
    let kept = 0;
    const find = (stream: number, index: number): Uint8Array[] | undefined => {
      const [source, size] = [plan.sources[stream], chunkBytesOf(plan.layout.streams[stream], chunkElements)];
      if (size === undefined || index * size >= source.size) return undefined;
      const parts = source.parts(index * size, Math.min(size, source.size - index * size));
      return parts.filter((part) => part instanceof Uint8Array);
    };
    const chunk = (stream: number, index: number): ChunkBuffer | undefined => {
      const [parts, chunks] = [find(stream, index), streams.get(keys[stream])];
      if (parts === undefined || chunks === undefined) return undefined;
      const there = chunks[index];
      if (there !== undefined && there.bytes.length > 0) return there;
      if (there !== undefined) this.disown(there);
      const staged = this.stageChunk(parts, previous.get(keys[stream])?.at(index));
      this.owners.set(staged, (this.owners.get(staged) ?? 0) + 1);
      chunks[index] = staged;
      return staged;
    };
    const unstaged = (stream: number, index: number): Uint8Array | undefined => {
      const [there, before] = [streams, previous].map((state) => state.get(keys[stream])?.at(index));
      if ((there ?? before)?.bytes.length) return undefined;
      const parts = find(stream, index);
      return parts?.length === 1 ? parts[0] : parts && Buffer.concat(parts);
    };
    const done = (stream: number, index: number): void => {
      const before = previous.get(keys[stream]);
      const replaced = before?.at(index);
      if (before !== undefined && replaced !== undefined) {
        before[index] = undefined;
        this.disown(replaced);
      }
      const stored = streams.get(keys[stream])?.at(index);
      if (stored === undefined) return;
      if (kept + stored.bytes.length > this.bytesMax) this.reclaim(stored);
      kept += stored.bytes.length;
    };
    const release = (): void => {
      for (const left of [...previous.values()].flat()) if (left !== undefined) this.disown(left);
      this.trim();
    };
    return {
      chunk,
      unstaged,
      previous: (stream, index) => previous.get(keys[stream])?.at(index),
      done,
      release,
    };
  }

  private stageChunk(parts: readonly Uint8Array[], before: ChunkBuffer | undefined): ChunkBuffer {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (before?.bytes.length === length && isSame(parts, before.bytes)) return before;
    const bytes = this.take(length);
    let done = 0;
    for (const part of parts) {
      copyBytes(bytes.subarray(done), part);
      done += part.length;
    }
    return { bytes };
  }

  private take(length: number): Uint8Array {
    const bytes = this.free.get(length)?.pop();
    if (bytes === undefined) return new Uint8Array(new SharedArrayBuffer(length));
    this.freeBytes -= length;
    return bytes;
  }

  private disown(chunk: ChunkBuffer): void {
    const owners = (this.owners.get(chunk) ?? 0) - 1;
    if (owners > 0) {
      this.owners.set(chunk, owners);
      return;
    }
    this.owners.delete(chunk);
    this.reclaim(chunk);
  }

  /** Takes the memory of a chunk for other ones. */
  private reclaim(chunk: ChunkBuffer): void {
    const { bytes } = chunk;
    chunk.bytes = new Uint8Array(0);
    if (bytes.length === 0) return;
    const buffers = this.free.get(bytes.length);
    if (buffers === undefined) this.free.set(bytes.length, [bytes]);
    else buffers.push(bytes);
    this.freeBytes += bytes.length;
  }

  /** Drops what is more than may be kept between saves: of the latest state, then of buffers that no state of its size needs. */
  private trim(): void {
    let kept = 0;
    for (const chunk of [...this.latest.values()].flat()) {
      if (chunk === undefined) continue;
      if (kept + chunk.bytes.length > this.bytesMax) chunk.bytes = new Uint8Array(0);
      kept += chunk.bytes.length;
    }
    for (const [length, buffers] of this.free) {
      while (buffers.length > 0 && this.freeBytes > Math.max(kept, FREE_BYTES_MIN)) {
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
