export type { Adapter, Group, RandomAccess, Segmentation, TensorRange, TensorView } from './adapter.js';
export { type SegmentedFile, segmentFile } from './segment-file.js';
