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
/** Kept in any case: what one tensor takes, so that reading one after another maps nothing new. */
const KEPT_BYTES_MIN = 16 * 2 ** 20;

/** Memory is dropped once so many operations had no use for it. */
const OPERATIONS = 8;

export class SpareMemory {
  /** Smallest first. */
  private readonly free: SharedArrayBuffer[] = [];
  private freeBytes = 0;
  /** The least that was free at any time of this operation, and of each of some before. */
  private leastFree = 0;
  private readonly leastFreeBefore: number[] = [];

  /** Returns memory with any content, the start of a buffer that nothing else uses until it is given back. */
  take(length: number): Uint8Array {
    const known = this.remove(this.free.findIndex(({ byteLength }) => byteLength >= length));
    // Where all are too small one of them is dropped: what is kept does not grow beyond what is used at once.
    if (known === undefined) this.remove(0);
    this.leastFree = Math.min(this.leastFree, this.freeBytes);
    return new Uint8Array(known ?? new SharedArrayBuffer(sizeFor(length)), 0, length);
  }

  /** Takes memory back; what came from elsewhere is left to the collector. */
  give(buffer: ArrayBufferLike): void {
    if (!(buffer instanceof SharedArrayBuffer)) return;
    this.free.push(buffer);
    this.freeBytes += buffer.byteLength;
    this.free.sort((a, b) => a.byteLength - b.byteLength);
  }

  /**
   * Says that an operation has ended: drops what neither it nor any of some before had a use for. Not more: what is dropped stays mapped until
   * a collector comes, which shared memory gives no reason to, while the next operation maps as much anew. Dropping all but 16 MiB, a watch of
   * a hundred checkpoints took up to 1 GB.
   */
  rest(): void {
    this.leastFreeBefore.push(this.leastFree);
    const isKnown = this.leastFreeBefore.length >= OPERATIONS;
    let unused = isKnown ? Math.min(...this.leastFreeBefore, this.freeBytes - KEPT_BYTES_MIN) : 0;
    if (isKnown) this.leastFreeBefore.shift();
    for (let at = this.free.length - 1; at >= 0; at--) {
      if (this.free[at].byteLength > unused) continue;
      unused -= this.free[at].byteLength;
      this.remove(at);
    }
    this.leastFree = this.freeBytes;
  }

  private remove(at: number): SharedArrayBuffer | undefined {
    const [buffer] = at < 0 ? [] : this.free.splice(at, 1);
    this.freeBytes -= buffer?.byteLength ?? 0;
    return buffer;
  }
}

function sizeFor(length: number): number {
  if (length > STEP_BYTES / 2) return Math.ceil(length / STEP_BYTES) * STEP_BYTES;
  let size = SIZE_BYTES_MIN;
  while (size < length) size *= 2;
  return size;
}
