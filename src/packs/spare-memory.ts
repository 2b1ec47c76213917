/**
 * Memory that is used again, by this thread and others. New memory is mapped page by page as it is first written to, which
 * takes longer than to read or copy the same bytes. It is shared, not handed over: buffers that come and go make each thread
 * collect garbage all the time, which takes ten times as long as copies of shared memory take more than others.
 */

/**
 * Sizes are rounded up to a multiple of this, below it to a power of two, so that one buffer serves requests of about its size;
 * a restore of a few KB would spend half of its time on 4 MiB.
 */
const STEP_BYTES = 4 * 2 ** 20;
const SIZE_BYTES_MIN = 4096;
/** Kept between operations: what one tensor takes, so that reading one after another maps nothing new. */
const KEPT_BYTES_MAX = 16 * 2 ** 20;

export class SpareMemory {
  private readonly free: SharedArrayBuffer[] = [];

  /** Returns memory with any content, the start of a buffer that nothing else uses until it is given back. */
  take(length: number): Uint8Array {
    const at = this.free.findIndex(({ byteLength }) => byteLength >= length);
    const [known] = at < 0 ? [] : this.free.splice(at, 1);
    // Where all are too small one of them is dropped: what is kept does not grow beyond what is used at once.
    if (known === undefined) this.free.shift();
    return new Uint8Array(known ?? new SharedArrayBuffer(sizeFor(length)), 0, length);
  }

  /** Takes memory back; what came from elsewhere is left to the collector. */
  give(buffer: ArrayBufferLike): void {
    if (!(buffer instanceof SharedArrayBuffer)) return;
    this.free.push(buffer);
    this.free.sort((a, b) => a.byteLength - b.byteLength);
  }

  /** Says that an operation has ended: drops the largest of what is not in use until little is kept. */
  rest(): void {
    let kept = this.free.reduce((sum, { byteLength }) => sum + byteLength, 0);
    while (kept > KEPT_BYTES_MAX) kept -= this.free.pop()?.byteLength ?? kept;
  }
}

function sizeFor(length: number): number {
  if (length > STEP_BYTES / 2) return Math.ceil(length / STEP_BYTES) * STEP_BYTES;
  let size = SIZE_BYTES_MIN;
  while (size < length) size *= 2;
  return size;
}
