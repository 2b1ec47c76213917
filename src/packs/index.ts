export { ChunkIndex } from './chunk-index.js';
export { ChunkReader, readRecord } from './chunk-reader.js';
export { ChunkWriter } from './chunk-writer.js';
export { ObjectWriter } from './object-writer.js';
export { type EncodedRecord, PACK_BYTES_TARGET, PackWriter } from './pack-writer.js';
