export type { Storage, StoredObject, Versioned } from './storage.js';
