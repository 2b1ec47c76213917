/** Stores chunks: encodes groups of them against their bases, many at once, and appends the new ones to packs in order. */
import type { Rule } from '../codec/index.js';
import {
  type BaseChunk,
  type ComputePool,
  type EncodedRecord,
  type EncodeInput,
  type EncodeJob,
  type EncodeMember,
  type EncodeResult,
  type FilePart,
  fromPlainError,
  type KnownChunk,
  type PossiblePrediction,
  type RawBytes,
  type StoredRecord,
} from '../compute/index.js';
import { isThetalogError, type ThetalogError } from '../errors.js';
import { type ChunkEntry, limits } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type { Storage } from '../storage/index.js';
import type { DType } from '../tensor/index.js';
import type { ChunkIndex } from './chunk-index.js';
import type { PackWriter } from './pack-writer.js';
import { encodingsToDecode, readRecords } from './record-batches.js';
import type { SpareMemory } from './spare-memory.js';

/** A chunk in memory, which threads share unless it is small. */
export interface ChunkBuffer {
  /** Empty once they are not needed any more. */
  bytes: Uint8Array;
  /** Once it is known. */
  id?: ChunkId;
}

/** What a prediction reads: a chunk of the base, or the member of the group with this number, which comes before. */
export type PredictionInput = { readonly id: ChunkId } | { readonly member: number };

/** A prediction whose inputs are still to be read. */
export interface PlannedPrediction {
  readonly rule: Rule;
  readonly inputs: readonly PredictionInput[];
}

/** A chunk to be stored. */
export interface NewChunk {
  readonly raw: { readonly buffer: ChunkBuffer } | { readonly parts: readonly FilePart[] };
  /** Bytes. */
  readonly length: number;
  readonly dtype: DType;
  /** The same chunk of the base. */
  readonly base: ChunkId | undefined;
  readonly predictions: readonly PlannedPrediction[];
}

/** Chunks that are encoded together, as some may be predicted from others. */
export interface ChunkGroup {
  readonly members: readonly NewChunk[];
  /** Chunks of the base whose bytes are in memory. */
  readonly known: readonly ChunkBuffer[];
}

/** A chunk of the base that lies in files, too, which stay open until it is released. */
export interface HeldChunk {
  readonly id: ChunkId;
  readonly parts: readonly FilePart[];
  release(): void;
}

/** A group with all that storing it takes. */
export interface EncodedGroup {
  readonly group: ChunkGroup;
  readonly result: EncodeResult;
  /** What the records lie in, to be used again. */
  readonly output: ArrayBufferLike;
  /** The predictions of each member that were possible: results name them by number. */
  readonly predictions: readonly (readonly PossiblePrediction[])[];
}

/** A chunk that was encoded. */
export interface LoggedChunk {
  readonly record: Uint8Array;
  /** Absent where nothing was predicted. */
  readonly rule: Rule | undefined;
  /** Time that it took, for people. */
  readonly milliseconds: number;
}

/** Told of every chunk that is stored. */
export interface EncodingLog {
  add(entry: ChunkEntry, chunk: LoggedChunk): void;
}

export interface ChunkWriterOptions {
  /** What the base checkpoint resolves; chunks in it are not stored again. */
  index: ChunkIndex;
  storage: Storage;
  compute: ComputePool;
  packs: PackWriter;
  /** For what is encoded, and the records of bases. */
  spare: SpareMemory;
  /** Longest chain of deltas to make. */
  maxHeight: number;
  /** Told of a base that cannot be read; the chunk is then stored without one. */
  onDamage(error: ThetalogError): void;
  log?: EncodingLog;
  signal?: AbortSignal;
  /** Returns a chunk of the base that need not be read from the store. */
  holdBase?: ((id: ChunkId) => Promise<HeldChunk | undefined>) | undefined;
}

export class ChunkWriter {
  /** The chunks that this writer added. */
  readonly added = new Map<ChunkId, ChunkEntry>();
  private readonly options: ChunkWriterOptions;
  /** Whether the group before had changes: then the next is expected to have some, and its bases are read at once. */
  private changes = false;

  constructor(options: ChunkWriterOptions) {
    this.options = options;
  }

  /** Bytes that were added and are not yet written. */
  get openBytes(): number {
    return this.options.packs.openBytes;
  }

