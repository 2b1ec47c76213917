export { keep } from '../maintenance/index.js';
export type { Run, SaveHandle, SaveStateOptions } from './run.js';
export { createStore, openStore, type Store } from './store.js';
