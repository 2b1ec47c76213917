/**
 * What a checkpoint says of its training: which tensors an optimizer keeps beside each parameter, and with which settings
 * it works. Read from files that nobody vouches for: a wrong fact costs ratio, never a byte.
 */

/** How one parameter is trained: where its weights and optimizer slots are, and with which settings. */
export interface ParameterFacts {
  /** Key of the range with the weights, as in `TensorRange.key`; null when they are in another file or nowhere. */
  weights: string | null;
  /** Range keys by torch's names of the slots (`exp_avg`, `exp_avg_sq`, `max_exp_avg_sq`, `momentum_buffer`, …). */
  slots: Record<string, string>;
  /** Path of the optimizer it belongs to: numbers of different optimizers have nothing to do with each other. */
  optimizer: string;
  /** Number of its parameter group, and its own number in order of the groups. */
  group: number;
  index: number;
  /** Name as the model or the optimizer has it, if either says. */
  name: string | null;
  shape: number[];
  /** Numbers and booleans of its group by torch's names; `betas` as `beta1` and `beta2`. */
  settings: Record<string, number | boolean>;
  /** Steps taken; null if unknown. */
  step: number | null;
  /** By range key: the file beside this one that holds the range, for those that are not in this file. */
  elsewhere?: Readonly<Record<string, string>>;
}

/** Facts of a checkpoint of several files; range keys are unique only inside a file. */
export interface LinkedParameter extends ParameterFacts {
  /** Positions in the list of files: of the optimizer, of slots that are in others by name, of the weights. */
  slotsFile: number;
  slotFiles?: Readonly<Record<string, number>>;
  weightsFile: number | null;
}

/**
 * Weights and what is made of them: `cast`, 16-bit working weights that are rounded from fp32 ones; `average`, a moving
 * average.
 */
export interface WeightsCopy {
  kind: 'cast' | 'average';
  weights: string;
  weightsFile: number;
  copy: string;
  copyFile: number;
}

/** Settings of the same meaning as torch calls them. */
const TORCH_NAMES = new Map([
  ['learning_rate', 'lr'],
  ['learningRate', 'lr'],
  ['epsilon', 'eps'],
  ['weightDecay', 'weight_decay'],
  ['b1', 'beta1'],
  ['b2', 'beta2'],
  ['beta_1', 'beta1'],
  ['beta_2', 'beta2'],
  ['useNesterov', 'nesterov'],
]);

/** Settings kept of one group, and characters of a name; real ones have about fifteen. Guards memory. */
const SETTINGS_MAX = 64;
const SETTING_NAME_MAX = 64;

/** Collects what is plausible among the settings of an optimizer. */
export class SettingsCollector {
  private readonly found = new Map<string, number | boolean>();

  /** The first value of a name stays. */
  add(name: string, value: unknown): void {
    if (Array.isArray(value)) {
      if (name === 'betas') for (const [at, beta] of value.entries()) this.add(`beta${at + 1}`, beta);
      return;
    }
    const known = TORCH_NAMES.get(name) ?? name;
    const plausible = typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value));
    if (!plausible || known.length > SETTING_NAME_MAX || known === '__proto__') return;
    if (this.found.size < SETTINGS_MAX && !this.found.has(known)) this.found.set(known, value);
  }

  toRecord(): Record<string, number | boolean> {
    return Object.fromEntries(this.found);
  }
}

/** Returns a count of steps, or null for what is none. */
export function stepCount(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}
