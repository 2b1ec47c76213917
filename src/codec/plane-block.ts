/** Blocks of byte planes, each of them a stream: FORMAT.md, "Planes". */
import type { ByteReader, ByteWriter } from '../bytes/index.js';
import { BLOCK_BYTES_MAX, type Kernels } from '../kernels/index.js';
import type { DTypeInfo } from '../tensor/index.js';
import type { ByteStreamCoder } from './byte-stream.js';
import { VALUE_BIAS_BITS } from './class-block.js';
import type { StreamEffort } from './effort.js';
import type { LaneSample } from './lane-sample.js';
import { BLOCK } from './record-ids.js';
import type { PlaneState } from './sampled-plane.js';
import { scratchBytes } from './scratch.js';

/** A block that is being written. */
export interface PlaneBlock {
  readonly raw: Uint8Array;
  readonly base: Uint8Array | undefined;
  readonly info: DTypeInfo;
  readonly effort: StreamEffort;
  /** For each plane. */
  readonly planeStates: readonly PlaneState[];
}

/** What the blocks of a run begin with. */
export function newPlaneStates({ laneBytes }: DTypeInfo): PlaneState[] {
  return Array.from({ length: laneBytes }, () => ({}));
}

export class PlaneBlockCoder {
  private readonly kernels: Kernels;
  private readonly streams: ByteStreamCoder;
  private readonly planes: Uint8Array;

  constructor(kernels: Kernels, streams: ByteStreamCoder) {
    this.kernels = kernels;
    this.streams = streams;
    this.planes = scratchBytes(kernels, BLOCK_BYTES_MAX);
  }

  /** Estimated bits of a lane as planes. */
  sampledBits({ raw, base }: LaneSample, info: DTypeInfo): number {
    return this.kernels.planeBits(raw, base, info, VALUE_BIAS_BITS) / (raw.length / info.laneBytes);
  }

  /** Writes a block, kind and all. */
  write(writer: ByteWriter, { raw, base, info, effort, planeStates }: PlaneBlock): void {
    const planes = this.planes.subarray(0, raw.length);
    const lanes = raw.length / info.laneBytes;
    if (base !== undefined && this.kernels.isSame(raw, base)) {
      writer.u8(BLOCK.zero);
      return;
    }
    this.kernels.splitPlanes(raw, base, info, planes);
    if (base === undefined && isZero(planes)) {
      writer.u8(BLOCK.zero);
      return;
    }
    writer.u8(BLOCK.planes);
    for (let plane = 0; plane < info.laneBytes; plane++) {
      const bytes = planes.subarray(plane * lanes, (plane + 1) * lanes);
      this.streams.write(writer, bytes, effort, planeStates[plane]);
    }
  }

  /** Fills `raw` from the rest of a block. */
  read(reader: ByteReader, raw: Uint8Array, base: Uint8Array | undefined, info: DTypeInfo): void {
    const planes = this.planes.subarray(0, raw.length);
    const lanes = raw.length / info.laneBytes;
    for (let plane = 0; plane < info.laneBytes; plane++) {
      this.streams.read(reader, planes.subarray(plane * lanes, (plane + 1) * lanes));
    }
    this.kernels.mergePlanes(planes, base, info, raw);
  }
}

function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}
