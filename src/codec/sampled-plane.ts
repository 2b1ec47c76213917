/**
 * Long planes by what a sample of them says: noise as it is, noise but for one bit as seven bits, exponents in Huffman codes.
 * FORMAT.md, "Byte stream".
 */
import type { ByteReader, ByteWriter } from '../bytes/index.js';
import {
  type ByteRange,
  type CommonBit,
  huffmanBytesMax,
  type Kernels,
  sevenBytes,
} from '../kernels/index.js';
import { sumOf } from './change-sample.js';
import type { StreamEffort } from './effort.js';
import {
  type ByteCode,
  fittedByteCode,
  hasCodes,
  huffmanBits,
  readByteLengths,
  writeByteLengths,
} from './huffman-code.js';
import { STREAM } from './record-ids.js';

/** Planes from this length on are sampled first: noise and Huffman codes need no whole histogram. */
const SAMPLED_BYTES_MIN = 32_768;

/** Bits that a sample of noise, all 256 values, lacks: 255 / (2 ln 2), after G. Miller and W. Madow. */
const SAMPLE_BIAS_BITS = 184;

/** What blocks of a record hand on to the next for one of their planes. */
export interface PlaneState {
  code?: ByteCode;
}

export class SampledPlaneCoder {
  private readonly kernels: Kernels;
  private readonly counts = new Uint32Array(256);

  constructor(kernels: Kernels) {
    this.kernels = kernels;
  }

  /** Writes a long plane by what a sample says of it: as it is, as seven bits, in a Huffman code; returns whether one of them suits it. */
  write(
    writer: ByteWriter,
    bytes: Uint8Array,
    { entropyShareMax, huffmanLossMax }: StreamEffort,
    plane: PlaneState,
  ): boolean {
    if (bytes.length < SAMPLED_BYTES_MIN) return false;
    const { counts } = this;
    const needed = this.kernels.sampledHistogram(bytes, counts);
    const taken = sumOf(counts);
    if (needed > 8 * taken * entropyShareMax - SAMPLE_BIAS_BITS) {
      writeRaw(writer, bytes);
      return true;
    }
    // One bit for each byte is the least that a Huffman code takes.
    if (needed < taken) return false;
    const range = this.kernels.byteRange(bytes);
    const common = commonBit(range);
    if (common !== undefined && needed > 7 * taken * entropyShareMax - SAMPLE_BIAS_BITS) {
      this.writeSeven(writer, bytes, common);
      return true;
    }
    const most = Math.min(needed + 8 * taken * huffmanLossMax, 8 * taken * entropyShareMax);
    const code = codeFor(range, counts, most, plane.code);
    if (code === undefined || !this.writeHuffman(writer, bytes, code)) return false;
    plane.code = code;
    return true;
  }

  /** Writes noise of seven bits, as the lowest plane of numbers that are all positive. */
  private writeSeven(writer: ByteWriter, bytes: Uint8Array, common: CommonBit): void {
    writer.u8(STREAM.sevenBits);
    writer.u8(common.bit | (common.value << 3));
    const size = sevenBytes(bytes.length);
    this.kernels.packSeven(bytes, common, writer.open(size));
    writer.close(size);
  }

  /** Writes nothing, and returns false, where the sample was wrong: the plane would grow. */
  private writeHuffman(writer: ByteWriter, bytes: Uint8Array, { lengths }: ByteCode): boolean {
    const start = writer.length;
    writer.u8(STREAM.huffman);
    writeByteLengths(writer, lengths);
    const room = writer.open(huffmanBytesMax(bytes.length));
    writer.close(this.kernels.encodeHuffman(bytes, lengths, room));
    if (writer.length - start <= bytes.length) return true;
    writer.length = start;
    return false;
  }

  /** Fills all of `output`. */
  readHuffman(reader: ByteReader, output: Uint8Array): void {
    const start = reader.offset;
    reader.u8();
    const lengths = readByteLengths(reader);
    const coded = reader.bytes.subarray(reader.offset, reader.end);
    const used = this.kernels.decodeHuffman(coded, lengths, output);
    if (used < 0) reader.fail('record-stream', 'a Huffman-coded stream does not end where it should', start);
    reader.view8(used);
  }

  /** Fills all of `output`. */
  readSeven(reader: ByteReader, output: Uint8Array): void {
    const start = reader.offset;
    reader.u8();
    const told = reader.u8();
    const coded = reader.view8(sevenBytes(output.length));
    const common = { bit: told & 7, value: told & 8 ? 1 : 0 } as const;
    if (told > 15 || !this.kernels.unpackSeven(coded, common, output)) {
      reader.fail('record-stream', 'seven bits a byte, and more than that', start);
    }
  }
}

export function writeRaw(writer: ByteWriter, bytes: Uint8Array): void {
  writer.u8(STREAM.raw);
  writer.bytes(bytes);
}

/** The bit that is the same in all bytes of a range, where it is the only one. */
function commonBit({ lowest, varying }: ByteRange): CommonBit | undefined {
  const bit = 31 - Math.clz32(varying ^ 255);
  return bit >= 0 && varying === (255 ^ (1 << bit)) ? { bit, value: (lowest >> bit) & 1 ? 1 : 0 } : undefined;
}

/** Returns the code of the plane before where it will do, or one that takes up to `most` bits of a sample, if there is one. */
function codeFor(
  range: ByteRange,
  counts: Uint32Array,
  most: number,
  known: ByteCode | undefined,
): ByteCode | undefined {
  if (known && hasCodes(known, range) && huffmanBits(counts, known.lengths) <= most) return known;
  if (range.varying === 0) return undefined;
  const fitted = fittedByteCode(counts, range);
  return huffmanBits(counts, fitted.lengths) <= most ? fitted : undefined;
}
