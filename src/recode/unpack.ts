/** Turns a file with frames of zstd into its unpacked form. */
import { ByteWriter } from '../bytes/index.js';
import { type ByteInput, type ByteOutput, ContentBuffer, InputWindow } from './streams.js';
import { FrameUnpacker } from './unpack-frame.js';
import {
  FORM_HEADER_BYTES,
  FORM_MAGIC,
  FORM_VERSION,
  NEST_BYTES_MAX,
  SCRIPT_BYTES_MAX,
  STEP,
} from './unpacked-form.js';
import { FRAME_MAGIC } from './zstd-frame.js';

/** Bytes between frames up to so many are in the script, where the next save finds them in nearly the same place. */
const SCRIPT_RUN_MAX = 4096;
/** Frames that do not come back from what they contain, or are none: after so many the rest of a file is left alone. */
const FAILURES_MAX = 64;
/** What a file may contain, and as a multiple of its bytes: moments before the first step are nothing but zeros, but disks could be filled. */
const CONTENT_BYTES_MIN = 64 * 2 ** 20;
const INFLATION_MAX = 8;
const READ_BYTES = 256 * 1024;

export interface Unpacked {
  /** Bytes of the unpacked form. */
  size: number;
  frames: number;
}

/** Writes the unpacked form of `input`. Every frame in it is put together again and compared; one that differs stays as it is. */
export function unpack(input: ByteInput, output: ByteOutput): Unpacked {
  const head = new Uint8Array(FORM_HEADER_BYTES);
  head.set([...FORM_MAGIC, FORM_VERSION]);
  output.write(head, 0);
  const unpacking = new Unpacking(input, output, FORM_HEADER_BYTES, true);
  const end = unpacking.perform();
  const { script, frames } = unpacking;
  const { length } = script;
  script.u64(length);
  output.write(script.written(), end);
  return { size: end + script.length, frames };
}

class Unpacking {
  readonly script = new ByteWriter(4096);
  frames = 0;
  private failures = 0;
  private readonly input: InputWindow;
  private readonly content: ContentBuffer;
  private readonly unpacker: FrameUnpacker;
  private readonly mayNest: boolean;
  /** Where the body must end. */
  private readonly contentEnd: number;

  constructor(input: ByteInput, output: ByteOutput, position: number, mayNest: boolean) {
    this.contentEnd = mayNest ? CONTENT_BYTES_MIN + INFLATION_MAX * input.size : NEST_BYTES_MAX;
    this.input = new InputWindow(input);
    this.content = new ContentBuffer(output, position, mayNest ? NEST_BYTES_MAX : 0);
    this.unpacker = new FrameUnpacker(this.input, this.content);
    this.mayNest = mayNest;
  }

  /** Writes the body and the script; returns where the body ends. */
  perform(): number {
    const { input, content } = this;
    let done = 0;
    let next = 0;
    for (let at = this.findFrame(0); at < input.size; at = this.findFrame(next)) {
      this.addRun(done, at);
      const frame = this.addFrame(at);
      next = frame?.end ?? at + 1;
      done = frame?.isAdded === true ? next : at;
    }
    this.addRun(done, input.size);
    content.flush();
    return content.position;
  }

  /** Adds the frame at `at`, if that is worth it; returns where it ends. Undefined where none is that comes back. */
  private addFrame(at: number): { end: number; isAdded: boolean } | undefined {
    const { content, script } = this;
    content.flush();
    const { position } = content;
    const structure = new ByteWriter(4096);
    const ends = { structure: SCRIPT_BYTES_MAX / 2 - script.length, content: this.contentEnd };
    const end = this.unpacker.unpack(at, structure, ends);
    // What is mostly copies is smaller as it is.
    if (end === undefined || structure.length > 64 + (end - at) / 2) {
      if (content.position > ends.content) this.failures = FAILURES_MAX;
      if (end === undefined) this.failures++;
      content.rewind(position);
      return end === undefined ? undefined : { end, isAdded: false };
    }
    const bytes = this.mayNest ? content.since(position) : undefined;
    const nest = bytes === undefined ? undefined : unpackInside(bytes);
    if (nest !== undefined) {
      content.rewind(position);
      content.append(nest.body);
    }
    script.u8(nest === undefined ? STEP.frame : STEP.nest);
    script.varint(end - at);
    script.varint(content.position - position);
    script.varint(structure.length);
    script.bytes(structure.written());
    if (nest !== undefined) {
      script.varint(nest.contentLength);
      script.varint(nest.script.length);
      script.bytes(nest.script);
    }
    this.frames++;
    return { end, isAdded: true };
  }

  /** Adds bytes as they are. */
  private addRun(from: number, to: number): void {
    const { input, script, content } = this;
    const length = to - from;
    if (length === 0) return;
    const isShort = length <= SCRIPT_RUN_MAX;
    script.u8(isShort ? STEP.script : STEP.body);
    script.varint(length);
    for (let at = from; at < to; at += READ_BYTES) {
      const bytes = input.view(at, Math.min(READ_BYTES, to - at));
      if (bytes === undefined) return;
      if (isShort) script.bytes(bytes);
      else content.append(bytes);
    }
  }

  /** Returns where the next frame may begin; the end of the file if nowhere. */
  private findFrame(from: number): number {
    const { input } = this;
    if (this.failures >= FAILURES_MAX) return input.size;
    for (let at = from; at + FRAME_MAGIC.length <= input.size; ) {
      const bytes = input.view(at, Math.min(READ_BYTES, input.size - at));
      if (bytes === undefined) break;
      const found = indexOfMagic(bytes);
      if (found >= 0) return at + found;
      at += bytes.length - FRAME_MAGIC.length + 1;
    }
    return input.size;
  }
}

function indexOfMagic(bytes: Uint8Array): number {
  const [first, ...others] = FRAME_MAGIC;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1))
    if (others.every((byte, index) => bytes[at + 1 + index] === byte)) return at;
  return -1;
}

/** The content of a frame, unpacked. */
interface Nest {
  contentLength: number;
  body: Uint8Array;
  script: Uint8Array;
}

/** Unpacks frames inside the content of one; undefined where there are none. */
function unpackInside(content: Uint8Array): Nest | undefined {
  if (content.length > NEST_BYTES_MAX || indexOfMagic(content) < 0) return undefined;
  const bytes = content.slice();
  const input: ByteInput = {
    size: bytes.length,
    read: (offset, target) => target.set(bytes.subarray(offset, offset + target.length)),
  };
  const body = new MemoryOutput();
  const unpacking = new Unpacking(input, body, 0, false);
  const length = unpacking.perform();
  if (unpacking.frames === 0 || length > NEST_BYTES_MAX) return undefined;
  return {
    contentLength: bytes.length,
    body: body.bytes.subarray(0, length),
    script: unpacking.script.finish(),
  };
}

class MemoryOutput implements ByteOutput {
  bytes = new Uint8Array(4096);

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(2 * end);
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.bytes.set(bytes, position);
  }
}
