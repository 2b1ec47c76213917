/** Going on where a run stopped: its newest checkpoint that can be restored whole. */
import {
  type CheckpointInfo,
  describe,
  readState,
  type StoreContext,
  withFreshRoot,
} from '../checkpoints/index.js';
import { isThetalogError, ThetalogError } from '../errors.js';
import type { Group, StateValue } from '../tensor/index.js';

export interface ResumeOptions {
  /** Restore only the tensors of these groups; plain data comes back whole. Default: all. */
  groups?: Group[];
  /**
   * The state of the program that is to go on: its arrays are filled and come back in the result. Tensors and groups
   * (`scheduler`, `rng`, `loader`, too) that are missing, too many, or of another dtype or shape are a `conflict` that names each
   * of them, before anything is written.
   */
  into?: StateValue;
}

/** A newer checkpoint that could not be restored. */
export interface SkippedCheckpoint {
  id: string;
  step: number | null;
  /** Why: the object at fault, and what to do about it. */
  error: ThetalogError;
}

export interface Resumed {
  /** The checkpoint that the run goes on from: the next save builds on it. */
  checkpoint: CheckpointInfo;
  state: StateValue;
  /** Newer checkpoints that are damaged, newest first; `repair` says what is left of them. */
  skipped: SkippedCheckpoint[];
}

/**
 * Restores the newest checkpoint of a run whose every byte is right, going back over damaged ones; undefined if the run has no
 * checkpoint yet. Throws `corrupt` if all are damaged, `not-found` if retention dropped groups of it that are wanted, `conflict` for a state to restore into that differs, and `invalid` for a
 * checkpoint that was saved from files.
 */
export async function resumeRun(
  context: StoreContext,
  run: string,
  options: ResumeOptions,
): Promise<Resumed | undefined> {
  const skipped: SkippedCheckpoint[] = [];
  return withFreshRoot(context, async (root) => {
    const record = root.runs.get(run);
    if (record === undefined) return undefined;
    skipped.length = 0;
    for await (const entry of context.catalogue.newestFirst(record)) {
      try {
        const loaded = await context.cache.checkpoint(entry);
        const state = await readState(context, loaded, { ...options, sameGroups: true });
        return { checkpoint: describe(root, run, entry), state, skipped };
      } catch (error) {
        if (!isThetalogError(error, 'corrupt')) throw error;
        // Not damage, if gc took it meanwhile.
        if ((await context.roots.read()).generation !== root.generation) throw error;
        skipped.push({ id: entry.id, step: entry.step, error });
      }
    }
    if (skipped.length === 0) return undefined;
    throw allDamaged(run, skipped);
  });
}

function allDamaged(run: string, skipped: readonly SkippedCheckpoint[]): ThetalogError {
  const [{ error }] = skipped;
  const message = `None of the ${skipped.length} checkpoints of run "${run}" can be restored; the newest: ${error.message}`;
  return new ThetalogError('corrupt', 'nothing-to-resume', message, {
    object: error.object,
    offset: error.offset,
    hint: 'See what is left of them: thetalog check --read-data, then thetalog repair.',
    cause: error,
  });
}
