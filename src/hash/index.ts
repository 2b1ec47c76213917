export { type ChunkId, type FileDigest, type Hasher, isChunkId, loadHasher } from './hasher.js';
