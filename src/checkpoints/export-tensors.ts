/** Exports tensors of a checkpoint as safetensors: one file, or shards and their index. */
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { targetError } from '../compute/index.js';
import { ThetalogError } from '../errors.js';
import type { TensorLayout } from '../format/index.js';
import type { StoreContext } from './context.js';
import { type ExportPlan, type Provenance, planExport } from './export-plan.js';
import type { ExportOptions } from './export-types.js';
import { matcher } from './glob.js';
import type { LoadedManifest } from './manifest-store.js';
import { tensorsFor } from './restore-tensors.js';
import { type StagedShard, stageShards } from './safetensors-writer.js';
import { digestOf, StagedFiles, syncDirectory } from './target-files.js';

const EXTENSION = '.safetensors';
/** What readers call the model of a folder. */
const MODEL = 'model';
/** All files that readers of a folder could take for it, or for a part of it. */
const MODEL_FILES = /^model(-\d{5,}-of-\d{5,})?\.safetensors$|^model\.safetensors\.index\.json$/;

export interface ExportedFiles {
  /** Names below the folder; those that were there already with equal content are not among them. */
  files: string[];
  /** Of the whole export, in bytes. */
  bytes: number;
  /** Written tensors. */
  tensors: number;
  tied: Record<string, string>;
}

/** Writes the wanted tensors. Files appear whole, by rename, the index last; if anything fails, none of them does. */
export async function exportTensors(
  context: StoreContext,
  loaded: LoadedManifest,
  provenance: Provenance,
  options: ExportOptions,
): Promise<ExportedFiles> {
  const isFile = options.out.endsWith(EXTENSION);
  if (isFile && options.shardSize !== undefined) throw shardedFile(options.out);
  const folder = isFile ? dirname(options.out) : options.out;
  const base = isFile ? basename(options.out).slice(0, -EXTENSION.length) : MODEL;
  const plan = planExport(loaded.layout, wantedTensors(loaded, options), base, provenance, options);
  const stale = isFile ? [] : await otherModelFiles(folder, namesOf(plan));
  if (stale.length > 0 && options.force !== true) throw different(stale[0]);
  const present = await digestsOf(context, folder, plan, options);
  const staged = new StagedFiles(folder, context.hasher, context.environment);
  try {
    const made = await stageShards(context, loaded, staged, plan.shards, options);
    if (plan.index !== undefined) made.push(await stageIndex(staged, plan.index));
    const changed = made.filter(({ name, digest }) => present.get(name) !== digest);
    const replaced = changed.filter(({ name }) => present.has(name));
    if (replaced.length > 0 && options.force !== true) throw different(replaced[0].name);
    await publish(staged, { folder, made, changed, index: plan.index?.name, present });
    await remove(folder, stale);
    return { files: changed.map(({ name }) => name), ...sizesOf(plan) };
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

function wantedTensors(
  loaded: LoadedManifest,
  { include = ['*'], exclude = [], groups }: ExportOptions,
): TensorLayout[] {
  const [isIncluded, isExcluded] = [matcher(include), matcher(exclude)];
  const isWanted = (name: string, { group }: TensorLayout): boolean =>
    isIncluded(name) && !isExcluded(name) && groups?.includes(group) !== false;
  const what = [...(groups ?? []), ...include, ...exclude.map((glob) => `not ${glob}`)].join(', ');
  return tensorsFor(loaded, isWanted, what);
}

function namesOf({ shards, index }: ExportPlan): string[] {
  return [...shards.map(({ name }) => name), ...(index === undefined ? [] : [index.name])];
}

function sizesOf({ shards, index, tied }: ExportPlan): Omit<ExportedFiles, 'files'> {
  return {
    bytes: shards.reduce((sum, { size }) => sum + size, index?.bytes.length ?? 0),
    tensors: shards.reduce((sum, { tensors }) => sum + tensors.length, 0),
    tied,
  };
}

/** Returns the digests of files that are there already; one of another size is a `conflict` at once, unless it may be replaced. */
async function digestsOf(
  { hasher }: StoreContext,
  folder: string,
  { shards, index }: ExportPlan,
  { force }: ExportOptions,
): Promise<Map<string, string>> {
  const sizes = new Map(shards.map(({ name, size }) => [name, size]));
  if (index !== undefined) sizes.set(index.name, index.bytes.length);
  const present = new Map<string, string>();
  for (const [name, size] of sizes) {
    const digest = await digestOf(hasher, join(folder, name), size);
    if (digest === 'differs' && force !== true) throw different(name);
    if (digest !== undefined) present.set(name, digest);
  }
  return present;
}

async function stageIndex(
  staged: StagedFiles,
  { name, bytes }: { name: string; bytes: Uint8Array },
): Promise<StagedShard> {
  const file = await staged.create(name, 0o644);
  await file.write(bytes, 0);
  return { name, file, digest: await file.finish() };
}

interface Publication {
  folder: string;
  made: readonly StagedShard[];
  changed: readonly StagedShard[];
  index: string | undefined;
  present: ReadonlyMap<string, string>;
}

/** Whoever reads the folder meanwhile sees the old model, none, or the new one: the index goes before its shards are replaced. */
async function publish(
  staged: StagedFiles,
  { folder, made, changed, index, present }: Publication,
): Promise<void> {
  const wouldMix = index !== undefined && changed.some(({ name }) => name !== index && present.has(name));
  if (wouldMix) await remove(folder, [index]);
  for (const shard of made)
    if (!changed.includes(shard) && !(wouldMix && shard.name === index)) await staged.drop(shard.file);
  await staged.publish();
}

/** Returns files of a folder that are of the same model, as readers see it, and will not be of this export. */
async function otherModelFiles(folder: string, names: readonly string[]): Promise<string[]> {
  try {
    const present = await readdir(folder);
    return present.filter((name) => MODEL_FILES.test(name) && !names.includes(name)).sort();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw targetError(folder, cause);
  }
}

async function remove(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await rm(join(folder, name), { force: true }).catch((cause: unknown) => {
      throw targetError(join(folder, name), cause);
    });
  }
  if (names.length > 0) await syncDirectory(folder);
}

function different(name: string): ThetalogError {
  const message = `${name} exists, of another model or another export.`;
  const hint = 'Export into another folder, or use --force to replace the model in it.';
  return new ThetalogError('conflict', 'file-exists', message, { object: name, hint });
}

function shardedFile(out: string): ThetalogError {
  const message = `${out} is one file, and a shard size was given.`;
  return new ThetalogError('invalid', 'shards-in-one-file', message, { object: out, hint: 'Name a folder.' });
}