  /** Whether chunks are expected to be those of the base: it pays to find out before their bytes are put together. */
  get expectsUnchanged(): boolean {
    return !this.changes;
  }

  /** Whether a chunk is in the store or about to be. */
  isStored(id: ChunkId): boolean {
    return this.entryOf(id) !== undefined;
  }

  /** Encodes a group; any number of groups at once. Nothing is stored before `add`. */
  async encode(group: ChunkGroup): Promise<EncodedGroup> {
    const known = new Set(group.known.map(({ id }) => id));
    const possible = group.members.map((member) => this.possible(member));
    const inputs = possible.flatMap((predictions) => predictions.flatMap((prediction) => prediction.inputs));
    const stored = new Set(
      inputs.flatMap((input) => ('id' in input && !known.has(input.id) ? [input.id] : [])),
    );
    const { spare } = this.options;
    if (stored.size > 0 && !this.changes) {
      const probed = await this.run(group, possible, [], [], true);
      if (
        probed.result.members.every(
          ({ id }, at) => id === group.members[at].base && this.entryOf(id) !== undefined,
        )
      )
        return { group, ...probed, predictions: possible };
      spare.give(probed.output);
    }
    const held = await this.holdBases(stored);
    try {
      const encoded = await this.encodeWith(group, possible, stored, held);
      if (held.length === 0 || encoded.result.damage.length === 0) return encoded;
      // What is not any more what it was is in the store all the same.
      spare.give(encoded.output);
      return await this.encodeWith(group, possible, stored, []);
    } finally {
      for (const { release } of held) release();
    }
  }

  /** `stored`: the inputs that are in the store; those that are held are not read from it. */
  private async encodeWith(
    group: ChunkGroup,
    possible: readonly (readonly PossiblePrediction[])[],
    stored: ReadonlySet<ChunkId>,
    held: readonly HeldChunk[],
  ): Promise<EncodedGroup> {
    const atHand = new Set([...group.known, ...held].map(({ id }) => id));
    const wanted = new Set([...stored].filter((id) => !atHand.has(id)));
    const { records, unreadable } = await this.read(wanted, atHand);
    const predictions = possible.map((all) =>
      all.filter((one) => !one.inputs.some((input) => 'id' in input && unreadable.has(input.id))),
    );
    const encoded = await this.run(group, predictions, records, held, false);
    for (const buffer of new Set(records.map(({ bytes }) => bytes.buffer))) this.options.spare.give(buffer);
    return { group, ...encoded, predictions };
  }

  /** Says that a group, in its turn, was found to be that of the base before it was encoded. */
  skip(): void {
    this.changes = false;
  }

  /** Stores what is new of a group and returns the ids of its members. The order of these calls is that of the packs. */
  async add({ group, result, output, predictions }: EncodedGroup): Promise<ChunkId[]> {
    const { packs, spare, onDamage, log } = this.options;
    for (const error of result.damage) onDamage(fromPlainError(error) as ThetalogError);
    const ids = result.members.map(({ id }) => id);
    this.changes = ids.some((id, at) => id !== group.members[at].base);
    for (const [at, { id, encoded }] of result.members.entries()) {
      if (encoded === undefined || this.entryOf(id) !== undefined) continue;
      const prediction = encoded.prediction === undefined ? undefined : predictions[at][encoded.prediction];
      const references = (prediction?.inputs ?? []).map((input) =>
        'id' in input ? input.id : ids[input.member],
      );
      const height = Math.max(-1, ...references.map((read) => this.entryOf(read)?.height ?? 0)) + 1;
      const rawLength = group.members[at].length;
      // What it reads may have turned out to be in the store already, and higher than it would be now.
      const chosen =
        height <= limits.HEIGHT_MAX
          ? { ...encoded, height, references, rule: prediction?.rule }
          : { ...(await this.encodeAlone(group, at)), height: 0, references: [], rule: undefined };
      const entry = await packs.append({ id, rawLength, ...chosen });
      this.added.set(id, entry);
      log?.add(entry, chosen);
    }
    spare.give(output);
    return ids;
  }

