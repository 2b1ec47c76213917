/**
 * Writes large files past the page cache (`O_DIRECT` of open(2)): the system neither copies them into memory of its own nor drops
 * for them what others have there, such as training data. Where that cannot be done, files are written the usual way.
 */
import { constants } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { errnoOf } from './file-errors.js';

/** Memory, positions and lengths of direct writes are multiples of a disk's blocks; few have larger ones. */
export const BLOCK_BYTES = 4096;
/** One write: from here on larger ones are no faster. */
export const WINDOW_BYTES = 4 * 2 ** 20;

/** What systems answer that do not write directly, or only from other memory or by other lengths. */
const REFUSALS = ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/** Absent on systems that know no such flag. */
const DIRECT: number | undefined = constants.O_DIRECT;

/** A direct write was not done, or not as far as another one could go on. */
class Refused extends Error {}

/** One is filled while the other is written. */
type Windows = readonly [Uint8Array, Uint8Array];

/** Those of the last file: new memory is slow to fill. */
let spareWindows: Windows | undefined;

/**
 * Creates a file of the concatenated parts and returns it open, not yet synced; undefined if the system refuses direct writes:
 * then there is no file. Throws what the calls throw; then there may be one.
 */
export async function createDirectly(
  path: string,
  flags: number,
  parts: readonly Uint8Array[],
): Promise<FileHandle | undefined> {
  if (DIRECT === undefined) return undefined;
  let file: FileHandle | undefined;
  try {
    file = await open(path, flags | DIRECT, 0o666);
    await fill(file, parts);
    return file;
  } catch (error) {
    await file?.close().catch(() => {});
    if (!(error instanceof Refused) && !REFUSALS.includes(errnoOf(error) ?? '')) throw error;
    // Also if it could not be opened: some systems create it before they refuse.
    await unlink(path).catch(() => {});
    return undefined;
  }
}

async function fill(file: FileHandle, parts: readonly Uint8Array[]): Promise<void> {
  const windows = spareWindows ?? [pageMemory(WINDOW_BYTES), pageMemory(WINDOW_BYTES)];
  spareWindows = undefined;
  try {
    await writeAll(file, parts, windows);
  } finally {
    spareWindows = windows;
  }
}

/**
 * Whole blocks are written, from where they are if memory and position suit the disk; the last one is filled up with zeros, which
 * are cut off again.
 */
async function writeAll(
  file: FileHandle,
  parts: readonly Uint8Array[],
  [first, second]: Windows,
): Promise<void> {
  let [window, other] = [first, second];
  let writing: Promise<void> = Promise.resolve();
  let position = 0;
  let used = 0;
  /** Begins to write, once what came before is written. */
  const write = async (blocks: Uint8Array): Promise<void> => {
    await writing;
    writing = writeBlocks(file, blocks, position);
    position += blocks.length;
  };
  const flush = async (): Promise<void> => {
    if (used === 0) return;
    await write(window.subarray(0, used));
    [window, other] = [other, window];
    used = 0;
  };
  for (const part of parts) {
    const direct =
      used % BLOCK_BYTES === 0 && beginsPage(part) ? part.length - (part.length % BLOCK_BYTES) : 0;
    if (direct > 0) {
      await flush();
      await write(part.subarray(0, direct));
    }
    for (let done = direct; done < part.length; ) {
      const bytes = part.subarray(done, done + WINDOW_BYTES - used);
      window.set(bytes, used);
      used += bytes.length;
      done += bytes.length;
      if (used === WINDOW_BYTES) await flush();
    }
  }
  const end = position + used;
  const blocks = Math.ceil(used / BLOCK_BYTES) * BLOCK_BYTES;
  window.fill(0, used, blocks);
  used = blocks;
  await flush();
  await writing;
  const stored = (await file.stat()).size;
  if (stored !== position) throw new Error(`${position} bytes were written but the file has ${stored}`);
  await file.truncate(end);
}

async function writeBlocks(file: FileHandle, blocks: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < blocks.length; ) {
    const { bytesWritten } = await file.write(blocks, done, blocks.length - done, position + done);
    // A full disk takes less than was asked; the usual way then finds out what is wrong.
    if (bytesWritten === 0 || bytesWritten % BLOCK_BYTES !== 0) throw new Refused();
    done += bytesWritten;
  }
}

/** Memory that may grow begins with a page; what malloc(3) gives does not. */
export function pageMemory(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length, { maxByteLength: length }), 0, length);
}

function beginsPage({ buffer, byteOffset }: Uint8Array): boolean {
  return buffer instanceof ArrayBuffer && buffer.resizable && byteOffset % BLOCK_BYTES === 0;
}
