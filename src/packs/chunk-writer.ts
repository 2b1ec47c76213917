/** Stores chunks: finds those that are there already, encodes the others against their base, appends them to packs. */
import type { Codec, EncodedChunk, Prediction, Rule } from '../codec/index.js';
import { isThetalogError, type ThetalogError } from '../errors.js';
import type { ChunkEntry } from '../format/index.js';
import type { ChunkId, Hasher } from '../hash/index.js';
import type { DType } from '../tensor/index.js';
import type { ChunkIndex } from './chunk-index.js';
import type { ChunkReader } from './chunk-reader.js';
import type { PackWriter } from './pack-writer.js';

/** A chunk to predict from; with its bytes if it is one of this very save. */
export interface PredictionInput {
  id: ChunkId;
  bytes?: Uint8Array;
}

/** A prediction whose inputs are still to be read. */
export interface PlannedPrediction {
  rule: Rule;
  inputs: PredictionInput[];
}

/** Told of every chunk that is encoded. Times are for people: nothing that is stored depends on them. */
export interface EncodingLog {
  /** Milliseconds of any clock. */
  now(): number;
  add(entry: ChunkEntry, encoded: EncodedChunk, milliseconds: number): void;
}

export interface ChunkWriterOptions {
  /** What the base checkpoint resolves; chunks in it are not stored again. */
  index: ChunkIndex;
  reader: ChunkReader;
  packs: PackWriter;
  codec: Codec;
  hasher: Hasher;
  /** Longest chain of deltas to make. */
  maxHeight: number;
  /** Told of a base that cannot be read; the chunk is then stored without one. */
  onDamage(error: ThetalogError): void;
  log?: EncodingLog;
}

export class ChunkWriter {
  /** The chunks that this writer added. */
  readonly added = new Map<ChunkId, ChunkEntry>();
  private readonly options: ChunkWriterOptions;

  constructor(options: ChunkWriterOptions) {
    this.options = options;
  }

  /** Bytes that were added and are not yet written. */
  get openBytes(): number {
    return this.options.packs.openBytes;
  }

  /** Returns the id of the chunk, stored now or before. The predictions are tried if it is new. */
  async put(raw: Uint8Array, dtype: DType, predictions: readonly PlannedPrediction[]): Promise<ChunkId> {
    const { index, hasher } = this.options;
    const id = hasher.chunkId(raw);
    if (index.get(id) === undefined && !this.added.has(id)) await this.encode(id, raw, dtype, predictions);
    return id;
  }

  private async encode(
    id: ChunkId,
    raw: Uint8Array,
    dtype: DType,
    planned: readonly PlannedPrediction[],
  ): Promise<void> {
    const { packs, codec, log } = this.options;
    const started = log?.now() ?? 0;
    const entriesOf = new Map<Prediction, ChunkEntry[]>();
    for (const { rule, inputs } of planned) {
      const read = await this.readInputs(inputs);
      if (read !== undefined) entriesOf.set({ rule, inputs: read.bytes }, read.entries);
    }
    const encoded = codec.encode(raw, dtype, [...entriesOf.keys()], 'fast');
    const { record, prediction } = encoded;
    const milliseconds = (log?.now() ?? 0) - started;
    const reads = prediction === undefined ? [] : (entriesOf.get(prediction) ?? []);
    const entry = await packs.append({
      id,
      record,
      rawLength: raw.length,
      height: reads.length === 0 ? 0 : 1 + Math.max(...reads.map((read) => read.height)),
      references: reads.map((read) => read.id),
    });
    this.added.set(id, entry);
    log?.add(entry, encoded, milliseconds);
  }

  /** Returns the inputs if all are low enough and sound. Old damage must not keep anyone from saving anew. */
  private async readInputs(
    inputs: readonly PredictionInput[],
  ): Promise<{ entries: ChunkEntry[]; bytes: Uint8Array[] } | undefined> {
    const { index, reader, maxHeight, onDamage } = this.options;
    const entries = inputs.map(({ id }) => this.added.get(id) ?? index.get(id));
    const low = entries.filter((entry) => entry !== undefined && entry.height < maxHeight) as ChunkEntry[];
    if (low.length < entries.length) return undefined;
    try {
      const bytes: Uint8Array[] = [];
      for (const input of inputs) bytes.push(input.bytes ?? (await reader.read(input.id)));
      return { entries: low, bytes };
    } catch (error) {
      if (!isThetalogError(error, 'corrupt')) throw error;
      onDamage(error);
      return undefined;
    }
  }
}
