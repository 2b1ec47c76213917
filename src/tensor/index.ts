export {
  DTYPES,
  type DType,
  type DTypeInfo,
  dtypeById,
  dtypeInfo,
  elementCount,
  isDType,
  tensorBytes,
} from './dtype.js';
export { laneReader } from './element-values.js';
export { GROUPS, type Group, groupOfPath } from './group.js';
export {
  type LinkedParameter,
  type ParameterFacts,
  SettingsCollector,
  stepCount,
  type WeightsCopy,
} from './optimizer-facts.js';
export {
  type FoundTensor,
  flattenState,
  plainOfTensors,
  type StateValue,
  type Tensor,
  type TensorSlot,
  unflattenState,
} from './state-tree.js';
export { type TypedArray, viewOf } from './typed-array.js';
