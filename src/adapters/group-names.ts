/** Which group of a checkpoint a name belongs to. Names are conventions of training code, not part of any format. */
import type { Group } from './adapter.js';

/** In the order of asking: `lr_scheduler_optimizer` is a scheduler, `model_rng_state` a random number generator. */
const KEY_GROUPS: readonly (readonly [RegExp, Group])[] = [
  [/callback|config|hparam|hyper_?param|^args$|^loops$/, 'extra'],
  [/sched/, 'scheduler'],
  [/(^|[._])rng|random_?state|random_number|(torch|cuda|numpy|python)_state/, 'rng'],
  [/loader|sampler/, 'loader'],
  [/optim|^opts?(_|$)/, 'optimizer'],
  [
    /model|state_?dict|^net|network|module|(^|_)ema(_|$)|weights|params|encoder|decoder|backbone|generator|discriminator|critic|actor|policy|teacher|student|adapter|lora/,
    'model',
  ],
];

/** Names that optimizers give to their state tensors, as the last segment of a path. */
const MOMENT_NAMES = /(^|[./])(exp_avg|exp_avg_sq|max_exp_avg_sq|momentum_buffer|square_avg|grad_avg)$/;

/** Returns the group that a top-level key of a checkpoint stands for, or undefined for an unknown key. */
export function groupOfKey(key: string): Group | undefined {
  const lower = key.toLowerCase();
  return KEY_GROUPS.find(([pattern]) => pattern.test(lower))?.[1];
}

/**
 * Returns the group of a tensor in a format without groups (safetensors, npy, npz): `model`, unless its first segment or
 * its last says that it is training state. `decoder.scheduler.weight` stays in the model.
 */
export function groupOfTensorName(name: string): Group {
  if (MOMENT_NAMES.test(name)) return 'optimizer';
  const first = name.split(/[./]/, 1)[0];
  if (first === name) return 'model';
  const group = /^(optim|opts?(_|$)|.*sched|.*rng|.*random_?state|.*loader|.*sampler)/.test(
    first.toLowerCase(),
  )
    ? groupOfKey(first)
    : undefined;
  return group ?? 'model';
}

/** Returns the group of what a file holds without saying what it is: `rng_state_0.pth` of a Hugging Face checkpoint. */
export function groupOfFile(name: string): Group {
  const stem = name.replace(/^.*[\\/]/, '').replace(/\.[^.]*$/, '');
  const group = groupOfKey(stem);
  return group === undefined || group === 'model' ? 'extra' : group;
}
