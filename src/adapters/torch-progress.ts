/**
 * Progress and metrics as training scripts leave them at the top of a torch checkpoint, beside the state dicts. The keys
 * are conventions: those of the torch tutorials, Lightning, nanoGPT, timm and others.
 */
import { dtypeInfo } from '../tensor/index.js';
import type { RandomAccess, Segmentation, TensorRange } from './adapter.js';
import { groupOfFile } from './group-names.js';
import { entriesOf, PickleDict, PickleFloat, type PickleValue } from './pickle-values.js';
import { readTensor } from './torch-tensors.js';

const STEP_KEYS = ['step', 'global_step', 'iteration', 'iter', 'iter_num', 'steps', 'global_steps'];
const EPOCH_KEYS = ['epoch', 'current_epoch'];
const METRIC_DICTS = ['metrics', 'metric'];
/** What training code calls a measure of quality; other numbers at the top (`lr`, `eta_min`, `gamma`) are settings. */
const METRIC_NAMES =
  /loss|acc|metric|score|ppl|perplexity|error|reward|bleu|rouge|psnr|rmse|mse$|mae$|iou|auc|(^|_)f1|^bp[bc]$|^(val|eval|best)_/i;
/** Metrics kept of one checkpoint; guards the catalogue against a dict that is no list of metrics. */
export const METRICS_MAX = 64;
export const METRIC_NAME_MAX = 128;

/** Reads step, epoch and metrics; whatever is not there or not plausible is left out. */
export async function readTorchProgress(
  value: PickleValue,
  ranges: readonly TensorRange[],
  source: RandomAccess,
): Promise<Pick<Segmentation, 'step' | 'epoch' | 'metrics'>> {
  if (!(value instanceof PickleDict) || isRandomStates(ranges, source.name)) return {};
  const { entries } = value;
  const scalars = new ScalarTensors(ranges, source);
  const counter = async (keys: readonly string[]): Promise<number | undefined> => {
    for (const key of keys) {
      const count = plainNumber(entries.get(key)) ?? (await scalars.read(key, entries.get(key)));
      if (count !== undefined && Number.isSafeInteger(count) && count >= 0) return count;
    }
    return undefined;
  };
  const step = await counter(STEP_KEYS);
  const epoch = await counter(EPOCH_KEYS);
  const metrics = await readMetrics(entries, scalars);
  return {
    ...(step === undefined ? {} : { step }),
    ...(epoch === undefined ? {} : { epoch }),
    ...(metrics.size === 0 ? {} : { metrics: Object.fromEntries(metrics) }),
  };
}

/**
 * Whether a file has the states of random generators and nothing else: what accelerate counts beside them begins anew with
 * every process. Megatron's `model_optim_rng.pt` has all of a training.
 */
function isRandomStates(ranges: readonly TensorRange[], name: string): boolean {
  return groupOfFile(name) === 'rng' && ranges.every(({ group }) => group === 'rng');
}

function plainNumber(value: PickleValue | undefined): number | undefined {
  if (value instanceof PickleFloat) return value.value;
  return typeof value === 'number' ? value : undefined;
}

async function readMetrics(
  entries: ReadonlyMap<PickleValue, PickleValue>,
  scalars: ScalarTensors,
): Promise<Map<string, number>> {
  const metrics = new Map<string, number>();
  const add = (key: PickleValue, number: number | undefined): void => {
    if (typeof key !== 'string' || key.length > METRIC_NAME_MAX || metrics.size >= METRICS_MAX) return;
    if (number !== undefined && Number.isFinite(number)) metrics.set(key, number);
  };
  for (const [key, value] of entries) {
    if (typeof key !== 'string' || !METRIC_NAMES.test(key)) continue;
    if (value instanceof PickleFloat) add(key, value.value);
    else add(key, await scalars.read(key, value));
  }
  for (const name of METRIC_DICTS) {
    for (const [key, value] of entriesOf(entries.get(name)) ?? []) add(key, plainNumber(value));
  }
  return metrics;
}

/** Reads zero-dimensional tensors out of the file. */
class ScalarTensors {
  private readonly ranges: readonly TensorRange[];
  private readonly source: RandomAccess;

  constructor(ranges: readonly TensorRange[], source: RandomAccess) {
    this.ranges = ranges;
    this.source = source;
  }

  async read(name: string, value: PickleValue | undefined): Promise<number | undefined> {
    const use = value === undefined ? undefined : readTensor(value, this.source.name);
    if (use === undefined || use.shape.length > 0) return undefined;
    for (const { offset, dtype, tensors } of this.ranges) {
      const view = tensors.find((tensor) => tensor.name === name);
      if (view === undefined) continue;
      const { bytes } = dtypeInfo(dtype);
      return decodeScalar(dtype, await this.source.read(offset + view.elementOffset * bytes, bytes));
    }
    return undefined;
  }
}

/** One little-endian element as a number; undefined for types that are neither counts nor metrics. */
export function decodeScalar(dtype: string, bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (dtype) {
    case 'i64':
      return Number(view.getBigInt64(0, true));
    case 'i32':
      return view.getInt32(0, true);
    case 'i16':
      return view.getInt16(0, true);
    case 'u8':
      return view.getUint8(0);
    case 'f32':
      return view.getFloat32(0, true);
    case 'f64':
      return view.getFloat64(0, true);
    case 'bf16':
      return new Float32Array(new Uint32Array([view.getUint16(0, true) << 16]).buffer)[0];
    default:
      return undefined;
  }
}
