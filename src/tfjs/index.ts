/** `thetalog/tfjs`: what training in TensorFlow.js needs to go on exactly where it stopped. */
export { applyState, type RestoredTraining } from './apply-state.js';
export {
  type CapturedOptimizer,
  type CapturedState,
  captureState,
  captureStateAsync,
} from './capture-state.js';
export type {
  Tf,
  TfDType,
  TfLayer,
  TfLayersModel,
  TfLayerVariable,
  TfNewTensor,
  TfOptimizer,
  TfTensor,
  TfVariable,
  Training,
} from './tfjs-types.js';
