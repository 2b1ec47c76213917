export { Arena } from './arena.js';
export { type Formula, type FormulaShape, formulaShape, knowsOrder } from './formulas.js';
export * from './gap-model.js';
export { HUFFMAN_BITS_MAX, huffmanBytesMax, isCompleteHuffman } from './huffman-model.js';
export {
  BLOCK_BYTES_MAX,
  BLOCK_LANES,
  type BoundaryRule,
  type ByteRange,
  type ClassStreams,
  CONTEXT_GROUPS_MAX,
  type CommonBit,
  type ContextTables,
  type FloatLayout,
  type KernelImplementation,
  type Kernels,
  LANE_BYTES_MAX,
  type LaneBytes,
  type LaneKind,
  type LaneLayout,
  LINE_BYTES,
  type LineCounts,
  PROBABILITY_TOTAL,
  REST_BYTES_MAX,
  type SparseStreams,
  STATE_COUNTS,
  type StateCount,
  sevenBytes,
} from './kernels.js';
export { loadKernels } from './loader.js';
export * from './mark-model.js';
export {
  isCompletePrefix,
  PREFIX_BITS_MAX,
  PREFIX_CONTEXTS,
  PREFIX_LENGTHS,
  PREFIX_SYMBOLS,
  type PrefixModel,
  prefixBytesMax,
} from './prefix-model.js';
export { tabledLog2 } from './reference-costs.js';

export * from './step-model.js';
export { adoptKernels, compiledKernels } from './wasm-module.js';
