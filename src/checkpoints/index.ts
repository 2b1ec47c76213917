export { chunkAt, chunkStarts } from './chunk-places.js';
export { assertStillThere, CondemnedError } from './commit-guard.js';
export type { StoreContext } from './context.js';
export type * from './difference-types.js';
export { type Environment, systemEnvironment } from './environment.js';
export { exportTensors } from './export-tensors.js';
export type * from './export-types.js';
export { planFiles } from './file-plan.js';
export { withFreshRoot } from './fresh-root.js';
export { globPattern } from './glob.js';
export { planImport } from './import-plan.js';
export { describe, detail, lineage, listCheckpoints } from './inspect.js';
export { assertKept, assertWhole, droppedTensorError, keptPart, loadCheckpoint } from './kept-groups.js';
export { LabelTemplate } from './label.js';
export { WriterLease } from './lease.js';
export {
  type LoadedManifest,
  loadIdPages,
  loadIndex,
  loadManifest,
  readIndexSource,
  rewriteManifest,
  sectionHolders,
} from './manifest-store.js';
export { forkRun, pinCheckpoint, tagCheckpoint, unpinCheckpoint, untagCheckpoint } from './marks.js';
export { type CreateOptions, createContext, type OpenOptions, openContext } from './open-store.js';
export type { SavePlan, SourcePart } from './plan.js';
export { type Located, locate, resolveRef } from './refs.js';
export { restoreFiles } from './restore-files.js';
export { restoreTensors } from './restore-tensors.js';
export { assertRequest, type SavedCheckpoint, saveCheckpoint } from './save.js';
export { SaveTimeline } from './save-timeline.js';
export type * from './save-types.js';
export { findSources } from './source-tree.js';
export { StagingMemory } from './staged-state.js';
export {
  PLAIN_KEY,
  planState,
  progressOf,
  readPlainValues,
  readState,
  withoutTensors,
} from './state-plan.js';
export { readTensors, soleBox } from './tensor-reader.js';
export { timeRestore } from './time-restore.js';
export type * from './types.js';
export { hasSameFiles, verifyFiles } from './verify-files.js';
