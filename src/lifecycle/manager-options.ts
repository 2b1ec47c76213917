/** What a manager is asked for, in thetalog's own words and in those of other libraries, and the policies that it comes to. */
import type { KeepPolicy } from '../checkpoints/index.js';
import { ThetalogError } from '../errors.js';
import { assertPolicies, keep } from '../maintenance/index.js';
import type { OnBusy } from './save-queue.js';
import { assertInterval, type SaveInterval } from './save-schedule.js';

export interface ManagerOptions {
  /** When `maybeSave` saves: whenever one of these is due. Default: never by itself. */
  every?: SaveInterval;
  /** What stays, made by `keep`; a checkpoint that any policy wants does. Default, with no other option that says: everything. */
  keep?: readonly KeepPolicy[];
  /** `keep.last(n)`, as Orbax calls it. */
  maxToKeep?: number;
  /** `keep.last(n)`, as Hugging Face calls it. */
  saveTotalLimit?: number;
  /** `keep.best(monitor, mode, n)`, as Lightning calls it; -1: everything stays. Default where `monitor` is given: 1. */
  saveTopK?: number;
  /** The metric of `saveTopK`. */
  monitor?: string;
  /** Default: `min`. */
  mode?: 'min' | 'max';
  /**
   * Label of its checkpoints: see `SaveOptions`. What is not there at its first save is `invalid`; later a metric may be missing,
   * and is `none` in the label, for no checkpoint should fail by its label in the middle of the night.
   */
  label?: string;
  /** What `maybeSave` does that finds a save under way: see `Run.save`. `save` always waits. Default: `wait`. */
  onBusy?: OnBusy;
  /**
   * Whether dropped checkpoints are collected: after each `every` of them, or never, where something else calls `gc`. Default:
   * after 8, so that what policies drop does not fill the disk, and not after each, as gc goes through the whole store.
   */
  gc?: 'never' | { every: number };
}

const GC_EVERY_DEFAULT = 8;

/** Returns all policies that the options name, OR-ed; none: everything stays. */
export function policiesOf(options: ManagerOptions): KeepPolicy[] {
  const { maxToKeep, saveTotalLimit, saveTopK, monitor, mode } = options;
  if (monitor === undefined && (saveTopK !== undefined || mode !== undefined)) {
    throw new ThetalogError('invalid', 'no-monitor', 'saveTopK and mode need a metric: monitor.', {
      object: 'monitor',
      hint: "For example: monitor: 'val/loss', mode: 'min', saveTopK: 3",
    });
  }
  const policies = [
    ...(options.keep ?? []),
    ...(maxToKeep === undefined ? [] : [keep.last(maxToKeep)]),
    ...(saveTotalLimit === undefined ? [] : [keep.last(saveTotalLimit)]),
    ...(monitor === undefined || saveTopK === -1 ? [] : [keep.best(monitor, mode, saveTopK)]),
  ];
  if (policies.length > 0) assertPolicies(policies);
  return saveTopK === -1 ? [] : policies;
}

/** Returns after how many dropped checkpoints garbage is collected. */
export function gcIntervalOf({ gc = { every: GC_EVERY_DEFAULT } }: ManagerOptions): number {
  if (gc === 'never') return Number.POSITIVE_INFINITY;
  assertInterval('gc.every', gc.every);
  return gc.every;
}
