/** The public door of thetalog. Everything else is internal. */
export type {
  ChainOptions,
  CheckpointDetail,
  CheckpointInfo,
  CheckReport,
  CompactResult,
  CreateOptions,
  Damage,
  Difference,
  Environment,
  ExplainedGroup,
  FileInfo,
  ForgetDecision,
  ForgetResult,
  GcResult,
  KeepPolicies,
  OpenOptions,
  OperationOptions,
  Progress,
  RestoreFilesOptions,
  RestoreResult,
  SaveExplanation,
  SaveFilesOptions,
  SaveOptions,
  SaveResult,
  StoreStats,
  TensorData,
  TensorDifference,
  TensorInfo,
  Warning,
} from './checkpoints/index.js';
export { type ErrorDetails, type ErrorKind, isThetalogError, ThetalogError } from './errors.js';
export {
  createStore,
  openStore,
  type RestoreStateOptions,
  type Run,
  type SaveHandle,
  type Store,
} from './lifecycle/index.js';
export { MemoryStorage, type Storage, type StoredObject, type Versioned } from './storage/index.js';
export type { DType, Group, StateValue, Tensor, TypedArray } from './tensor/index.js';