  private async encodeAlone(group: ChunkGroup, at: number): Promise<EncodedRecord> {
    const alone = { members: [{ ...group.members[at], base: undefined }], known: [] };
    const { result } = await this.run(alone, [[]], [], [], false);
    const [{ encoded }] = result.members;
    if (encoded === undefined) throw new Error('a chunk without a base was not encoded');
    return encoded;
  }

  private entryOf(id: ChunkId): ChunkEntry | undefined {
    return this.added.get(id) ?? this.options.index.get(id);
  }

  /** Returns the predictions whose inputs in the store are low enough. */
  private possible({ predictions }: NewChunk): PossiblePrediction[] {
    const { maxHeight } = this.options;
    return predictions.flatMap(({ rule, inputs }) => {
      const found: EncodeInput[] = [];
      for (const input of inputs) {
        const chunk = 'id' in input ? this.baseChunk(input.id) : input;
        if (chunk !== undefined && !('id' in chunk && chunk.height >= maxHeight)) found.push(chunk);
      }
      return found.length < inputs.length ? [] : [{ rule, inputs: found }];
    });
  }

  private baseChunk(id: ChunkId | undefined): BaseChunk | undefined {
    const entry = id === undefined ? undefined : this.options.index.get(id);
    return entry === undefined ? undefined : { id: entry.id, height: entry.height };
  }

  private async run(
    group: ChunkGroup,
    predictions: readonly (readonly PossiblePrediction[])[],
    records: readonly StoredRecord[],
    held: readonly HeldChunk[],
    probe: boolean,
  ): Promise<Pick<EncodedGroup, 'result' | 'output'>> {
    const { compute, spare, signal, maxHeight } = this.options;
    const members = group.members.map(({ raw, length, dtype, base }, at): EncodeMember => {
      const bytes: RawBytes = 'buffer' in raw ? { bytes: raw.buffer.bytes } : raw;
      const id = 'buffer' in raw ? raw.buffer.id : undefined;
      return { raw: bytes, length, dtype, id, base: this.baseChunk(base), predictions: predictions[at] };
    });
    const known: KnownChunk[] = [
      ...group.known.flatMap(({ id, bytes }) => (id === undefined ? [] : [{ id, bytes }])),
      ...held.map(({ id, parts }) => ({ id, parts })),
    ];
    const output = spare.take(probe ? 0 : group.members.reduce((sum, { length }) => sum + length + 1, 0));
    const job: EncodeJob = {
      kind: 'encode',
      members,
      records,
      known,
      maxHeight,
      level: 'fast',
      output,
      probe,
    };
    const result = await compute.run(job, { signal });
    for (const [at, { raw }] of group.members.entries())
      if ('buffer' in raw) raw.buffer.id = result.members[at].id;
    return { result, output: output.buffer };
  }

  private async holdBases(wanted: Iterable<ChunkId>): Promise<HeldChunk[]> {
    const { holdBase } = this.options;
    if (holdBase === undefined) return [];
    const held: HeldChunk[] = [];
    try {
      for (const id of wanted) {
        const chunk = await holdBase(id);
        if (chunk !== undefined) held.push(chunk);
      }
    } catch (error) {
      for (const { release } of held) release();
      throw error;
    }
    return held;
  }

  /** Reads what decoding the given chunks takes. Old damage must not keep anyone from saving anew. */
  private async read(
    wanted: ReadonlySet<ChunkId>,
    known: ReadonlySet<ChunkId | undefined>,
  ): Promise<{ records: StoredRecord[]; unreadable: Set<ChunkId> }> {
    const { index, storage, spare, onDamage } = this.options;
    const unreadable = new Set<ChunkId>();
    const readAll = (ids: Iterable<ChunkId>) =>
      readRecords(
        storage,
        encodingsToDecode(index, ids, 'the base', (id) => known.has(id)),
        spare,
      );
    try {
      return { records: await readAll(wanted), unreadable };
    } catch (error) {
      if (!isThetalogError(error, 'corrupt')) throw error;
    }
    const records = new Map<ChunkId, StoredRecord>();
    for (const id of wanted) {
      try {
        for (const record of await readAll([id])) records.set(record.entry.id, record);
      } catch (error) {
        if (!isThetalogError(error, 'corrupt')) throw error;
        onDamage(error);
        unreadable.add(id);
      }
    }
    return { records: [...records.values()], unreadable };
  }
}
