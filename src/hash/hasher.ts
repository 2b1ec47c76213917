/**
 * Content ids and checksums. None of them is cryptographic: a store is one trust domain.
 *
 * - Chunk ids are XXH3-128 of the decoded bytes, from our kernels.
 * - Checksums of records, footers and small things, and digests of whole files, are XXH64 from xxhash-wasm.
 */
import xxhash from 'xxhash-wasm';
import { toHex } from '../bytes/index.js';
import type { Kernels } from '../kernels/index.js';

declare const chunkIdBrand: unique symbol;

/** The name of a chunk: 32 lower-case hex digits, XXH3-128 of its decoded bytes as xxhsum prints it. */
export type ChunkId = string & { readonly [chunkIdBrand]: true };

/** A digest that is fed piece by piece. */
export interface FileDigest {
  update(bytes: Uint8Array): void;
  /** XXH64 with seed 0 of everything so far, 16 lower-case hex digits. */
  digest(): string;
}

export interface Hasher {
  chunkId(bytes: Uint8Array): ChunkId;
  /** XXH64 with seed 0. */
  checksum(bytes: Uint8Array): bigint;
  /** Starts the digest of a file. */
  file(): FileDigest;
}

/** Bytes that xxhash-wasm gets at a time: it copies them into memory of its own, which never shrinks; and these stay in the cache. */
const PIECE_BYTES = 256 * 1024;

/** Returns a hasher over the given kernels. */
export async function loadHasher(kernels: Kernels): Promise<Hasher> {
  const xx = await xxhash();
  return {
    chunkId: (bytes) => toHex(kernels.contentHash(bytes)) as ChunkId,
    checksum(bytes) {
      if (bytes.length <= PIECE_BYTES) return xx.h64Raw(bytes);
      const state = xx.create64();
      for (let at = 0; at < bytes.length; at += PIECE_BYTES)
        state.update(bytes.subarray(at, at + PIECE_BYTES));
      return state.digest();
    },
    file() {
      const state = xx.create64();
      return {
        update(bytes) {
          state.update(bytes);
        },
        digest: () => state.digest().toString(16).padStart(16, '0'),
      };
    },
  };
}
