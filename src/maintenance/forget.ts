/**
 * Drops checkpoints from the catalogue, or groups of them. Their chunks stay until gc, and beyond as far as others are built on
 * them.
 */
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
import type { Group } from '../tensor/index.js';
import { onFullDisk } from './full-disk.js';
import { assertPolicies, groupsLeft, keepReasons, unwantedGroups } from './retention.js';

export interface ForgetOptions extends OperationOptions {
  /** Checkpoints by name; a tagged or pinned one is a `conflict`. */
  refs?: string[];
  /** Only these groups of the named checkpoints stay, instead of nothing. */
  keepGroups?: readonly Group[];
  /** The run that the policies apply to; default: every run, each on its own. */
  run?: string;
  keep?: readonly KeepPolicy[];
  dryRun?: boolean;
  /** Keep what no policy keeps, too. */
  keepAll?: boolean;
  /** Returns, of the entries of a run, oldest first, those that stay whatever policies say, by id, and why. */
  spare?: (entries: readonly CatalogueEntry[]) => ReadonlyMap<string, readonly string[]>;
}

/** Forgets the named checkpoints, or those that no policy, tag or pin keeps, and of others the groups that none keeps. */
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
      ? await decideByName(context, root, options.refs ?? [], options.keepGroups)
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
  /** The entries that stay, as they are then, for each run that loses something. */
  remaining: Map<string, CatalogueEntry[]>;
}

async function decideByName(
  context: StoreContext,
  root: Root,
  refs: readonly string[],
  keepGroups: readonly Group[] | undefined,
): Promise<Decided> {
  const changes = new Map<string, Map<string, CatalogueEntry | undefined>>();
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
    const changed = changes.get(run) ?? new Map<string, CatalogueEntry | undefined>();
    changes.set(run, changed);
    if (changed.has(entry.id)) continue;
    const dropGroups = keepGroups === undefined ? [] : groupsWithout(entry, keepGroups, ref);
    changed.set(entry.id, keepGroups === undefined ? undefined : reduced(entry, dropGroups));
    decisions.push(
      decisionOf(run, entry, { forget: keepGroups === undefined, dropGroups, reasons: ['named'] }),
    );
  }
  const remaining = new Map<string, CatalogueEntry[]>();
  for (const [run, changed] of changes) {
    const entries = await context.catalogue.entries(root.runs.get(run) ?? { pages: [] });
    const staying = entries.flatMap((entry) =>
      changed.has(entry.id) ? (changed.get(entry.id) ?? []) : entry,
    );
    if (!isSameList(entries, staying)) remaining.set(run, staying);
  }
  return { decisions, remaining };
}

/** Returns the groups that a checkpoint has besides those; it must have one of those. */
function groupsWithout(entry: CatalogueEntry, keepGroups: readonly Group[], ref: string): Group[] {
  const left = groupsLeft(entry);
  if (left.some((group) => keepGroups.includes(group)))
    return left.filter((group) => !keepGroups.includes(group));
  const message = `${ref} has none of the groups to keep: ${keepGroups.join(', ')}.`;
  throw new ThetalogError('invalid', 'no-such-group', message, {
    object: ref,
    hint: `It has ${left.join(', ') || 'none'}.`,
  });
}

/** Returns an entry without some of its groups. */
function reduced(entry: CatalogueEntry, dropGroups: readonly Group[]): CatalogueEntry {
  if (dropGroups.length === 0) return entry;
  return { ...entry, droppedGroups: [...entry.droppedGroups, ...dropGroups] };
}

function decisionOf(
  run: string,
  { id, step, storedBytes }: CatalogueEntry,
  decision: Pick<ForgetDecision, 'forget' | 'dropGroups' | 'reasons'>,
): ForgetDecision {
  return { id, run, step, ...decision, storedBytes };
}

function isSameList(a: readonly CatalogueEntry[], b: readonly CatalogueEntry[]): boolean {
  return a.length === b.length && a.every((entry, at) => entry === b[at]);
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
    const unwanted = unwantedGroups(entries, policies);
    const spared = options.spare?.(entries);
    const staying = entries.flatMap((entry) => {
      const protectedBy = [...(spared?.get(entry.id) ?? []), ...protections(root, entry.id)];
      if (options.keepAll === true) protectedBy.push('no policy');
      const reasons = [...(kept.get(entry.id) ?? []), ...protectedBy];
      const forget = reasons.length === 0;
      if (forget) reasons.push('no policy keeps it');
      const dropGroups = protectedBy.length > 0 ? [] : (unwanted.get(entry.id) ?? []);
      decisions.push(decisionOf(run, entry, { forget, dropGroups, reasons }));
      return forget ? [] : reduced(entry, dropGroups);
    });
    if (!isSameList(entries, staying)) remaining.set(run, staying);
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
    if (!decision.forget && decision.dropGroups.length === 0) continue;
    const run = root.runs.get(decision.run);
    const entry = run && (await context.catalogue.find(run, decision.id));
    if (entry === undefined) continue;
    if (decision.forget || decision.dropGroups.some((group) => !entry.droppedGroups.includes(group)))
      return false;
  }
  return true;
}
