/**
 * Lanes in blocks: FORMAT.md, "Planes". A block holds its residual as byte planes, each of them a stream, or as classes
 * with the exponent of the prediction as context, whichever is estimated to be smaller.
 */
import { type ByteReader, ByteWriter } from '../bytes/index.js';
import { corrupt } from '../errors.js';
import {
  BLOCK_LANES,
  type ChangeCounts,
  type ContextTables,
  type FloatLayout,
  type GapModel,
  type Kernels,
  LINE_BYTES,
  type PrefixModel,
} from '../kernels/index.js';
import type { DTypeInfo } from '../tensor/index.js';
import type { ByteStreamCoder } from './byte-stream.js';
import { sampledChanges } from './change-sample.js';
import { ClassBlockCoder, type ClassPlan, classLayout, floatLayout } from './class-block.js';
import type { CostModel } from './cost.js';
import type { StreamEffort } from './effort.js';
import { GapBlockCoder, type GapPlan } from './gap-block.js';
import { LaneSampler } from './lane-sample.js';
import { newPlaneStates, type PlaneBlock, PlaneBlockCoder } from './plane-block.js';
import { PrefixBlockCoder, type PrefixPlan, readPrefixModel } from './prefix-block.js';
import { BLOCK } from './record-ids.js';
import { isClustered } from './symbol-clusters.js';

/** Blocks of so few lanes are written both ways. */
const EXACT_LANES_MAX = 32_768;

/** So are blocks with so many lanes that equal the prediction, where the others keep together: gaps tell that best. */
const CLUSTER_ZEROS_OF_16 = 12;

/** Lines of which all differ where so many lanes do that gaps are not worth a look. */
const DENSE_PIECES = 16;
const DENSE_LINES = 8;

/** What a block brought for those that follow. */
interface Brought {
  tables?: ContextTables;
  prefix?: PrefixModel;
  gaps?: GapModel;
}

export class LaneBlocks {
  private readonly kernels: Kernels;
  private readonly planes: PlaneBlockCoder;
  private readonly classes: ClassBlockCoder;
  private readonly prefix: PrefixBlockCoder;
  private readonly sampler: LaneSampler;
  private readonly gaps: GapBlockCoder;

  constructor(kernels: Kernels, streams: ByteStreamCoder, cost: CostModel) {
    this.kernels = kernels;
    this.planes = new PlaneBlockCoder(kernels, streams);
    this.classes = new ClassBlockCoder(kernels, cost);
    this.prefix = new PrefixBlockCoder(kernels, cost);
    this.sampler = new LaneSampler(kernels);
    this.gaps = new GapBlockCoder(kernels, cost);
  }

  /** Writes whole lanes; `predicted` may go on with a tail. `sampled` is a sample of their changes, if one was taken. */
  encode(
    writer: ByteWriter,
    raw: Uint8Array,
    predicted: Uint8Array | undefined,
    info: DTypeInfo,
    effort: StreamEffort,
    sampled?: ChangeCounts,
  ): void {
    const base = predicted?.subarray(0, raw.length);
    const blockBytes = BLOCK_LANES * info.laneBytes;
    if (base !== undefined && this.kernels.isSame(raw, base)) {
      for (let start = 0; start < raw.length; start += blockBytes) writer.u8(BLOCK.zero);
      return;
    }
    const planeStates = newPlaneStates(info);
    const float = floatLayout(info);
    const changes =
      sampled ??
      (float && base && float.laneBytes > 1 && !this.isDense(raw, base)
        ? sampledChanges(this.kernels, raw, base, float, blockBytes)
        : undefined);
    const gapPlan = changes && this.gaps.plan(changes, raw.length / info.laneBytes);
    if (float !== undefined && base !== undefined && gapPlan !== undefined) {
      this.writeGaps(writer, { raw, base, info, effort, planeStates }, base, float, gapPlan);
      return;
    }
    const dense = base && this.densePlan(raw, base, info, effort);
    if (base !== undefined && dense !== undefined && dense !== 'planes') {
      this.writePrefix(writer, raw, base, dense);
      return;
    }
    const layout = dense === 'planes' ? undefined : float;
    const plan = layout && base && this.classes.plan(raw, base, classLayout(layout));
    const planesLaneBits =
      plan && base ? this.planes.sampledBits(this.sampler.take(raw, base, info.laneBytes), info) : 0;
    for (let start = 0; start < raw.length; start += blockBytes) {
      const end = Math.min(raw.length, start + blockBytes);
      const block = {
        raw: raw.subarray(start, end),
        base: base?.subarray(start, end),
        info,
        effort,
        planeStates,
      };
      if (plan === undefined) this.planes.write(writer, block);
      else this.writeCheaper(writer, block, plan, start / blockBytes, planesLaneBits);
    }
  }

