export { keep, type StateDifference } from '../maintenance/index.js';
export type { Resumed, ResumeOptions, SkippedCheckpoint } from './resume.js';
export type { Run, SaveHandle, SaveStateOptions, VerifyOptions, VerifyResult } from './run.js';
export { createStore, openStore, type Store } from './store.js';
