export type { Run, SaveHandle, SaveStateOptions } from './run.js';
export { createStore, openStore, type Store } from './store.js';
