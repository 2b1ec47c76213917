export { keep, type StateDifference } from '../maintenance/index.js';
export type { ManagedSave, Manager } from './manager.js';
export type { ManagerOptions } from './manager-options.js';
export type { Resumed, ResumeOptions, SkippedCheckpoint } from './resume.js';
export type { RetentionResult } from './retention-loop.js';
export type {
  Run,
  SaveHandle,
  SaveOnSignalOptions,
  SaveStateOptions,
  VerifyOptions,
  VerifyResult,
} from './run.js';
export type { OnBusy } from './save-queue.js';
export type { SaveInterval, TrainingProgress } from './save-schedule.js';
export type { SignalOptions, SignalOutcome, SignalWatch } from './signal-watch.js';
export { createStore, openStore, type Store } from './store.js';
