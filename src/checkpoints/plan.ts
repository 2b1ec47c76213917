/** What is to be saved: the layout of a checkpoint and where the bytes of its streams come from. */
import { CONTENT_CHUNK_MAX, nextContentChunk } from '../codec/index.js';
import type { ComputePool } from '../compute/index.js';
import {
  type FileContent,
  type Layout,
  limits,
  type OptimizerSettings,
  type StreamLayout,
} from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type { Kernels } from '../kernels/index.js';
import type { ChunkBuffer } from '../packs/index.js';
import { type DType, dtypeInfo, type Group } from '../tensor/index.js';
import type { SourceBytes } from './source-files.js';
import type { Warning } from './types.js';

/** Bytes where they are: in memory, or in a file that is opened when it is needed. */
export type SourcePart = Uint8Array | { file: SourceBytes; offset: number; length: number };

/** The bytes of a stream, wherever they are. */
export interface ByteSource {
  /** Bytes. */
  readonly size: number;
  /** Returns where the bytes `[offset, offset + length)` are, in order. */
  parts(offset: number, length: number): SourcePart[];
}

/** Progress that was found in what is saved. */
export interface FoundProgress {
  step: number | null;
  epoch: number | null;
  metrics: Record<string, number>;
}

export interface SavePlan {
  kind: 'files' | 'state';
  layout: Layout;
  /** In the order of the layout's streams. */
  sources: ByteSource[];
  /** The chunks of streams that are staged in memory, and what is left of those of the state before. */
  staged?: StagedChunks;
  /** Returns where in files a chunk of the base lies, too: to read it there takes less than to decode it. */
  baseParts?(id: ChunkId): SourcePart[] | undefined;
  /** Digests the files; may be begun before anything else is read. */
  files(compute: ComputePool, signal: AbortSignal | undefined): Promise<FileContent[]>;
  /** Throws `conflict` if a file is no longer the one that was opened; to be called when all is read. */
  assertUnchanged(): Promise<void>;
  directories: string[];
  /** Settings of the optimizers' parameter groups, as far as they are known. */
  settings: OptimizerSettings[];
  /** Streams that predict one another. */
  families: Family[];
  groups: Group[];
  progress: FoundProgress;
  logicalBytes: number;
  warnings: Warning[];
  /** Releases what the plan holds open. */
  close(): Promise<void>;
}

/** Returns how much there is to be read, for progress: of unpacked files that is what they contain. */
export function bytesToRead({ logicalBytes, sources }: SavePlan): number {
  return Math.max(
    logicalBytes,
    sources.reduce((sum, { size }) => sum + size, 0),
  );
}

/** Chunks in memory that stay the same while they are saved, by stream and position. */
export interface StagedChunks {
  chunk(stream: number, index: number): ChunkBuffer | undefined;
  /** The bytes of a chunk where the caller has them; undefined where it is staged, or compared with bytes when it will be. */
  unstaged(stream: number, index: number): Uint8Array | undefined;
  /** The chunk in the same place of the state that was saved before. */
  previous(stream: number, index: number): ChunkBuffer | undefined;
  /** Says that a chunk is stored: neither it nor the one in its place before is read again. */
  done(stream: number, index: number): void;
}

/** The streams of a set of parameters and of what an optimizer keeps of each: their elements correspond one by one. */
export interface Family {
  /**
   * By role: `weights`; the optimizer's names of its slots (`exp_avg`, `momentum_buffer`, …); `copy`, `copy1`, … for the
   * weights in other types, `average`, … for their moving averages.
   */
  streams: Partial<Record<string, number>>;
  /** Which of the plan's settings hold for them. */
  settings: number;
  /** Optimizer steps taken; null if unknown. */
  step: number | null;
}

/** A range of elements to be stored: a tensor's storage, wherever it comes from. */
export interface PlannedRange {
  /** Position of its file among those of the checkpoint; keys are unique only inside a file. */
  file: number;
  key: string;
  group: Group;
  dtype: DType;
  source: ByteSource;
  /** Which small ranges it is packed with, and in which order; default: its group and dtype, in order of keys. */
  pack?: { name: string; order: string };
}

/** Where a range ended up. */
export interface Placement {
  stream: number;
  byteOffset: number;
}

/**
 * Tensors of fewer elements share streams: a chunk of their own would cost more in metadata than it holds. Counted in
 * elements, so that weights, moments and copies in other types agree. Not larger: what is inserted moves all that follow.
 */
const PACKED_ELEMENTS_MAX = 1024;
/** Byte streams up to this size are cut at fixed places and compressed against their parent. */
const FIXED_BYTES_MAX = 4 * 2 ** 20;

/** Collects the streams of a plan. */
export class StreamPlanner {
  readonly streams: StreamLayout[] = [];
  readonly sources: ByteSource[] = [];
  private readonly keys = new Map<string, number>();

