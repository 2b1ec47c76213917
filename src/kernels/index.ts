export {
  BLOCK_BYTES_MAX,
  BLOCK_LANES,
  type BoundaryRule,
  type KernelImplementation,
  type Kernels,
  LANE_BYTES_MAX,
  type LaneBytes,
  type LaneKind,
  type LaneLayout,
  PROBABILITY_TOTAL,
  type SparseStreams,
  STATE_COUNTS,
  type StateCount,
} from './kernels.js';
export { loadKernels } from './loader.js';
