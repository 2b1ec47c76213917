export type { Adapter, Group, RandomAccess, Segmentation, TensorRange, TensorView } from './adapter.js';
