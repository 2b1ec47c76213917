export { keep, type StateDifference } from '../maintenance/index.js';
export type { Manager } from './manager.js';
export type { ManagerOptions, ManagerOptions } from './manager-options.js';
export type {
  Resumed,
  Resumed,
  ResumeOptions,
  ResumeOptions,
  SkippedCheckpoint,
  SkippedCheckpoint,
} from './resume.js';
export type { RetentionResult, RetentionResult } from './retention-loop.js';
export type { Run, SaveOnSignalOptions, VerifyOptions, VerifyResult } from './run.js';
export type { ManagedSave, SaveHandle, SaveStateOptions } from './save-handle.js';
export type { OnBusy, OnBusy } from './save-queue.js';
export type { SaveInterval, SaveInterval, TrainingProgress, TrainingProgress } from './save-schedule.js';
export type {
  SignalOptions,
  SignalOptions,
  SignalOutcome,
  SignalOutcome,
  SignalWatch,
  SignalWatch,
} from './signal-watch.js';
export { createStore, openStore, type Store } from './store.js';
