/** Bounds on everything that is read from a store. A count or length beyond them is damage, not a reason to allocate. */

/** The format version this build writes, and the newest it reads. */
export const FORMAT_VERSION = 1;
/** The version of manifests that name footers of packs beside index segments; others stay at version 1. */
export const FOOTERS_VERSION = 2;
/** The version of manifests that have files in unpacked form, the newest this build reads. */
export const MANIFEST_VERSION = 3;
/** The version of catalogue pages with checkpoints that have lost groups to retention; others stay at version 1. */
export const PAGE_VERSION = 2;
/** Payload of one metadata object. Root, pages and manifests of a million tensors stay below it. */
export const PAYLOAD_BYTES_MAX = 512 * 2 ** 20;
/** Longest delta chain: an encoding of this height is read by nothing. */
export const HEIGHT_MAX = 16;
/** Ids that one encoding may read: the base and, for update rules, its siblings. */
export const REFERENCES_MAX = 8;
/** Decoded bytes of a chunk: 2^20 elements of 16 bytes; guards allocation before decoding. */
export const CHUNK_BYTES_MAX = 16 * 2 ** 20;
export const CHUNK_ELEMENTS_DEFAULT = 262_144;
export const CHUNK_ELEMENTS_MIN = 1024;
export const CHUNK_ELEMENTS_MAX = 2 ** 20;
/** Fixed chunk size of short byte streams (skeletons): with the parent's chunk as dictionary it fits deflate's 32 KiB window. */
export const BYTE_CHUNK_BYTES = 24 * 1024;
/** Chunk ids in one shared page of a manifest (64 KiB). */
export const IDS_PER_PAGE = 4096;
/** Dimensions of a tensor. */
export const RANK_MAX = 64;
/** Bytes of a name, key or path. */
export const NAME_BYTES_MAX = 64 * 1024;
export const CHUNK_ID_BYTES = 16;
/** Maps and lists inside each other in a record; the root nests five deep. Guards the call stack. */
export const RECORD_DEPTH_MAX = 32;
/** Permission bits of a file: a restored one must not run as somebody else. */
export const MODE_MAX = 0o777;
