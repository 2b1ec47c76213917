/** Turns the unpacked form of a file back into it. */
import { ByteReader, ByteWriter } from '../bytes/index.js';
import { corrupt, type ThetalogError } from '../errors.js';
import { type ContentReader, FrameRebuilder } from './rebuild-frame.js';
import { type ByteInput, InputWindow } from './streams.js';
import {
  FORM_HEADER_BYTES,
  FORM_TRAILER_BYTES,
  placeOfScript,
  type UnpackedPart,
  unpackedParts,
} from './unpacked-form.js';

const READ_BYTES = 256 * 1024;
/** What a block makes is little; it is handed over in larger pieces. */
const WRITE_BYTES = 2 ** 20;

/**
 * Hands the file that an unpacked form is of to `write`, in order; what it gets stays as it is until it returns. Throws `corrupt` for
 * what is no unpacked form; whether the file is the right one only its digest tells.
 */
export function rebuild(input: ByteInput, object: string, write: (bytes: Uint8Array) => void): void {
  const output = new Gathered(write);
  const head = read(input, 0, Math.min(FORM_HEADER_BYTES, input.size));
  const trailer = read(input, Math.max(0, input.size - FORM_TRAILER_BYTES), FORM_TRAILER_BYTES);
  const { offset, length } = placeOfScript(head, trailer, input.size, object);
  const body = new WindowContent(new InputWindow(input), FORM_HEADER_BYTES, offset, object);
  const script = new ByteReader(read(input, offset, length), object, 0, length, offset);
  const rebuilder = new FrameRebuilder(body, (bytes) => output.add(bytes));
  for (const part of unpackedParts(script, FORM_HEADER_BYTES, offset)) {
    const start = output.length;
    if (part.kind !== 'nest') rebuildPart(part, rebuilder, body, output);
    else {
      const { content } = readNest(part, body.take(part.bodyLength));
      new FrameRebuilder(new MemoryContent(content, object), (bytes) => output.add(bytes)).rebuild(
        part.script,
      );
    }
    if (output.length - start !== part.length || body.position !== part.position + part.bodyLength)
      script.fail('bad-form', 'a part has another length than stated');
  }
  output.flush();
}

function rebuildPart(
  part: UnpackedPart,
  rebuilder: FrameRebuilder,
  body: ContentReader,
  output: Gathered,
): void {
  if (part.kind === 'frame') rebuilder.rebuild(part.script);
  else if (part.kind === 'script') output.add(part.script.view8(part.length));
  else
    for (let done = 0; done < part.length; done += READ_BYTES)
      output.add(body.take(Math.min(READ_BYTES, part.length - done)));
}

/** The content of a frame that has a script of its own, and the parts of that; these lie as they do in the unpacked form. */
export interface Nest {
  content: Uint8Array;
  parts: UnpackedPart[];
}

/** Puts the content of a part with a script of its own together from its bytes of the body. Reads the part's script to the end. */
export function readNest({ inner, position, script: { object } }: UnpackedPart, bytes: Uint8Array): Nest {
  const parts: UnpackedPart[] = [];
  const pieces = new ByteWriter(inner?.length);
  if (inner === undefined) return { content: bytes, parts };
  const body = new MemoryContent(bytes, object);
  const output = new Gathered((piece) => pieces.bytes(piece));
  const rebuilder = new FrameRebuilder(body, (piece) => output.add(piece));
  for (const part of unpackedParts(inner.script, position, position + bytes.length)) {
    if (part.kind === 'nest') inner.script.fail('bad-form', 'a nest inside of another');
    if (part.length > inner.length - output.length)
      inner.script.fail('bad-form', 'a content is longer than stated');
    const start = output.length;
    rebuildPart(part, rebuilder, body, output);
    if (output.length - start !== part.length || body.position !== part.position - position + part.bodyLength)
      inner.script.fail('bad-form', 'a part has another length than stated');
    parts.push(part);
  }
  output.flush();
  if (output.length !== inner.length)
    inner.script.fail('bad-form', 'a content has another length than stated');
  return { content: pieces.finish(), parts };
}

/** Bytes that are not in memory. */
class WindowContent implements ContentReader {
  position: number;
  private readonly window: InputWindow;
  private readonly end: number;
  private readonly object: string;

  constructor(window: InputWindow, position: number, end: number, object: string) {
    this.window = window;
    this.position = position;
    this.end = end;
    this.object = object;
  }

  take(count: number): Uint8Array {
    const bytes = count > this.end - this.position ? undefined : this.window.view(this.position, count);
    if (bytes === undefined) throw tooShort(this.object, this.position);
    this.position += count;
    return bytes;
  }
}

class MemoryContent implements ContentReader {
  position = 0;
  private readonly bytes: Uint8Array;
  private readonly object: string;

  constructor(bytes: Uint8Array, object: string) {
    this.bytes = bytes;
    this.object = object;
  }

  take(count: number): Uint8Array {
    if (count > this.bytes.length - this.position) throw tooShort(this.object, this.position);
    this.position += count;
    return this.bytes.subarray(this.position - count, this.position);
  }
}

function tooShort(object: string, offset: number): ThetalogError {
  return corrupt('bad-form', 'what a step needs of the body is not there', object, offset);
}

function read(input: ByteInput, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.min(length, input.size - offset));
  input.read(offset, bytes);
  return bytes;
}

/** Collects small pieces. */
class Gathered {
  length = 0;
  private readonly pieces = new ByteWriter(4096);
  private readonly write: (bytes: Uint8Array) => void;

  constructor(write: (bytes: Uint8Array) => void) {
    this.write = write;
  }

  add(bytes: Uint8Array): void {
    this.pieces.bytes(bytes);
    this.length += bytes.length;
    if (this.pieces.length >= WRITE_BYTES) this.flush();
  }

  flush(): void {
    if (this.pieces.length > 0) this.write(this.pieces.written());
    this.pieces.length = 0;
  }
}
