export { ByteReader } from './byte-reader.js';
export { ByteWriter } from './byte-writer.js';
export { fromHex, toHex, writeHex } from './hex.js';
