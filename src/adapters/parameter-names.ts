/** What the names of parameters and of their copies mean by the conventions of training code. */
import type { DType } from '../tensor/index.js';

/** Wrappers that put their name into the path of every parameter. */
const WRAPPERS = /(^|\.)(module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)/g;

/** Keys under which whole models are kept. */
const HOLDERS =
  /^((model|net|network|module|state_dict|model_state_dict|model_state|weights|params)(_?(bf16|fp16|f16|half|fp32|f32))?|checkpoint|optimizer|((b?f|b?fp)16|half)_?(model|weights|params|state_dict)?|(fp32|main|master)[a-z0-9_]*)$/i;

/** What moving averages of weights are called, also those that a student learns from. */
const AVERAGE =
  /(^|[._/-])(ema|avg|averaged?|swa|shadow(_params)?|teacher|target(_?net(work)?)?)([._/-]|\d|$)/i;

const MASTER_SLOT = /^(master|main|fp32)(_?(param|weight|copy|p))?s?$/;
const MASTER_LIST =
  /^(.*\.)?(?:fp32_from_fp16(?:_params|_groups)?|fp32_from_float16_groups|single_partition_of_fp32_groups|fp32_flat_groups|master_params|main_params)\.(\d+(?:\.\d+)?)$/;
/** Of ZeRO, once its flat tensors are taken apart. */
const NAMED_PARTITION = /^(.*\.)?single_partition_of_fp32_groups\.\d+\.(.+)$/;

/** Returns the name without the wrappers around the module. */
export function plainParameterName(name: string): string {
  return name.replace(WRAPPERS, '').replace(/^\./, '');
}

/** Returns the name of a parameter inside its model, whatever the file calls the model. */
export function nameInModel(name: string): string {
  const segments = plainParameterName(name).split('.');
  let from = 0;
  while (from < segments.length - 1 && HOLDERS.test(segments[from])) from++;
  return segments.slice(from).join('.');
}

/** Returns whether a name, or the path of a file, is that of a moving average. */
export function isAverage(name: string): boolean {
  return AVERAGE.test(name);
}

/** Returns the name of an averaged parameter inside its model. */
export function nameInAverage(name: string): string {
  const segments = plainParameterName(name).split('.');
  let from = 0;
  while (from < segments.length - 1 && (HOLDERS.test(segments[from]) || AVERAGE.test(segments[from]))) from++;
  return segments.slice(from).join('.');
}

/** Returns true for the slot in which an optimizer keeps the fp32 weights of a 16-bit model. */
export function isMasterSlot(name: string): boolean {
  return MASTER_SLOT.test(name);
}

/**
 * Takes apart the name of a tensor in a list of master weights, as apex, Megatron and DeepSpeed keep it beside the optimizer: its
 * number, those of its group and in it, or the parameter's name.
 */
export function masterListPlace(name: string): { prefix: string; place: string } | undefined {
  const match = MASTER_LIST.exec(name) ?? NAMED_PARTITION.exec(name);
  return match === null ? undefined : { prefix: match[1] ?? '', place: match[2] };
}

/** Returns true for element types that weights and moments are trained in. */
export function isWeightType(dtype: DType): boolean {
  return dtype === 'f32' || dtype === 'f64' || dtype === 'c64' || isHalf(dtype);
}

export function isHalf(dtype: DType): boolean {
  return dtype === 'bf16' || dtype === 'f16';
}
