/** What a manager does after its saves: drops what no policy keeps, and now and then collects garbage. One pass at a time. */
import {
  type ForgetDecision,
  type GcResult,
  type KeepPolicy,
  type StoreContext,
  withFreshRoot,
} from '../checkpoints/index.js';
import { isThetalogError } from '../errors.js';
import type { CatalogueEntry } from '../format/index.js';
import { collectGarbage, forgetCheckpoints } from '../maintenance/index.js';
import type { RunOrigin } from './run-origin.js';

/** What came of one pass. */
export interface RetentionResult {
  /** Every checkpoint that the run had, oldest first, and why it stays or is gone now. */
  decisions: ForgetDecision[];
  /** If garbage was collected. */
  gc?: GcResult;
}

export class RetentionLoop {
  private readonly context: StoreContext;
  private readonly run: string;
  private readonly policies: readonly KeepPolicy[];
  private readonly origin: RunOrigin;
  private readonly gcInterval: number;
  /** Id of the checkpoint that was saved last. */
  private current: string | undefined;
  private dropped = 0;
  private running: Promise<unknown> = Promise.resolve();
  private waiting: Promise<RetentionResult> | undefined;

  constructor(
    context: StoreContext,
    run: string,
    origin: RunOrigin,
    policies: readonly KeepPolicy[],
    gcInterval: number,
  ) {
    this.context = context;
    this.run = run;
    this.origin = origin;
    this.policies = policies;
    this.gcInterval = gcInterval;
  }

  /** Makes a pass once the one under way is over; whoever asks before it begins gets the same one. `saved` is durable. */
  pass(saved: string): Promise<RetentionResult> {
    this.current = saved;
    this.waiting ??= this.running.then(() => {
      this.waiting = undefined;
      return this.perform();
    });
    const { waiting } = this;
    this.running = waiting.catch(() => {});
    return waiting;
  }

  /** Says of each checkpoint that is there why it stays, or would be gone after the next pass. */
  async decide(dryRun = true): Promise<ForgetDecision[]> {
    const { context, run, policies } = this;
    const options = { run, keep: policies, keepAll: policies.length === 0, spare: this.spare, dryRun };
    try {
      return (await withFreshRoot(context, () => forgetCheckpoints(context, options))).decisions;
    } catch (error) {
      // Nothing was saved yet, or somebody has forgotten the whole run.
      if (isThetalogError(error, 'not-found')) return [];
      throw error;
    }
  }

  private async perform(): Promise<RetentionResult> {
    const decisions = await this.decide(false);
    this.dropped += decisions.filter(({ forget, dropGroups }) => forget || dropGroups.length > 0).length;
    if (this.dropped < this.gcInterval) return { decisions };
    this.dropped = 0;
    return { decisions, gc: await withFreshRoot(this.context, () => collectGarbage(this.context)) };
  }

  /** What stays whatever policies say, with the reason. Tags and pins do anyway, and the best wherever a policy asks for it. */
  private readonly spare = (entries: readonly CatalogueEntry[]): Map<string, string[]> => {
    const spared = new Map<string, string[]>();
    for (const id of [entries.at(-1)?.id, this.current]) if (id !== undefined) spared.set(id, ['current']);
    const origin = this.origin.checkpoint?.id;
    if (origin !== undefined) spared.set(origin, [...(spared.get(origin) ?? []), 'resumed from']);
    return spared;
  };
}
