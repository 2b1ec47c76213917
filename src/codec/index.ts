export { type Codec, createCodec, type EncodedChunk, type Level } from './codec.js';
export { CONTENT_CHUNK_MAX, CONTENT_CHUNK_MIN, nextContentChunk } from './content-chunks.js';
