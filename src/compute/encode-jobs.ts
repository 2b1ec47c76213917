/**
 * Encoding chunks as plain data. The members of a job may be predicted from one another: one job holds what an optimizer ties
 * together, so that siblings are still in the cache and bases that they share are decoded once.
 */
import type { Level, Prediction, Rule } from '../codec/index.js';
import { isThetalogError } from '../errors.js';
import type { ChunkId } from '../hash/index.js';
import type { DType } from '../tensor/index.js';
import {
  type ChunkTools,
  DecodedChunks,
  type KnownChunk,
  placeForRecords,
  placeRaw,
  type StoredRecord,
} from './chunk-jobs.js';
import { copyBytes } from './copy-bytes.js';
import type { RawBytes } from './file-parts.js';
import { type PlainError, toPlainError } from './plain-error.js';

/** A chunk in the store that may be read. */
export interface BaseChunk {
  readonly id: ChunkId;
  readonly height: number;
}

/** What a prediction reads: a chunk in the store, or the member of the job with this number, which comes before. */
export type EncodeInput = BaseChunk | { readonly member: number };

export interface PossiblePrediction {
  readonly rule: Rule;
  readonly inputs: readonly EncodeInput[];
}

export interface EncodeMember {
  readonly raw: RawBytes;
  /** Bytes. */
  readonly length: number;
  readonly dtype: DType;
  /** If it is known already. */
  readonly id?: ChunkId;
  /** The same chunk of the base: one that is equal to it is not encoded. */
  readonly base?: BaseChunk;
  readonly predictions: readonly PossiblePrediction[];
}

export interface EncodeJob {
  readonly kind: 'encode';
  readonly members: readonly EncodeMember[];
  /** What decoding the inputs takes. */
  readonly records: readonly StoredRecord[];
  /** Chunks in memory or files; each is compared with its id before it is used. */
  readonly known: readonly KnownChunk[];
  /** Longest chain to make: what reads one as long is passed over. */
  readonly maxHeight: number;
  readonly level: Level;
  /** Shared memory that records are put into, one after the other: as many bytes as the members have, and one more for each. */
  readonly output: Uint8Array;
  /** Only find out whether all members are equal to their bases: there are no records. */
  readonly probe: boolean;
}

export interface EncodedMember {
  readonly id: ChunkId;
  /** Absent if the chunk is the base's, or was not looked at further. */
  readonly encoded?: EncodedRecord;
}

export interface EncodedRecord {
  /** In the output of the job. */
  readonly record: Uint8Array;
  /** Low 32 bits of the record's XXH64. */
  readonly checksum: number;
  /** Which of the predictions it is; absent for none. */
  readonly prediction?: number;
  /** In the store, at most: lower where a member that it reads is there already. */
  readonly height: number;
  /** Time that it took, for people. */
  readonly milliseconds: number;
}

export interface EncodeResult {
  readonly members: readonly EncodedMember[];
  /** What is wrong with inputs that could not be used. */
  readonly damage: readonly PlainError[];
}

/** Encodes the members of a job in order. */
export function encodeChunks(tools: ChunkTools, job: EncodeJob): EncodeResult {
  const raws = job.members.map(({ raw, length }) => placeRaw(tools.kernels, raw, length));
  const ids = job.members.map(({ id }, index) => id ?? tools.hasher.chunkId(raws[index]));
  const isNew = (index: number) => ids[index] !== job.members[index].base?.id;
  if (job.probe && ids.some((_, index) => isNew(index))) {
    return { members: ids.map((id) => ({ id })), damage: [] };
  }
  const encoder = new MemberEncoder(tools, job, raws);
  const members = ids.map((id, index) => (isNew(index) ? { id, encoded: encoder.encode(index) } : { id }));
  return { members, damage: encoder.damage };
}

class MemberEncoder {
  readonly damage: PlainError[] = [];
  private readonly tools: ChunkTools;
  private readonly job: EncodeJob;
  private readonly raws: readonly Uint8Array[];
  private readonly decoded: DecodedChunks;
  /** What is left of the output. */
  private output: Uint8Array;
  /** Where kernels put a record in place, if there is room. */
  private readonly place: Uint8Array | undefined;
  /** Of the members, in the store. */
  private readonly heights: number[];

  constructor(tools: ChunkTools, job: EncodeJob, raws: readonly Uint8Array[]) {
    this.tools = tools;
    this.job = job;
    this.raws = raws;
    this.output = job.output;
    this.place = placeForRecords(tools.kernels, Math.max(...raws.map(({ length }) => length)));
    this.decoded = new DecodedChunks(tools, job.records, true);
    for (const known of job.known) this.decoded.offer(known);
    this.heights = job.members.map(({ base }) => base?.height ?? 0);
  }

  encode(index: number): EncodedRecord {
    const { codec, hasher, now } = this.tools;
    const { dtype, predictions } = this.job.members[index];
    const started = now();
    const numbers = new Map<Prediction, number>();
    for (const [number, possible] of predictions.entries()) {
      const prediction = this.read(possible);
      if (prediction !== undefined) numbers.set(prediction, number);
    }
    const { record, prediction } = codec.encode(
      this.raws[index],
      dtype,
      [...numbers.keys()],
      this.job.level,
      this.place,
    );
    const number = prediction === undefined ? undefined : numbers.get(prediction);
    const inputs = number === undefined ? [] : predictions[number].inputs;
    const height = inputs.length === 0 ? 0 : 1 + Math.max(...inputs.map((input) => this.heightOf(input)));
    this.heights[index] = height;
    const checksum = Number(hasher.checksum(record) & 0xffffffffn);
    const milliseconds = now() - started;
    return {
      record: this.put(record),
      checksum,
      height,
      milliseconds,
      ...(number !== undefined && { prediction: number }),
    };
  }

  /** Returns the prediction if its inputs are low enough and sound. Old damage must not keep anyone from saving anew. */
  private read({ rule, inputs }: PossiblePrediction): Prediction | undefined {
    if (inputs.some((input) => this.heightOf(input) >= this.job.maxHeight)) return undefined;
    try {
      const bytes = inputs.map((input) =>
        'member' in input ? this.raws[input.member] : this.decoded.get(input.id),
      );
      return { rule, inputs: bytes };
    } catch (error) {
      if (!isThetalogError(error, 'corrupt')) throw error;
      this.damage.push(toPlainError(error));
      return undefined;
    }
  }

  private put(record: Uint8Array): Uint8Array {
    const placed = copyBytes(this.output, record);
    this.output = this.output.subarray(record.length);
    return placed;
  }

  private heightOf(input: EncodeInput): number {
    return 'member' in input ? this.heights[input.member] : input.height;
  }
}
