/**
 * Coded byte streams: FORMAT.md, "Byte stream". A plane of a block is a stream; a sparse stream is made of two others.
 * Planning finds the cheapest form from histograms, writing carries it out, so that nothing is coded twice.
 */
import type { ByteReader, ByteWriter } from '../bytes/index.js';
import { type Kernels, STATE_COUNTS, type StateCount } from '../kernels/index.js';
import type { CostModel } from './cost.js';
import type { StreamEffort } from './effort.js';
import { type FrequencyTable, fitFrequencies, readFrequencies } from './frequency-table.js';
import { STREAM } from './record-ids.js';
import { type PlaneState, SampledPlaneCoder, writeRaw } from './sampled-plane.js';

/** Shorter streams take one coder state: three more would cost 12 bytes and save microseconds. */
const ONE_STATE_BYTES_MAX = 4096;

/** Zero bytes out of 16 from which on gaps and values are tried. */
const SPARSE_ZEROS_OF_16 = 13;

/** Kind, states and length of an entropy-coded stream; kind and two counts of a sparse one. */
const ENTROPY_HEADER_BYTES = 5;
const SPARSE_HEADER_BYTES = 7;

interface PlainPlan {
  readonly kind: 'zero' | 'constant' | 'raw';
  readonly costBytes: number;
}

interface EntropyPlan {
  readonly kind: 'entropy';
  readonly costBytes: number;
  readonly table: FrequencyTable;
}

interface SparsePlan {
  readonly kind: 'sparse';
  readonly costBytes: number;
  readonly gaps: Uint8Array;
  readonly values: Uint8Array;
  readonly gapPlan: DensePlan;
  readonly valuePlan: DensePlan;
}

type DensePlan = PlainPlan | EntropyPlan;
type StreamPlan = DensePlan | SparsePlan;

export class ByteStreamCoder {
  private readonly kernels: Kernels;
  private readonly cost: CostModel;
  private readonly sampled: SampledPlaneCoder;
  private readonly planeCounts = new Uint32Array(256);
  private readonly gapCounts = new Uint32Array(256);
  private readonly valueCounts = new Uint32Array(256);

  constructor(kernels: Kernels, cost: CostModel) {
    this.kernels = kernels;
    this.cost = cost;
    this.sampled = new SampledPlaneCoder(kernels);
  }

  /** Writes a plane. */
  write(writer: ByteWriter, bytes: Uint8Array, effort: StreamEffort, plane: PlaneState): void {
    if (this.sampled.write(writer, bytes, effort, plane)) return;
    const counts = this.planeCounts;
    this.kernels.histogram(bytes, counts);
    const dense = this.planDense(bytes.length, counts, effort);
    const isSparse = counts[0] * 16 >= bytes.length * SPARSE_ZEROS_OF_16 && counts[0] < bytes.length;
    const sparse = isSparse ? this.planSparse(bytes, effort) : undefined;
    const best =
      sparse !== undefined && sparse.costBytes < dense.costBytes * effort.sparseShareMax ? sparse : dense;
    this.perform(writer, bytes, best);
  }

  private planDense(length: number, counts: Uint32Array, effort: StreamEffort): DensePlan {
    if (counts[0] === length) return { kind: 'zero', costBytes: 1 };
    const raw = { kind: 'raw', costBytes: length + 1 } as const;
    if (counts.includes(length)) return { kind: 'constant', costBytes: 2 };
    const table = fitFrequencies(counts, this.cost);
    if (table === undefined) return raw;
    const states = statesFor(length);
    const costBytes = ENTROPY_HEADER_BYTES + table.bytes.length + 4 * states + Math.ceil(table.dataBits / 8);
    return costBytes < raw.costBytes * effort.entropyShareMax ? { kind: 'entropy', costBytes, table } : raw;
  }