  /** Writes lanes that all differ from the base. */
  encodeChanged(
    writer: ByteWriter,
    raw: Uint8Array,
    base: Uint8Array,
    info: DTypeInfo,
    effort: StreamEffort,
  ): void {
    const layout = floatLayout(info);
    const plan = layout && this.classes.plan(raw, base, classLayout(layout));
    const planeStates = newPlaneStates(info);
    const blockBytes = BLOCK_LANES * info.laneBytes;
    for (let start = 0; start < raw.length; start += blockBytes) {
      const end = Math.min(raw.length, start + blockBytes);
      const isWritten = plan && this.classes.write(writer, plan, start / blockBytes, end - start);
      if (isWritten) continue;
      this.planes.write(writer, {
        raw: raw.subarray(start, end),
        base: base.subarray(start, end),
        info,
        effort,
        planeStates,
      });
    }
  }

  /** Whether each of some lines differs: of lanes of which one in ten did, not one chunk in a million would look like that. */
  private isDense(raw: Uint8Array, base: Uint8Array): boolean {
    const sampled = DENSE_PIECES * DENSE_LINES;
    if (raw.length < sampled * LINE_BYTES) return false;
    return this.kernels.sampleLines(raw, base, DENSE_PIECES, DENSE_LINES).touched === sampled;
  }

  /** Of a chunk where most lanes differ from the base: prefix codes or planes, whichever the sample says; else undefined. */
  private densePlan(
    raw: Uint8Array,
    base: Uint8Array,
    info: DTypeInfo,
    effort: StreamEffort,
  ): PrefixPlan | 'planes' | undefined {
    const layout = floatLayout(info);
    if (layout?.laneBytes !== 4 || effort.prefixShareMax === 0) return undefined;
    const sample = this.sampler.take(raw, base, info.laneBytes);
    const plan = this.prefix.plan(sample, layout);
    if (plan === undefined) return undefined;
    const planesBits = this.planes.sampledBits(sample, info);
    const classBits = this.classes.sampledBits(sample, classLayout(layout)) ?? planesBits;
    if (classBits < Math.min(plan.laneBits, planesBits) - 32 * effort.classGainMin) return undefined;
    return plan.laneBits <= planesBits * effort.prefixShareMax ? plan : 'planes';
  }

  /** Estimated bits of lanes in classes; infinite where they cannot be. */
  classBits(raw: Uint8Array, base: Uint8Array, info: DTypeInfo): number {
    const shape = floatLayout(info);
    const lanes = Math.floor(raw.length / info.laneBytes);
    if (shape === undefined) return Number.POSITIVE_INFINITY;
    const end = lanes * info.laneBytes;
    const sample = this.sampler.take(raw.subarray(0, end), base.subarray(0, end), info.laneBytes);
    return lanes * (this.classes.sampledBits(sample, classLayout(shape)) ?? Number.POSITIVE_INFINITY);
  }

  private writePrefix(writer: ByteWriter, raw: Uint8Array, base: Uint8Array, plan: PrefixPlan): void {
    for (let start = 0; start < raw.length; start += BLOCK_LANES * 4) {
      const block = raw.subarray(start, start + BLOCK_LANES * 4);
      const before = base.subarray(start, start + BLOCK_LANES * 4);
      if (this.kernels.isSame(block, before)) writer.u8(BLOCK.zero);
      else this.prefix.write(writer, plan, block, before);
    }
  }

  /** Writes all blocks as gaps, but those that have too many. */
  private writeGaps(
    writer: ByteWriter,
    { raw, info, effort, planeStates }: PlaneBlock,
    base: Uint8Array,
    layout: FloatLayout,
    plan: GapPlan,
  ): void {
    const blockBytes = BLOCK_LANES * info.laneBytes;
    for (let start = 0; start < raw.length; start += blockBytes) {
      const end = Math.min(raw.length, start + blockBytes);
      const block = {
        raw: raw.subarray(start, end),
        base: base.subarray(start, end),
        info,
        effort,
        planeStates,
      };
      if (this.kernels.isSame(block.raw, block.base)) writer.u8(BLOCK.zero);
      else if (!this.gaps.write(writer, plan, block.raw, block.base, layout))
        this.planes.write(writer, block);
    }
  }

  /** Writes a block as classes or as planes, which are estimated to take so many bits a lane. */
  private writeCheaper(
    writer: ByteWriter,
    block: PlaneBlock,
    plan: ClassPlan,
    index: number,
    planesLaneBits: number,
  ): void {
    const { lanes, symbols, zeros } = plan.blocks[index];
    const isSparse = zeros * 16 >= lanes * CLUSTER_ZEROS_OF_16;
    if (lanes > EXACT_LANES_MAX && !(isSparse && (zeros === lanes || isClustered(symbols)))) {
      const isWritten = this.classes.write(writer, plan, index, (planesLaneBits * lanes) / 8);
      if (!isWritten) this.planes.write(writer, block);
      return;
    }
    const planes = new ByteWriter(256);
    this.planes.write(planes, block);
    if (!this.classes.write(writer, plan, index, planes.length)) writer.bytes(planes.written());
  }

