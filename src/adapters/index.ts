export type { Adapter, Group, RandomAccess, Segmentation, TensorRange, TensorView } from './adapter.js';
export { FolderFiles } from './folder-files.js';
export { type CheckpointFile, linkParameters } from './link-parameters.js';
export { isOcdbtName } from './ocdbt.js';
export { mayBeTied } from './safetensors.js';
export { readSafetensorsIndex } from './safetensors-index.js';
export { type SegmentedFile, segmentFile } from './segment-file.js';
export { parametersOfState, type StateTensor } from './state-parameters.js';
export { copiesOfState } from './weights-copies.js';
