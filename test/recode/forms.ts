/** Frames taken apart and put together, and whole files, in memory. */
import { ByteReader, ByteWriter } from '../../src/bytes/index.js';
import { type ByteInput, rebuild, unpack } from '../../src/recode/index.js';
import { FrameRebuilder } from '../../src/recode/rebuild-frame.js';
import { ContentBuffer, InputWindow } from '../../src/recode/streams.js';
import { FrameUnpacker } from '../../src/recode/unpack-frame.js';

export function inputOf(bytes: Uint8Array): ByteInput {
  return {
    size: bytes.length,
    read(offset, target) {
      if (offset < 0 || offset + target.length > bytes.length) throw new Error('reads beyond the end');
      target.set(bytes.subarray(offset, offset + target.length));
    },
  };
}

/** Collects what is written anywhere. */
class Memory {
  bytes = new Uint8Array(1024);
  size = 0;

  write(bytes: Uint8Array, position: number): void {
    this.size = Math.max(this.size, position + bytes.length);
    if (this.size > this.bytes.length) {
      const grown = new Uint8Array(2 * this.size);
      grown.set(this.bytes);
      this.bytes = grown;
    }
    this.bytes.set(bytes, position);
  }
}

/** Returns the unpacked form of a file, and how many frames are in it. */
export function formOf(file: Uint8Array): { form: Uint8Array; frames: number } {
  const memory = new Memory();
  const { size, frames } = unpack(inputOf(file), memory);
  return { form: memory.bytes.slice(0, size), frames };
}

/** Returns the file that an unpacked form is of. */
export function fileOf(form: Uint8Array): Uint8Array {
  const writer = new ByteWriter();
  rebuild(inputOf(form), 'form', (bytes) => writer.bytes(bytes));
  return writer.finish();
}

export interface TakenApart {
  content: Uint8Array;
  structure: Uint8Array;
  /** Where the frame ends. */
  end: number;
}

/** Takes the frame at the start of bytes apart, however much of it is structure. */
export function takeApart(bytes: Uint8Array): TakenApart | undefined {
  const memory = new Memory();
  const content = new ContentBuffer(memory, 0, 0);
  const structure = new ByteWriter();
  const end = new FrameUnpacker(new InputWindow(inputOf(bytes)), content).unpack(0, structure, {
    structure: 2 ** 24,
    content: 2 ** 30,
  });
  content.flush();
  return end === undefined
    ? undefined
    : { content: memory.bytes.slice(0, content.position), structure: structure.finish(), end };
}

export function putTogether({ content, structure }: Pick<TakenApart, 'content' | 'structure'>): Uint8Array {
  const writer = new ByteWriter();
  let used = 0;
  const take = (count: number): Uint8Array => {
    used += count;
    if (used > content.length) throw new RangeError('no more content');
    return content.subarray(used - count, used);
  };
  new FrameRebuilder({ take }, (bytes) => writer.bytes(bytes)).rebuild(
    new ByteReader(structure, 'structure'),
  );
  return writer.finish();
}