  /** Reads lanes; what is returned has room for a tail. */
  decode(
    reader: ByteReader,
    lanes: number,
    tail: number,
    base: Uint8Array | undefined,
    info: DTypeInfo,
    memory: (length: number) => Uint8Array,
  ): Uint8Array {
    const laneEnd = lanes * info.laneBytes;
    const blockBytes = BLOCK_LANES * info.laneBytes;
    if (reader.remaining < Math.ceil(laneEnd / blockBytes) + tail) {
      reader.fail('record-truncated', `too short for ${laneEnd + tail} bytes`);
    }
    const raw = memory(laneEnd + tail);
    const brought: Brought = {};
    for (let start = 0; start < laneEnd; start += blockBytes) {
      const end = Math.min(laneEnd, start + blockBytes);
      this.readBlock(reader, raw.subarray(start, end), base?.subarray(start, end), info, brought);
    }
    return raw;
  }

  private readBlock(
    reader: ByteReader,
    raw: Uint8Array,
    base: Uint8Array | undefined,
    info: DTypeInfo,
    brought: Brought,
  ): void {
    const start = reader.offset;
    const kind = reader.u8();
    switch (kind) {
      case BLOCK.zero:
        if (base === undefined) raw.fill(0);
        else raw.set(base);
        return;
      case BLOCK.planes:
        this.planes.read(reader, raw, base, info);
        return;
      case BLOCK.classes:
      case BLOCK.classesAgain:
      case BLOCK.farClasses:
      case BLOCK.farClassesAgain:
        this.readClasses(reader, raw, base, info, brought);
        return;
      case BLOCK.gaps:
      case BLOCK.gapsAgain:
        this.readGaps(reader, raw, base, info, brought);
        return;
      case BLOCK.prefix:
      case BLOCK.prefixAgain:
        this.readPrefix(reader, raw, base, info, brought);
        return;
      default:
        reader.fail('record-block', `unknown block kind ${kind}`, start);
    }
  }

  private readPrefix(
    reader: ByteReader,
    raw: Uint8Array,
    base: Uint8Array | undefined,
    info: DTypeInfo,
    brought: Brought,
  ): void {
    const start = reader.offset - 1;
    if (floatLayout(info)?.laneBytes !== 4 || base === undefined) {
      throw corrupt('record-block', 'prefix codes of lanes that have none', reader.object, start);
    }
    if (reader.bytes[start] === BLOCK.prefix) brought.prefix = readPrefixModel(reader);
    if (brought.prefix === undefined) {
      throw corrupt('record-block', 'prefix codes before their tables', reader.object, start);
    }
    this.prefix.read(reader, brought.prefix, raw, base);
  }

  private readClasses(
    reader: ByteReader,
    raw: Uint8Array,
    base: Uint8Array | undefined,
    info: DTypeInfo,
    brought: Brought,
  ): void {
    const start = reader.offset - 1;
    const kind = reader.bytes[start];
    const isFar = kind === BLOCK.farClasses || kind === BLOCK.farClassesAgain;
    const shape = floatLayout(info);
    if (shape === undefined || base === undefined || (isFar && shape.laneBytes !== 4)) {
      throw corrupt('record-block', 'classes of lanes that have none', reader.object, start);
    }
    const layout = isFar ? classLayout(shape) : shape;
    if (kind === BLOCK.classes || kind === BLOCK.farClasses) brought.tables = this.classes.readTables(reader);
    if (brought.tables === undefined) {
      throw corrupt('record-block', 'classes before their tables', reader.object, start);
    }
    this.classes.read(reader, brought.tables, raw, base, layout);
  }

  private readGaps(
    reader: ByteReader,
    raw: Uint8Array,
    base: Uint8Array | undefined,
    info: DTypeInfo,
    brought: Brought,
  ): void {
    const start = reader.offset - 1;
    const layout = floatLayout(info);
    if (layout === undefined || layout.laneBytes === 1 || base === undefined) {
      throw corrupt('record-block', 'gaps of lanes that have none', reader.object, start);
    }
    if (reader.bytes[start] === BLOCK.gaps) brought.gaps = this.gaps.readModel(reader);
    if (brought.gaps === undefined) {
      throw corrupt('record-block', 'gaps before their levels', reader.object, start);
    }
    this.gaps.read(reader, brought.gaps, raw, base, layout);
  }
}
