/**
 * Lanes of chunks where whole stretches equal the prediction, as the rows of an embedding that no token of a batch names, or
 * are zero, as the moments of rows that no token ever named: FORMAT.md, "Touched lines". The lanes of the other stretches are
 * put together and coded as if they were all there are.
 */
import type { ByteReader, ByteWriter } from '../bytes/index.js';
import { BLOCK_BYTES_MAX, type Kernels, LINE_BYTES } from '../kernels/index.js';
import type { DTypeInfo } from '../tensor/index.js';
import type { StreamEffort } from './effort.js';
import type { MarkedLanes } from './marked-lanes.js';
import { BLOCK } from './record-ids.js';
import { scratchBytes } from './scratch.js';

/** Chunks with more lines than this share that differ are left as they are, as are those where these are not neighbours. */
const TOUCHED_SHARE_MAX = 63 / 64;
const RUN_LINES_MIN = 2;
/** Of a sample: its pieces cut runs short. */
const SAMPLED_RUN_LINES_MIN = 1.75;

/** Where most lines differ, the others must come so many at a time: some of their lanes may cost nothing by themselves. */
const MOST_SHARE = 1 / 2;
const EQUAL_LINES_MIN = 8;

/** A sample may show so many times fewer of those. */
const EQUAL_LINES_SLACK = 2;

/** What a chunk is first judged by. */
const SAMPLE_PIECES = 32;
const SAMPLE_LINES = 16;

/** Lines that differ, in order; neighbours are one run. */
interface Run {
  readonly start: number;
  readonly end: number;
}

export class TouchedLanes {
  private readonly kernels: Kernels;
  private readonly blocks: MarkedLanes;
  /** First lines of the runs of a block and first ones after them. */
  private readonly edges = new Uint32Array(BLOCK_BYTES_MAX / LINE_BYTES + 1);

  constructor(kernels: Kernels, blocks: MarkedLanes) {
    this.kernels = kernels;
    this.blocks = blocks;
  }

  /** Writes whole lanes; `predicted` may go on with a tail. */
  encode(
    writer: ByteWriter,
    raw: Uint8Array,
    predicted: Uint8Array | undefined,
    info: DTypeInfo,
    effort: StreamEffort,
  ): void {
    const base = predicted?.subarray(0, raw.length);
    const runs = this.runs(raw, base);
    if (runs === undefined) {
      this.blocks.encode(writer, raw, base, info, effort);
      return;
    }
    writer.u8(BLOCK.touched);
    writer.varint(runs.length);
    let before = 0;
    for (const { start, end } of runs) {
      writer.varint(start - before);
      writer.varint(end - start);
      before = end;
    }
    const { arena } = this.kernels;
    const mark = arena.mark();
    this.blocks.encode(writer, this.gathered(raw, runs), base && this.gathered(base, runs), info, effort);
    arena.release(mark);
  }

  /** Returns the lines that differ, or undefined where it is not worth telling them apart. */
  private runs(raw: Uint8Array, base: Uint8Array | undefined): Run[] | undefined {
    if (!this.isPromising(raw, base)) return undefined;
    const runs: Run[] = [];
    let touched = 0;
    for (let from = 0; from < raw.length; from += BLOCK_BYTES_MAX) {
      const end = Math.min(raw.length, from + BLOCK_BYTES_MAX);
      const count = this.kernels.differingRuns(
        raw.subarray(from, end),
        base?.subarray(from, end),
        this.edges,
      );
      const first = from / LINE_BYTES;
      for (let run = 0; run < count; run++) {
        const isSame = run === 0 && runs.at(-1)?.end === first + this.edges[0];
        const start = isSame ? runs.pop()?.start : undefined;
        touched += this.edges[2 * run + 1] - this.edges[2 * run];
        runs.push({ start: start ?? first + this.edges[2 * run], end: first + this.edges[2 * run + 1] });
      }
    }
    const all = Math.ceil(raw.length / LINE_BYTES);
    const isMost = touched > all * MOST_SHARE;
    if (isMost && all - touched < runs.length * EQUAL_LINES_MIN) return undefined;
    const isWorth = touched <= all * TOUCHED_SHARE_MAX && touched >= runs.length * RUN_LINES_MIN;
    return isWorth && runs.length > 0 ? runs : undefined;
  }

