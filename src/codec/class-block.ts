/**
 * Blocks of 16- and 32-bit floats whose residuals are coded in classes, with the exponent of the base as context:
 * FORMAT.md, "Classes". An optimizer's step has nearly the same size everywhere, so its size in units of the last place
 * follows from the exponent. All such blocks of a chunk share their tables.
 */
import type { ByteReader, ByteWriter } from '../bytes/index.js';
import {
  BLOCK_LANES,
  type ContextTables,
  type FloatLayout,
  type Kernels,
  REST_BYTES_MAX,
} from '../kernels/index.js';
import type { DTypeInfo } from '../tensor/index.js';
import { type FittedTables, fitContexts, readContexts } from './context-groups.js';
import type { CostModel } from './cost.js';
import type { LaneSample } from './lane-sample.js';
import { BLOCK } from './record-ids.js';
import { scratchBytes } from './scratch.js';

const COUNT_ENTRIES = 65_536;

/** Bits that each value takes off the entropy of a sample: 1 / (2 ln 2), after G. Miller and W. Madow. */
export const VALUE_BIAS_BITS = 0.72;

/** Kind and length of a block. */
const BLOCK_HEADER_BYTES = 4;

/** Lanes of a chunk in the default grid: what is reserved at first. */
const CHUNK_LANES = 262_144;

/** Returns how lanes of this dtype are shaped, or undefined where they are not coded in classes. */
export function floatLayout(info: DTypeInfo): FloatLayout | undefined {
  if (info.lane !== 'float') return undefined;
  if (info.laneBytes === 4) return { laneBytes: 4, exponentBits: 8 };
  if (info.laneBytes === 2) return { laneBytes: 2, exponentBits: info.dtype === 'f16' ? 5 : 8 };
  return info.laneBytes === 1 ? { laneBytes: 1, exponentBits: 7 } : undefined;
}

/** Returns how classes of such lanes are written today: those of 32 bits with far symbols. */
export function classLayout(layout: FloatLayout): FloatLayout {
  return layout.laneBytes === 4 ? { ...layout, far: true } : layout;
}

/** A block as its classes. */
interface ClassBlock {
  readonly lanes: number;
  readonly symbols: Uint8Array;
  readonly exponents: Uint8Array;
  readonly rests: Uint8Array;
  /** Lanes that equal the base. */
  readonly zeros: number;
}

/** The blocks of a chunk as classes, and their tables. */
export interface ClassPlan {
  readonly blocks: readonly ClassBlock[];
  readonly fitted: FittedTables;
  readonly layout: FloatLayout;
  /** Whether a block was written, so that the next one need not bring the tables. */
  hasTables: boolean;
}

export class ClassBlockCoder {
  private readonly kernels: Kernels;
  private readonly cost: CostModel;
  /** Streams of a chunk; they grow with the largest one. */
  private symbols: Uint8Array;
  private exponents: Uint8Array;
  private rests: Uint8Array;
  private readonly total: Uint32Array;

  constructor(kernels: Kernels, cost: CostModel) {
    this.kernels = kernels;
    this.cost = cost;
    this.symbols = scratchBytes(kernels, CHUNK_LANES);
    this.exponents = scratchBytes(kernels, CHUNK_LANES);
    this.rests = new Uint8Array(CHUNK_LANES * REST_BYTES_MAX);
    const total = scratchBytes(kernels, 4 * COUNT_ENTRIES);
    this.total = new Uint32Array(total.buffer, total.byteOffset, COUNT_ENTRIES);
  }

  /**
   * Splits whole lanes into blocks and classes; undefined where nothing differs from the base. A plan is valid until the
   * next one is made.
   */
  plan(raw: Uint8Array, base: Uint8Array, layout: FloatLayout): ClassPlan | undefined {
    const blockBytes = BLOCK_LANES * layout.laneBytes;
    const blocks: ClassBlock[] = [];
    this.total.fill(0);
    this.reserve(raw.length / layout.laneBytes);
    for (let start = 0; start < raw.length; start += blockBytes) {
      const end = Math.min(raw.length, start + blockBytes);
      blocks.push(
        this.splitBlock(
          raw.subarray(start, end),
          base.subarray(start, end),
          layout,
          start / layout.laneBytes,
        ),
      );
    }
    if (blocks.every(({ lanes, zeros }) => lanes === zeros)) return undefined;
    const fitted = fitContexts(this.total, this.cost);
    return fitted && { blocks, fitted, layout, hasTables: false };
  }

