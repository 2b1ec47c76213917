/** Drops checkpoints from the catalogue. Their chunks stay until gc, and beyond as far as others are built on them. */
import {
  type ForgetDecision,
  type ForgetResult,
  type KeepPolicy,
  type OperationOptions,
  resolveRef,
  type StoreContext,
} from '../checkpoints/index.js';
import { ThetalogError, throwIfAborted } from '../errors.js';
import type { CatalogueEntry, Root } from '../format/index.js';
import { ObjectWriter } from '../packs/index.js';
import { onFullDisk } from './full-disk.js';
import { assertPolicies, keepReasons } from './retention.js';

export interface ForgetOptions extends OperationOptions {
  /** Checkpoints by name; a tagged or pinned one is a `conflict`. */
  refs?: string[];
  /** The run that the policies apply to; default: every run, each on its own. */
  run?: string;
  keep?: readonly KeepPolicy[];
  dryRun?: boolean;
  /** Keep what no policy keeps, too. */
  keepAll?: boolean;
  /** Returns, of the entries of a run, oldest first, those that stay whatever policies say, by id, and why. */
  spare?: (entries: readonly CatalogueEntry[]) => ReadonlyMap<string, readonly string[]>;
}

/** Forgets the named checkpoints, or those that no policy, tag or pin keeps. */
export async function forgetCheckpoints(
  context: StoreContext,
  options: ForgetOptions,
): Promise<ForgetResult> {
  if (options.dryRun === true) return forget(context, options, true);
  return onFullDisk(context, () => forget(context, options, false));
}

async function forget(context: StoreContext, options: ForgetOptions, dryRun: boolean): Promise<ForgetResult> {
  const objects = new ObjectWriter(context.storage, context.environment.randomHex(8));
  let decisions: ForgetDecision[] = [];
  const decide = async (root: Root): Promise<Map<string, CatalogueEntry[]>> => {
    throwIfAborted(options.signal);
    const named = options.refs !== undefined && options.refs.length > 0;
    const decided = named
      ? await decideByName(context, root, options.refs ?? [])
      : await decideByPolicy(context, root, options);
    decisions = decided.decisions;
    return decided.remaining;
  };
  if (dryRun) {
    await decide(await context.roots.read());
    return { decisions, dryRun };
  }
  let written = false;
  try {
    await context.roots.update(async (root) => {
      if (written && (await isDone(context, root, decisions))) return false;
      const remaining = await decide(root);
      for (const [run, entries] of remaining) {
        if (entries.length === 0) root.runs.delete(run);
        else root.runs.set(run, await context.catalogue.rewrite(run, entries, objects));
      }
      written = true;
      objects.mayBeLive ||= remaining.size > 0;
      return remaining.size > 0;
    });
  } catch (error) {
    await objects.discard();
    throw error;
  }
  return { decisions, dryRun };
}

interface Decided {
  decisions: ForgetDecision[];
  /** The entries that stay, for each run that loses some. */
  remaining: Map<string, CatalogueEntry[]>;
}

async function decideByName(context: StoreContext, root: Root, refs: readonly string[]): Promise<Decided> {
  const doomed = new Map<string, Set<string>>();
  const decisions: ForgetDecision[] = [];
  for (const ref of refs) {
    const { run, entry } = await resolveRef(context.catalogue, root, ref);
    const [reason] = protections(root, entry.id);
    if (reason !== undefined) {
      throw new ThetalogError('conflict', 'protected', `${ref} cannot be forgotten: ${reason}.`, {
        object: ref,
        hint: reason === 'pinned' ? 'Unpin it first.' : 'Remove the tag first.',
      });
    }
    const ids = doomed.get(run) ?? new Set<string>();
    doomed.set(run, ids);
    if (ids.has(entry.id)) continue;
    ids.add(entry.id);
    decisions.push({
      id: entry.id,
      run,
      step: entry.step,
      forget: true,
      reasons: ['named'],
      storedBytes: entry.storedBytes,
    });
  }
  const remaining = new Map<string, CatalogueEntry[]>();
  for (const [run, ids] of doomed) {
    const entries = await context.catalogue.entries(root.runs.get(run) ?? { pages: [] });
    remaining.set(
      run,
      entries.filter((entry) => !ids.has(entry.id)),
    );
  }
  return { decisions, remaining };
}

async function decideByPolicy(context: StoreContext, root: Root, options: ForgetOptions): Promise<Decided> {
  if (options.run !== undefined && !root.runs.has(options.run)) {
    throw new ThetalogError('not-found', 'no-such-run', `There is no run "${options.run}".`, {
      object: options.run,
    });
  }
  const policies = options.keep ?? [];
  if (options.keepAll !== true) assertPolicies(policies);
  const decisions: ForgetDecision[] = [];
  const remaining = new Map<string, CatalogueEntry[]>();
  for (const [run, record] of root.runs) {
    if (options.run !== undefined && run !== options.run) continue;
    const entries = await context.catalogue.entries(record);
    const kept = keepReasons(entries, policies);
    const spared = options.spare?.(entries);
    const staying = entries.filter((entry) => {
      const reasons = [
        ...(kept.get(entry.id) ?? []),
        ...(spared?.get(entry.id) ?? []),
        ...protections(root, entry.id),
      ];
      if (options.keepAll === true) reasons.push('no policy');
      const forget = reasons.length === 0;
      if (forget) reasons.push('no policy keeps it');
      decisions.push({
        id: entry.id,
        run,
        step: entry.step,
        forget,
        reasons,
        storedBytes: entry.storedBytes,
      });
      return !forget;
    });
    if (staying.length < entries.length) remaining.set(run, staying);
  }
  return { decisions, remaining };
}

/** Returns what protects a checkpoint from any forget. */
function protections(root: Root, id: string): string[] {
  const tags = [...root.tags].filter(([, mark]) => mark.id === id).map(([name]) => `tag ${name}`);
  return root.pins.some((pin) => pin.id === id) ? [...tags, 'pinned'] : tags;
}

/** Tells a change whose answer was lost from one that is still to be made. */
async function isDone(
  context: StoreContext,
  root: Root,
  decisions: readonly ForgetDecision[],
): Promise<boolean> {
  for (const decision of decisions) {
    const run = root.runs.get(decision.run);
    if (
      decision.forget &&
      run !== undefined &&
      (await context.catalogue.find(run, decision.id)) !== undefined
    ) {
      return false;
    }
  }
  return true;
}