  private planSparse(bytes: Uint8Array, effort: StreamEffort): SparsePlan {
    const streams = this.kernels.gatherSparse(bytes);
    const gaps = streams.gaps.slice();
    const values = streams.values.slice();
    this.kernels.histogram(gaps, this.gapCounts);
    this.kernels.histogram(values, this.valueCounts);
    const gapPlan = this.planDense(gaps.length, this.gapCounts, effort);
    const valuePlan = this.planDense(values.length, this.valueCounts, effort);
    const costBytes = SPARSE_HEADER_BYTES + gapPlan.costBytes + valuePlan.costBytes;
    return { kind: 'sparse', costBytes, gaps, values, gapPlan, valuePlan };
  }

  private perform(writer: ByteWriter, bytes: Uint8Array, plan: StreamPlan): void {
    switch (plan.kind) {
      case 'zero':
        writer.u8(STREAM.zero);
        return;
      case 'constant':
        writer.u8(STREAM.constant);
        writer.u8(bytes[0]);
        return;
      case 'raw':
        writeRaw(writer, bytes);
        return;
      case 'entropy':
        this.writeEntropy(writer, bytes, plan.table);
        return;
      case 'sparse':
        writer.u8(STREAM.sparse);
        writer.varint(plan.values.length);
        writer.varint(plan.gaps.length);
        this.perform(writer, plan.gaps, plan.gapPlan);
        this.perform(writer, plan.values, plan.valuePlan);
    }
  }

  private writeEntropy(writer: ByteWriter, bytes: Uint8Array, table: FrequencyTable): void {
    const states = statesFor(bytes.length);
    const coded = this.kernels.encodeEntropy(bytes, table.frequencies, states);
    if (coded === undefined) {
      writeRaw(writer, bytes);
      return;
    }
    writer.u8(STREAM.entropy);
    writer.u8(states);
    writer.bytes(table.bytes);
    writer.varint(coded.length);
    writer.bytes(coded);
  }

  /** Fills all of `output`. */
  read(reader: ByteReader, output: Uint8Array): void {
    const start = reader.offset;
    if (reader.bytes[start] === STREAM.sparse) this.readSparse(reader, output);
    else if (reader.bytes[start] === STREAM.huffman) this.sampled.readHuffman(reader, output);
    else if (reader.bytes[start] === STREAM.sevenBits) this.sampled.readSeven(reader, output);
    else this.readDense(reader, output);
  }

  private readSparse(reader: ByteReader, output: Uint8Array): void {
    const start = reader.offset;
    reader.u8();
    const valueCount = reader.varint();
    const gapCount = reader.varint();
    if (valueCount < 1 || gapCount < valueCount || gapCount > output.length) {
      reader.fail(
        'record-sparse',
        `${valueCount} values and ${gapCount} gaps in ${output.length} bytes`,
        start,
      );
    }
    const gaps = new Uint8Array(gapCount);
    const values = new Uint8Array(valueCount);
    this.readDense(reader, gaps);
    this.readDense(reader, values);
    if (!this.kernels.scatterSparse(gaps, values, output)) {
      reader.fail('record-sparse', 'gaps and values do not fit the plane', start);
    }
  }

  private readDense(reader: ByteReader, output: Uint8Array): void {
    const start = reader.offset;
    const kind = reader.u8();
    switch (kind) {
      case STREAM.zero:
        output.fill(0);
        return;
      case STREAM.constant:
        output.fill(reader.u8());
        return;
      case STREAM.raw:
        output.set(reader.view8(output.length));
        return;
      case STREAM.entropy:
        this.readEntropy(reader, output);
        return;
      default:
        reader.fail('record-stream', `unknown stream kind ${kind}`, start);
    }
  }

  private readEntropy(reader: ByteReader, output: Uint8Array): void {
    const start = reader.offset;
    const states = reader.u8();
    if (!isStateCount(states)) reader.fail('record-stream', `${states} coder states`, start);
    const frequencies = readFrequencies(reader);
    const coded = reader.view8(reader.varint());
    if (!this.kernels.decodeEntropy(coded, frequencies, states, output)) {
      reader.fail('record-stream', 'an entropy-coded stream does not end where it should', start);
    }
  }
}

function statesFor(length: number): StateCount {
  return length <= ONE_STATE_BYTES_MAX ? 1 : 4;
}

function isStateCount(count: number): count is StateCount {
  return (STATE_COUNTS as readonly number[]).includes(count);
}
