/**
 * REF syntax (design: "Contracts"): `RUN`, `RUN@latest`, `RUN@step:N`, `RUN@best:METRIC[:min|max]`, a tag, an id or a prefix
 * of one; each may end in `~N`, which follows N parents.
 */
import { ThetalogError } from '../errors.js';
import type { CatalogueEntry, Root } from '../format/index.js';
import type { Catalogue } from './catalogue.js';

/** A checkpoint and the run whose catalogue holds it. */
export interface Located {
  run: string;
  entry: CatalogueEntry;
}

/** Shortest id prefix that is looked up. */
const ID_PREFIX_MIN = 4;

/** Finds the checkpoint that a ref names; throws `not-found`, or `invalid` for bad syntax and ambiguous prefixes. */
export async function resolveRef(catalogue: Catalogue, root: Root, ref: string): Promise<Located> {
  const match = /^(.*?)((?:~\d*)*)$/s.exec(ref);
  const name = match?.[1] ?? ref;
  let located = await resolveName(catalogue, root, name, ref);
  for (const [, digits] of (match?.[2] ?? '').matchAll(/~(\d*)/g)) {
    const generations = digits === '' ? 1 : Number(digits);
    for (let count = 0; count < generations; count++) located = await parentOf(catalogue, root, located, ref);
  }
  return located;
}

async function resolveName(catalogue: Catalogue, root: Root, name: string, ref: string): Promise<Located> {
  const at = name.indexOf('@');
  if (at >= 0) return resolveSelector(catalogue, root, name.slice(0, at), name.slice(at + 1), ref);
  if (root.runs.has(name)) return resolveSelector(catalogue, root, name, 'latest', ref);
  const tag = root.tags.get(name);
  if (tag !== undefined) return requireEntry(await locate(catalogue, root, tag.id, tag.run), ref);
  return resolveId(catalogue, root, name, ref);
}

async function resolveSelector(
  catalogue: Catalogue,
  root: Root,
  run: string,
  selector: string,
  ref: string,
): Promise<Located> {
  const record = root.runs.get(run);
  if (record === undefined) {
    const known = [...root.runs.keys()].slice(0, 8).join(', ') || 'none';
    throw notFound('no-such-run', `There is no run "${run}".`, ref, `Runs in this store: ${known}.`);
  }
  const wanted = parseSelector(selector, ref);
  let best: CatalogueEntry | undefined;
  for await (const entry of catalogue.newestFirst(record)) {
    if (wanted.kind === 'latest') return { run, entry };
    if (wanted.kind === 'step') {
      if (entry.step === wanted.step) return { run, entry };
    } else if (isBetter(entry, best, wanted.metric, wanted.mode)) best = entry;
  }
  if (best !== undefined) return { run, entry: best };
  const what = { latest: 'any checkpoint', step: 'that step', best: 'that metric' }[wanted.kind];
  throw notFound(
    'no-such-checkpoint',
    `Run "${run}" has no checkpoint with ${what}.`,
    ref,
    `See: thetalog list ${run}`,
  );
}

type Selector =
  | { kind: 'latest' }
  | { kind: 'step'; step: number }
  | { kind: 'best'; metric: string; mode: 'min' | 'max' };

function parseSelector(selector: string, ref: string): Selector {
  if (selector === 'latest') return { kind: 'latest' };
  const step = /^step:(\d{1,15})$/.exec(selector);
  if (step !== null) return { kind: 'step', step: Number(step[1]) };
  const best = /^best:(.+?)(?::(min|max))?$/.exec(selector);
  if (best !== null) return { kind: 'best', metric: best[1], mode: best[2] === 'max' ? 'max' : 'min' };
  throw new ThetalogError('invalid', 'bad-ref', `"${ref}" is no ref: unknown selector "@${selector}".`, {
    object: ref,
    hint: 'Use RUN, RUN@latest, RUN@step:N, RUN@best:METRIC[:min|max], a tag or an id; ~N follows parents.',
  });
}

/** Returns true if `entry` beats `best`; of equals the newest wins, and NaN never does. */
function isBetter(
  entry: CatalogueEntry,
  best: CatalogueEntry | undefined,
  metric: string,
  mode: 'min' | 'max',
): boolean {
  const value = metricOf(entry, metric);
  if (value === undefined || Number.isNaN(value)) return false;
  const record = best === undefined ? undefined : metricOf(best, metric);
  if (record === undefined) return true;
  return mode === 'min' ? value < record : value > record;
}

function metricOf(entry: CatalogueEntry, metric: string): number | undefined {
  return Object.hasOwn(entry.metrics, metric) ? entry.metrics[metric] : undefined;
}

async function resolveId(catalogue: Catalogue, root: Root, prefix: string, ref: string): Promise<Located> {
  const found: Located[] = [];
  if (prefix.length >= ID_PREFIX_MIN && /^[0-9a-f]{1,32}$/.test(prefix)) {
    for (const [run, record] of root.runs) {
      for await (const entry of catalogue.newestFirst(record)) {
        if (entry.id.startsWith(prefix)) found.push({ run, entry });
      }
    }
  }
  if (found.length > 1) {
    const ids = found.slice(0, 4).map((item) => item.entry.id.slice(0, 12));
    throw new ThetalogError('invalid', 'ambiguous-ref', `"${ref}" could be ${ids.join(', ')}.`, {
      object: ref,
      hint: 'Give more digits of the id.',
    });
  }
  return requireEntry(found[0], ref);
}

async function parentOf(catalogue: Catalogue, root: Root, child: Located, ref: string): Promise<Located> {
  const { parent } = child.entry;
  if (parent === null) {
    throw notFound(
      'no-parent',
      `Checkpoint ${child.entry.id.slice(0, 12)} has no parent.`,
      ref,
      'It starts its run.',
    );
  }
  return requireEntry(await locate(catalogue, root, parent, child.run), ref);
}

/** Finds a checkpoint by its whole id, in `firstRun` first. */
export async function locate(
  catalogue: Catalogue,
  root: Root,
  id: string,
  firstRun: string,
): Promise<Located | undefined> {
  const runs = [firstRun, ...[...root.runs.keys()].filter((run) => run !== firstRun)];
  for (const run of runs) {
    const record = root.runs.get(run);
    const entry = record === undefined ? undefined : await catalogue.find(record, id);
    if (entry !== undefined) return { run, entry };
  }
  return undefined;
}

function requireEntry(located: Located | undefined, ref: string): Located {
  if (located !== undefined) return located;
  throw notFound('no-such-ref', `No run, tag or checkpoint matches "${ref}".`, ref, 'See: thetalog list');
}

function notFound(code: string, message: string, object: string, hint: string): ThetalogError {
  return new ThetalogError('not-found', code, message, { object, hint });
}
