/** Content-defined chunking of opaque bytes: an insertion moves the boundaries near it and no others. */
import type { BoundaryRule, Kernels } from '../kernels/index.js';

/** Smaller chunks would cost more in index entries than they save. */
export const CONTENT_CHUNK_MIN = 16 * 1024;

/** Larger chunks would make a small change expensive. */
export const CONTENT_CHUNK_MAX = 256 * 1024;

/** The masks change here, which pulls chunk lengths towards the average. */
const CONTENT_CHUNK_NORMAL = 64 * 1024;

/** 16 bits before the normal length, 15 after it (64 KiB on average), taken from the top, where the most bytes take part in the hash. */
const RULE: BoundaryRule = {
  minBytes: CONTENT_CHUNK_MIN,
  normalBytes: CONTENT_CHUNK_NORMAL,
  earlyMask: 0xffff0000,
  lateMask: 0xfffe0000,
};

/**
 * Returns the length of the content-defined chunk at the start of `window`, which holds at least CONTENT_CHUNK_MAX bytes
 * or all that is left.
 */
export function nextContentChunk(kernels: Kernels, window: Uint8Array): number {
  if (window.length <= CONTENT_CHUNK_MIN) return window.length;
  return kernels.contentBoundary(window.subarray(0, CONTENT_CHUNK_MAX), RULE);
}
