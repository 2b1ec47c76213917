export type { Run, SaveHandle } from './run.js';
export { createStore, openStore, type Store } from './store.js';
