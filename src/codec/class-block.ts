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
import { type FittedTables, fitContexts, isEmpty, readContexts } from './context-groups.js';
import type { CostModel } from './cost.js';
import { BLOCK } from './record-ids.js';

const COUNT_ENTRIES = 65_536;

/** Kind, length and states of a block. */
const BLOCK_HEADER_BYTES = 20;

/** Returns how lanes of this dtype are coded in classes, or undefined where they are not. */
export function floatLayout(info: DTypeInfo): FloatLayout | undefined {
  if (info.lane !== 'float') return undefined;
  if (info.laneBytes === 4) return { laneBytes: 4, exponentBits: 8 };
  if (info.laneBytes === 2) return { laneBytes: 2, exponentBits: info.dtype === 'f16' ? 5 : 8 };
  return undefined;
}

/** How often each symbol occurs with an exponent. */
interface CountedRow {
  readonly exponent: number;
  readonly counts: Uint32Array;
}

/** A block as its classes. */
interface SplitBlock {
  readonly lanes: number;
  readonly rows: readonly CountedRow[];
  readonly symbols: Uint8Array;
  readonly exponents: Uint8Array;
  readonly rests: Uint8Array;
  /** Lanes that equal the base. */
  readonly zeros: number;
}

interface ClassBlock extends SplitBlock {
  readonly estimatedBytes: number;
}

/** The blocks of a chunk as classes, and their tables. */
export interface ClassPlan {
  readonly blocks: readonly ClassBlock[];
  readonly fitted: FittedTables;
  /** Whether a block was written, so that the next one need not bring the tables. */
  hasTables: boolean;
}

export class ClassBlockCoder {
  private readonly kernels: Kernels;
  private readonly cost: CostModel;
  /** Streams of a chunk; they grow with the largest one. */
  private symbols = new Uint8Array(BLOCK_LANES);
  private exponents = new Uint8Array(BLOCK_LANES);
  private rests = new Uint8Array(BLOCK_LANES * REST_BYTES_MAX);
  private readonly counts = new Uint32Array(COUNT_ENTRIES);
  private readonly total = new Uint32Array(COUNT_ENTRIES);

  constructor(kernels: Kernels, cost: CostModel) {
    this.kernels = kernels;
    this.cost = cost;
  }

  /**
   * Splits whole lanes into blocks and classes; undefined where nothing differs from the base. A plan is valid until the
   * next one is made.
   */
  plan(raw: Uint8Array, base: Uint8Array, layout: FloatLayout): ClassPlan | undefined {
    const { total } = this;
    const blockBytes = BLOCK_LANES * layout.laneBytes;
    const split: SplitBlock[] = [];
    total.fill(0);
    this.reserve(raw.length / layout.laneBytes);
    for (let start = 0; start < raw.length; start += blockBytes) {
      const end = Math.min(raw.length, start + blockBytes);
      split.push(
        this.splitBlock(
          raw.subarray(start, end),
          base.subarray(start, end),
          layout,
          start / layout.laneBytes,
        ),
      );
    }
    const fitted = split.every(({ lanes, zeros }) => lanes === zeros)
      ? undefined
      : fitContexts(total, this.cost);
    if (fitted === undefined) return undefined;
    const blocks = split.map((block) => ({ ...block, estimatedBytes: estimatedBytes(block, fitted) }));
    return { blocks, fitted, hasTables: false };
  }

  private reserve(lanes: number): void {
    if (lanes <= this.symbols.length) return;
    this.symbols = new Uint8Array(lanes);
    this.exponents = new Uint8Array(lanes);
    this.rests = new Uint8Array(lanes * REST_BYTES_MAX);
  }

  /** Splits a block that begins at lane `first` of its chunk. */
  private splitBlock(raw: Uint8Array, base: Uint8Array, layout: FloatLayout, first: number): SplitBlock {
    const lanes = raw.length / layout.laneBytes;
    const symbols = this.symbols.subarray(first, first + lanes);
    const exponents = this.exponents.subarray(first, first + lanes);
    const rests = this.rests.subarray(first * REST_BYTES_MAX, (first + lanes) * REST_BYTES_MAX);
    const { counts } = this;
    const restBytes = this.kernels.splitClasses(raw, base, layout, { symbols, exponents, rests, counts });
    let zeros = 0;
    const rows: CountedRow[] = [];
    for (let exponent = 0; exponent < 256; exponent++) {
      const row = counts.subarray(exponent * 256, exponent * 256 + 256);
      if (isEmpty(row)) continue;
      zeros += row[0];
      rows.push({ exponent, counts: row.slice() });
      for (let symbol = 0; symbol < 256; symbol++) this.total[exponent * 256 + symbol] += row[symbol];
    }
    return {
      lanes,
      zeros,
      rows,
      symbols,
      exponents,
      rests: rests.subarray(0, restBytes),
    };
  }

  /** Writes a block, kind and all; returns false, having written nothing, where it would be longer than its lanes. */
  write(writer: ByteWriter, plan: ClassPlan, index: number): boolean {
    const { symbols, exponents, rests } = plan.blocks[index];
    const { tables } = plan.fitted;
    const coded = this.kernels.encodeContexts(symbols, exponents, tables);
    if (coded === undefined) return false;
    writer.u8(plan.hasTables ? BLOCK.classesAgain : BLOCK.classes);
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

function estimatedBytes({ rows, rests }: SplitBlock, { tables, symbolBits }: FittedTables): number {
  let bits = 0;
  for (const { exponent, counts } of rows) {
    const table = tables.groups[exponent] * 256;
    for (let symbol = 0; symbol < 256; symbol++) bits += counts[symbol] * symbolBits[table + symbol];
  }
  return BLOCK_HEADER_BYTES + Math.ceil(bits / 8) + rests.length;
}