  /** Judges a few pieces, where a chunk is large enough for that. */
  private isPromising(raw: Uint8Array, base: Uint8Array | undefined): boolean {
    if (raw.length < 2 * SAMPLE_PIECES * SAMPLE_LINES * LINE_BYTES) return true;
    const { touched, runs } = this.kernels.sampleLines(raw, base, SAMPLE_PIECES, SAMPLE_LINES);
    const sampled = SAMPLE_PIECES * SAMPLE_LINES;
    // Each piece may begin amid a run.
    const longest = EQUAL_LINES_MIN / EQUAL_LINES_SLACK;
    if (touched > sampled * MOST_SHARE && sampled - touched < (runs - SAMPLE_PIECES) * longest) return false;
    return touched < sampled * ((1 + TOUCHED_SHARE_MAX) / 2) && touched >= runs * SAMPLED_RUN_LINES_MIN;
  }

  /** Returns the lines of all runs, one after the other. */
  private gathered(bytes: Uint8Array, runs: readonly Run[]): Uint8Array {
    const length = lineBytes(runs, bytes.length);
    const together = scratchBytes(this.kernels, length);
    let at = 0;
    for (const { start, end } of runs) {
      const piece = bytes.subarray(start * LINE_BYTES, end * LINE_BYTES);
      together.set(piece, at);
      at += piece.length;
    }
    return together;
  }

  /** Reads lanes into `memory`, which has room for a tail. */
  decode(
    reader: ByteReader,
    lanes: number,
    tail: number,
    base: Uint8Array | undefined,
    info: DTypeInfo,
    memory: (length: number) => Uint8Array,
  ): Uint8Array {
    if (lanes === 0 || reader.bytes[reader.offset] !== BLOCK.touched || reader.remaining === 0) {
      return this.blocks.decode(reader, lanes, tail, base, info, memory);
    }
    reader.u8();
    const laneEnd = lanes * info.laneBytes;
    const runs = readRuns(reader, Math.ceil(laneEnd / LINE_BYTES));
    const before = base && this.gathered(base.subarray(0, laneEnd), runs);
    const touched = lineBytes(runs, laneEnd) / info.laneBytes;
    const scratch = (length: number) => scratchBytes(this.kernels, length);
    const together = this.blocks.decode(reader, touched, 0, before, info, scratch);
    const raw = memory(laneEnd + tail);
    if (base === undefined) raw.fill(0, 0, laneEnd);
    else raw.set(base.subarray(0, laneEnd));
    let at = 0;
    for (const run of runs) {
      const to = Math.min(laneEnd, run.end * LINE_BYTES);
      const length = to - run.start * LINE_BYTES;
      raw.set(together.subarray(at, at + length), run.start * LINE_BYTES);
      at += length;
    }
    return raw;
  }
}

/** Bytes of the lines of all runs; the last line of a chunk may be shorter than others. */
function lineBytes(runs: readonly Run[], length: number): number {
  let bytes = 0;
  for (const { start, end } of runs) bytes += Math.min(length, end * LINE_BYTES) - start * LINE_BYTES;
  return bytes;
}

/** Reads the runs of a chunk of so many lines. */
function readRuns(reader: ByteReader, lines: number): Run[] {
  const offset = reader.offset;
  const count = reader.varint();
  if (count < 1 || count > lines) reader.fail('record-lines', `${count} runs in ${lines} lines`, offset);
  const runs: Run[] = [];
  let before = 0;
  for (let index = 0; index < count; index++) {
    const start = before + reader.varint();
    const end = start + reader.varint();
    if (end > lines || end === start || (index > 0 && start === before)) {
      reader.fail('record-lines', `a run of lines ${start} to ${end} of ${lines}`, offset);
    }
    runs.push({ start, end });
    before = end;
  }
  return runs;
}
