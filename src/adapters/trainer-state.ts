/**
 * `trainer_state.json` of Hugging Face Trainer checkpoints: no tensors, but the progress of the run. Source:
 * transformers/trainer_callback.py, `TrainerState`.
 */
import { corrupt, ThetalogError } from '../errors.js';
import type { Adapter, Segmentation } from './adapter.js';
import { METRIC_NAME_MAX, METRICS_MAX } from './torch-progress.js';

/** The log in it grows with the run, some 100 bytes a logged step; guards memory. */
const STATE_BYTES_MAX = 64 * 2 ** 20;

/** The state file of a Hugging Face Trainer. */
export const trainerStateAdapter: Adapter = {
  format: 'hf-trainer-state',
  recognises: (_head, name) => /(^|[\\/])trainer_state\.json$/.test(name),
  async segment(source) {
    if (source.size > STATE_BYTES_MAX) {
      const message = `${source.name}: a trainer state of more than ${STATE_BYTES_MAX} bytes is not read`;
      throw new ThetalogError('unsupported', 'trainer-state-too-large', message, { object: source.name });
    }
    const state = parseState(await source.read(0, source.size), source.name);
    return { format: 'hf-trainer-state', ranges: [], ...progressOf(state) };
  },
};

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseState(bytes: Uint8Array, object: string): Fields {
  try {
    // Python writes NaN and Infinity, which are no JSON, where a loss has blown up.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const state: unknown = JSON.parse(text.replace(/([:[,]\s*)(?:NaN|-?Infinity)\b/g, '$1null'));
    if (isFields(state)) return state;
  } catch {
    // Reported below: the parser's own message quotes content, not a place.
  }
  throw corrupt('trainer-state', 'no JSON object', object, 0);
}

function progressOf(state: Fields): Pick<Segmentation, 'step' | 'epoch' | 'metrics'> {
  const { global_step: step, epoch } = state;
  const metrics = lastMetrics(state.log_history);
  return {
    ...(typeof step === 'number' && Number.isSafeInteger(step) && step >= 0 ? { step } : {}),
    ...(typeof epoch === 'number' && epoch >= 0 ? { epoch } : {}),
    ...(metrics.size === 0 ? {} : { metrics: Object.fromEntries(metrics) }),
  };
}

/** The newest value of each logged number; `step` and `epoch` of the log entries are no metrics. */
function lastMetrics(history: unknown): Map<string, number> {
  const metrics = new Map<string, number>();
  if (!Array.isArray(history)) return metrics;
  for (const entry of history.toReversed().filter(isFields)) {
    for (const [key, value] of Object.entries(entry)) {
      const isMetric = key !== 'step' && key !== 'epoch' && key.length <= METRIC_NAME_MAX;
      const wanted = isMetric && !metrics.has(key) && metrics.size < METRICS_MAX;
      if (wanted && typeof value === 'number') metrics.set(key, value);
    }
    if (metrics.size >= METRICS_MAX) break;
  }
  return metrics;
}
