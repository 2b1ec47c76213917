/** Turns the unpacked form of a file back into it. */
import { corrupt } from '../errors.js';
import { type ContentReader, FrameRepacker } from './repack-frame.js';
import { type ByteInput, InputWindow } from './streams.js';
import { FORM_HEADER_BYTES, FORM_TRAILER_BYTES, placeOfScript, unpackedParts } from './unpacked-form.js';

const READ_BYTES = 256 * 1024;
/** What a block makes is little; it is handed over in larger pieces. */
const WRITE_BYTES = 2 ** 20;

/**
 * Hands the file that an unpacked form is of to `write`, in order; what it gets stays as it is until it returns. Throws `corrupt` for
 * what is no unpacked form; whether the file is the right one only its digest tells.
 */
export function repack(input: ByteInput, object: string, write: (bytes: Uint8Array) => void): void {
  const body = new BodyReader(input, object);
  const output = new Gathered(write);
  const repacker = new FrameRepacker(body, (bytes) => output.add(bytes));
  for (const part of unpackedParts(body.script, body.end, object)) {
    const start = output.length;
    if (part.kind === 'frame') repacker.repack(part.script);
    else if (part.kind === 'script') output.add(part.script.view8(part.length));
    else
      for (let done = 0; done < part.length; done += READ_BYTES)
        output.add(body.take(Math.min(READ_BYTES, part.length - done)));
    if (output.length - start !== part.length || body.position !== part.position + part.contentLength)
      part.script.fail('bad-form', 'a part has another length than stated');
  }
  output.flush();
}

/** The body of an unpacked form, in order. */
class BodyReader implements ContentReader {
  position = FORM_HEADER_BYTES;
  readonly end: number;
  readonly script: Uint8Array;
  private readonly window: InputWindow;
  private readonly object: string;

  constructor(input: ByteInput, object: string) {
    this.object = object;
    this.window = new InputWindow(input);
    const head = read(input, 0, Math.min(FORM_HEADER_BYTES, input.size));
    const trailer = read(input, Math.max(0, input.size - FORM_TRAILER_BYTES), FORM_TRAILER_BYTES);
    const script = placeOfScript(head, trailer, input.size, object);
    this.end = script.offset;
    this.script = read(input, script.offset, script.length);
  }

  take(count: number): Uint8Array {
    const bytes = count > this.end - this.position ? undefined : this.window.view(this.position, count);
    if (bytes === undefined) throw corrupt('bad-form', 'the body ends too early', this.object, this.position);
    this.position += count;
    return bytes;
  }
}

function read(input: ByteInput, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.min(length, input.size - offset));
  input.read(offset, bytes);
  return bytes;
}

/** Collects small pieces. */
class Gathered {
  length = 0;
  private readonly buffer = new Uint8Array(WRITE_BYTES);
  private used = 0;
  private readonly write: (bytes: Uint8Array) => void;

  constructor(write: (bytes: Uint8Array) => void) {
    this.write = write;
  }

  /** Takes bytes, fewer than WRITE_BYTES. */
  add(bytes: Uint8Array): void {
    if (this.used + bytes.length > WRITE_BYTES) this.flush();
    this.buffer.set(bytes, this.used);
    this.used += bytes.length;
    this.length += bytes.length;
  }

  flush(): void {
    if (this.used > 0) this.write(this.buffer.subarray(0, this.used));
    this.used = 0;
  }
}
