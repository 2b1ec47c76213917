/** Turns a file with frames of zstd into its unpacked form. */
import { ByteWriter } from '../bytes/index.js';
import { type ByteInput, type ByteOutput, ContentBuffer, InputWindow } from './streams.js';
import { FrameUnpacker } from './unpack-frame.js';
import { FORM_HEADER_BYTES, FORM_MAGIC, FORM_VERSION, SCRIPT_BYTES_MAX, STEP } from './unpacked-form.js';
import { FRAME_MAGIC } from './zstd-frame.js';

/** Bytes between frames up to so many are in the script, where the next save finds them in nearly the same place. */
const SCRIPT_RUN_MAX = 4096;
/** Frames that do not come back from what they contain, or are none: after so many the rest of a file is left alone. */
const FAILURES_MAX = 64;
const READ_BYTES = 256 * 1024;

export interface Unpacked {
  /** Bytes of the unpacked form. */
  size: number;
  frames: number;
}

/** Writes the unpacked form of `input`. Every frame in it is put together again and compared; one that differs stays as it is. */
export function unpack(input: ByteInput, output: ByteOutput): Unpacked {
  return new Unpacking(input, output).perform();
}

class Unpacking {
  private readonly input: InputWindow;
  private readonly output: ByteOutput;
  private readonly content: ContentBuffer;
  private readonly unpacker: FrameUnpacker;
  private readonly script = new ByteWriter(4096);
  private frames = 0;
  private failures = 0;

  constructor(input: ByteInput, output: ByteOutput) {
    this.input = new InputWindow(input);
    this.output = output;
    this.content = new ContentBuffer(output, FORM_HEADER_BYTES);
    this.unpacker = new FrameUnpacker(this.input, this.content);
  }

  perform(): Unpacked {
    const { input, script, content } = this;
    const head = new Uint8Array(FORM_HEADER_BYTES);
    head.set([...FORM_MAGIC, FORM_VERSION]);
    this.output.write(head, 0);
    let done = 0;
    for (let at = this.findFrame(0); at < input.size; at = this.findFrame(Math.max(done, at + 1))) {
      this.addRun(done, at);
      done = this.addFrame(at) ?? at;
    }
    this.addRun(done, input.size);
    content.flush();
    const end = content.position;
    const { length } = script;
    script.u64(length);
    this.output.write(script.written(), end);
    return { size: end + script.length, frames: this.frames };
  }

  /** Adds the frame at `at`; returns where it ends. Undefined, and nothing is added, where none is that comes back. */
  private addFrame(at: number): number | undefined {
    const { content, script } = this;
    content.flush();
    const { position } = content;
    const structure = new ByteWriter(4096);
    const end = this.unpacker.unpack(at, structure, SCRIPT_BYTES_MAX / 2 - script.length);
    // What is mostly copies is smaller as it is.
    if (end === undefined || structure.length > 64 + (end - at) / 2) {
      this.failures++;
      content.rewind(position);
      return undefined;
    }
    script.u8(STEP.frame);
    script.varint(structure.length);
    script.varint(content.position - position);
    script.varint(end - at);
    script.bytes(structure.written());
    this.frames++;
    return end;
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
    const [first, ...others] = FRAME_MAGIC;
    for (let at = from; at + FRAME_MAGIC.length <= input.size; ) {
      const bytes = input.view(at, Math.min(READ_BYTES, input.size - at));
      const last = (bytes?.length ?? 0) - FRAME_MAGIC.length;
      if (bytes === undefined) break;
      for (
        let found = bytes.indexOf(first);
        found >= 0 && found <= last;
        found = bytes.indexOf(first, found + 1)
      )
        if (others.every((byte, index) => bytes[found + 1 + index] === byte)) return at + found;
      at += last + 1;
    }
    return input.size;
  }
}