  /** Adds ranges: large ones as streams of their own, small ones packed per group and dtype in order of their keys. */
  addRanges(ranges: readonly PlannedRange[]): Placement[] {
    const placements = new Map<PlannedRange, Placement>();
    const packs = new Map<string, PlannedRange[]>();
    for (const range of ranges) {
      if (!isPacked(range)) {
        placements.set(range, {
          stream: this.add(range.key, range.dtype, 'grid', range.source),
          byteOffset: 0,
        });
      } else {
        const pack = packOf(range);
        const members = packs.get(pack) ?? [];
        packs.set(pack, members);
        members.push(range);
      }
    }
    for (const [pack, members] of packs) {
      members.sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : orderOf(a) > orderOf(b) ? 1 : 0));
      const stream = this.add(
        `#${pack}`,
        members[0].dtype,
        'grid',
        concatenate(members.map((range) => range.source)),
      );
      let byteOffset = 0;
      for (const range of members) {
        placements.set(range, { stream, byteOffset });
        byteOffset += range.source.size;
      }
    }
    return ranges.map((range) => placements.get(range) ?? { stream: 0, byteOffset: 0 });
  }

  /** Adds a stream of bytes. */
  addBytes(key: string, source: ByteSource): number {
    return this.add(key, 'bytes', source.size <= FIXED_BYTES_MAX ? 'bytes' : 'content', source);
  }

  private add(key: string, dtype: DType, chunking: StreamLayout['chunking'], source: ByteSource): number {
    const count = (this.keys.get(key) ?? 0) + 1;
    this.keys.set(key, count);
    const unique = count === 1 ? key : `${key}#${count}`;
    this.streams.push({ key: unique, dtype, chunking, elements: source.size / dtypeInfo(dtype).bytes });
    this.sources.push(source);
    return this.streams.length - 1;
  }
}

/** Returns whether a range shares a stream with others. */
export function isPacked(range: PlannedRange): boolean {
  return range.source.size < PACKED_ELEMENTS_MAX * dtypeInfo(range.dtype).bytes;
}

function packOf(range: PlannedRange): string {
  return `${range.group}/${range.dtype}${range.pack === undefined ? '' : `/${range.pack.name}`}`;
}

function orderOf(range: PlannedRange): string {
  return range.pack?.order ?? range.key;
}

/** Returns the bytes that each chunk of a stream has but for the last; undefined where the content says. */
export function chunkBytesOf(stream: StreamLayout, chunkElements: number): number | undefined {
  if (stream.chunking === 'content') return undefined;
  return stream.chunking === 'bytes'
    ? limits.BYTE_CHUNK_BYTES
    : chunkElements * dtypeInfo(stream.dtype).bytes;
}

/** Bytes read at a time while looking for content-defined boundaries. */
const WINDOW_BYTES = 4 * 2 ** 20;

/** Yields the chunks of a stream that is cut where its content says, each in a buffer of its own. */
export async function* contentChunks(source: ByteSource, kernels: Kernels): AsyncGenerator<Uint8Array> {
  let offset = 0;
  while (offset < source.size) {
    const window = await readSource(source, offset, Math.min(WINDOW_BYTES, source.size - offset));
    const isLast = offset + window.length === source.size;
    let start = 0;
    while (start < window.length && (isLast || window.length - start >= CONTENT_CHUNK_MAX)) {
      const length = nextContentChunk(kernels, window.subarray(start));
      yield window.slice(start, start + length);
      start += length;
    }
    offset += start;
  }
}

/** Returns a copy of bytes of a source. */
export async function readSource(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  for (const part of source.parts(offset, length)) {
    bytes.set(part instanceof Uint8Array ? part : await part.file.read(part.offset, part.length), done);
    done += part.length;
  }
  return bytes;
}

/** Returns the sources one after another as one. */
export function concatenate(sources: readonly ByteSource[]): ByteSource {
  const ends: number[] = [];
  let size = 0;
  for (const source of sources) {
    size += source.size;
    ends.push(size);
  }
  const parts = (offset: number, length: number): SourcePart[] => {
    const found: SourcePart[] = [];
    let done = 0;
    for (let index = firstEndingAfter(ends, offset); done < length; index++) {
      const source = sources[index];
      const start = offset + done - (ends[index] - source.size);
      const taken = Math.min(length - done, source.size - start);
      found.push(...source.parts(start, taken));
      done += taken;
    }
    return found;
  };
  return { size, parts };
}

/** Returns the index of the first end beyond `offset`. */
function firstEndingAfter(ends: readonly number[], offset: number): number {
  let low = 0;
  let high = ends.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ends[middle] > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Returns bytes in memory as a source. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, parts: (offset, length) => [bytes.subarray(offset, offset + length)] };
}
