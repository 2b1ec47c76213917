/** What a program holds of a save that goes on in the background. */
import type { SaveOptions, SaveResult } from '../checkpoints/index.js';
import type { BackgroundWork } from './failures.js';
import type { RetentionResult } from './retention-loop.js';

/** A save under way: its bytes are staged, so the caller may go on changing the state. */
export interface SaveHandle {
  /**
   * Resolves once the checkpoint is durable; rejects if it could not be saved. Who takes this promise gets the error; if nobody
   * does, the next save of the run throws it, or closing the store. It is never an unhandled rejection.
   */
  readonly committed: Promise<SaveResult>;
}

export interface SaveStateOptions extends SaveOptions {
  /**
   * Read the state while it is encoded instead of copying all of it first, which takes less memory: `save` then resolves, or
   * rejects, only once the checkpoint is durable, and the state must not change before. Default: false.
   */
  synchronous?: boolean;
}

/** A save under way, and what follows it. */
export interface ManagedSave extends SaveHandle {
  /**
   * Resolves once, after this save, what no policy keeps is dropped: with all decisions and their reasons. One pass may follow
   * several saves. Like `committed` it need not be waited for.
   */
  readonly retained: Promise<RetentionResult>;
}

export class StagedHandle implements SaveHandle {
  readonly #committed: BackgroundWork<SaveResult>;

  constructor(committed: BackgroundWork<SaveResult>) {
    this.#committed = committed;
  }

  get committed(): Promise<SaveResult> {
    return this.#committed.take();
  }
}

export class StagedManagedSave extends StagedHandle implements ManagedSave {
  readonly #retained: BackgroundWork<RetentionResult>;

  constructor(committed: BackgroundWork<SaveResult>, retained: BackgroundWork<RetentionResult>) {
    super(committed);
    this.#retained = retained;
  }

  get retained(): Promise<RetentionResult> {
    return this.#retained.take();
  }
}