  /** Estimated bits of a lane, tables apart, from a sample of at most a block. */
  sampledBits({ raw, base }: LaneSample, layout: FloatLayout): number | undefined {
    const lanes = raw.length / layout.laneBytes;
    if (base === undefined || lanes === 0 || lanes > BLOCK_LANES) return undefined;
    return this.kernels.classBits(raw, base, layout, VALUE_BIAS_BITS) / lanes;
  }

  /** Lanes that equal their base, of all that were counted. */
  private countZeros(): number {
    let zeros = 0;
    for (let row = 0; row < COUNT_ENTRIES; row += 256) zeros += this.total[row];
    return zeros;
  }

  private reserve(lanes: number): void {
    if (lanes <= this.symbols.length) return;
    this.symbols = new Uint8Array(lanes);
    this.exponents = new Uint8Array(lanes);
    this.rests = new Uint8Array(lanes * REST_BYTES_MAX);
  }

  /** Splits a block that begins at lane `first` of its chunk. */
  private splitBlock(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, first: number): ClassBlock {
    const lanes = raw.length / layout.laneBytes;
    const symbols = this.symbols.subarray(first, first + lanes);
    const exponents = this.exponents.subarray(first, first + lanes);
    const rests = this.rests.subarray(first * REST_BYTES_MAX, (first + lanes) * REST_BYTES_MAX);
    const streams = { symbols, exponents, rests, counts: this.total };
    const before = this.countZeros();
    const restBytes = this.kernels.splitClasses(raw, base, layout, streams);
    const zeros = this.countZeros() - before;
    return { lanes, zeros, symbols, exponents, rests: rests.subarray(0, restBytes) };
  }

  /**
   * Writes a block, kind and all; returns false, having written nothing, where it would be longer than its lanes or, with
   * its share of the tables, not shorter than `limit` bytes.
   */
  write(writer: ByteWriter, plan: ClassPlan, index: number, limit: number): boolean {
    const { symbols, exponents, rests } = plan.blocks[index];
    const { tables, tableBytes } = plan.fitted;
    const coded = this.kernels.encodeContexts(symbols, exponents, tables);
    if (coded === undefined) return false;
    const length = BLOCK_HEADER_BYTES + coded.length + rests.length + tableBytes / plan.blocks.length;
    if (length >= limit) return false;
    if (plan.layout.far) writer.u8(plan.hasTables ? BLOCK.farClassesAgain : BLOCK.farClasses);
    else writer.u8(plan.hasTables ? BLOCK.classesAgain : BLOCK.classes);
    if (!plan.hasTables) plan.fitted.write(writer);
    plan.hasTables = true;
    writer.varint(coded.length);
    writer.bytes(coded);
    writer.bytes(rests);
    return true;
  }

  /** Reads the tables of a block, after its kind. */
  readTables(reader: ByteReader): ContextTables {
    return readContexts(reader);
  }

  /** Fills `raw` from the rest of a block. */
  read(
    reader: ByteReader,
    tables: ContextTables,
    raw: Uint8Array,
    base: Uint8Array,
    layout: FloatLayout,
  ): void {
    const lanes = raw.length / layout.laneBytes;
    const symbols = this.symbols.subarray(0, lanes);
    const exponents = this.exponents.subarray(0, lanes);
    const start = reader.offset;
    const coded = reader.view8(reader.varint());
    this.kernels.laneExponents(base, layout, exponents);
    if (!this.kernels.decodeContexts(coded, exponents, tables, symbols)) {
      reader.fail('record-stream', 'an entropy-coded stream does not end where it should', start);
    }
    const rests = reader.bytes.subarray(reader.offset, reader.end);
    const used = this.kernels.mergeClasses(symbols, rests, base, layout, raw);
    if (used < 0) reader.fail('record-classes', 'the bits below the classes are damaged');
    reader.view8(used);
  }
}
