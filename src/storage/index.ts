export { BLOCK_BYTES, pageMemory, WINDOW_BYTES } from './direct-file.js';
export { createFileStorage, FileStorage, type FileStorageOptions, openFileStorage } from './file-storage.js';
export { MemoryStorage } from './memory-storage.js';
export type { Space, Storage, StoredObject, Versioned } from './storage.js';
