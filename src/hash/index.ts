export { type ChunkId, type FileDigest, type Hasher, loadHasher } from './hasher.js';
