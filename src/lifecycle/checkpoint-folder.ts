/** Finds the checkpoints in a folder that a training program writes to: which paths belong to each, and what state they are in. */
import type { BigIntStats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { findSources, globPattern } from '../checkpoints/index.js';
import { isThetalogError, ThetalogError } from '../errors.js';
import type { Hasher } from '../hash/index.js';
import {
  checkpointOf,
  isCheckpointFile,
  isCheckpointFolder,
  isTemporary,
  isUnfinished,
  type NamedProgress,
  progressOfName,
  shardsOf,
} from './checkpoint-names.js';

/** Which entries of a folder are checkpoints. */
export interface FolderOptions {
  /** Globs over the names of entries: only these are checkpoints. Default: files and folders that are named like some. */
  include?: readonly string[];
  /** Globs over the names of entries that are none. */
  exclude?: readonly string[];
  /** Take the entries of one step as one checkpoint, such as `model_100.pt` and `optimizer_100.pt`. */
  groupByStep?: boolean;
  /**
   * The file that says that a checkpoint is whole: in it, if it is a folder, or beside it, with its name and this extension. One that
   * is older than what it marks does not count.
   */
  marker?: string;
}

/** A checkpoint as it is in a folder now. */
export interface FolderCheckpoint {
  /** Its entry; of several entries what they have in common. */
  name: string;
  /** Its entries, to be saved together. */
  paths: string[];
  /** All its files, relative to the folder, with `/`. */
  files: string[];
  progress: NamedProgress;
  bytes: number;
  /** Milliseconds since 1970 of the latest change of a file. */
  modifiedAt: number;
  /** Stands for the names, sizes and times of all files: another one means other content. */
  version: string;
  /** The same with all that changes when a file is touched or replaced. */
  state: string;
  /** Device and number of each file. */
  inodes: string[];
  /** What it lacks to be whole, as far as names and sizes say. */
  lacks?: string;
}

/** Returns the checkpoints in a folder, in no particular order. Those that vanish meanwhile are left out. */
export async function findCheckpoints(
  folder: string,
  options: FolderOptions,
  hasher: Hasher,
): Promise<FolderCheckpoint[]> {
  const groups = new Map<string, string[]>();
  for (const entry of await readFolder(folder)) {
    if (entry.isSymbolicLink() || !isWanted(entry.name, entry.isDirectory(), options)) continue;
    const key = keyOf(entry.name, options);
    groups.set(key, [...(groups.get(key) ?? []), entry.name]);
  }
  const found: FolderCheckpoint[] = [];
  for (const [name, entries] of groups) {
    const checkpoint = await inspect(folder, name, entries.sort(), options, hasher);
    if (checkpoint !== undefined) found.push(checkpoint);
  }
  return found;
}

async function readFolder(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
    throw new ThetalogError(
      isMissing ? 'not-found' : 'unavailable',
      isMissing ? 'no-such-folder' : 'folder-unreadable',
      isMissing ? `There is no folder ${folder}.` : `${folder} cannot be read (${code}).`,
      { object: folder, cause },
    );
  }
}

function isWanted(name: string, isFolder: boolean, { include, exclude = [] }: FolderOptions): boolean {
  const matches = (glob: string): boolean => globPattern(glob).test(name);
  if (isTemporary(name) || exclude.some(matches)) return false;
  if (include !== undefined && include.length > 0) return include.some(matches);
  return isFolder ? isCheckpointFolder(name) : isCheckpointFile(name);
}

function keyOf(entry: string, { groupByStep }: FolderOptions): string {
  const { step, number } = progressOfName(entry);
  const found = step ?? number;
  return groupByStep === true && found !== undefined ? `step ${found}` : checkpointOf(entry);
}

/**
 * Returns how the checkpoint of these entries is now; undefined if some of it is gone. `pathOf` says under which paths its files are
 * known, where they are not those that they have.
 */
export async function inspect(
  folder: string,
  name: string,
  entries: readonly string[],
  { marker }: Pick<FolderOptions, 'marker'>,
  hasher: Hasher,
  pathOf = (path: string) => path,
): Promise<FolderCheckpoint | undefined> {
  const paths = entries.map((entry) => join(folder, entry));
  const found = await listFiles(folder, paths, pathOf);
  if (found === undefined) return undefined;
  const markers = new Set(found.filter(({ path }) => basename(path) === marker).map(({ path }) => path));
  const marked = found.filter(({ path }) => !markers.has(path));
  const modifiedAt = Math.max(0, ...marked.map(({ status }) => Number(status.mtimeNs) / 1e6));
  const lacks = lackOf(entries, marked) ?? (await lackOfMarker(paths, marker, modifiedAt));
  const digest = (line: (file: FoundFile) => string): string =>
    hasher
      .checksum(new TextEncoder().encode(found.map(line).join('\n')))
      .toString(16)
      .padStart(16, '0');
  const versionOf = ({ path, status }: FoundFile): string => `${path}\t${status.size}\t${status.mtimeNs}`;
  return {
    name,
    paths,
    files: found.map(({ path }) => path),
    progress: progressOfName(entries[0]),
    bytes: found.reduce((sum, { status }) => sum + Number(status.size), 0),
    modifiedAt,
    version: digest(versionOf),
    state: digest((file) => `${versionOf(file)}\t${file.status.ctimeNs}\t${file.status.ino}`),
    inodes: found.map(({ status }) => inodeOf(status)),
    ...(lacks !== undefined && { lacks }),
  };
}

/** Names a file of this machine whatever its path. */
export function inodeOf({ dev, ino }: Pick<BigIntStats, 'dev' | 'ino'>): string {
  return `${dev}:${ino}`;
}

interface FoundFile {
  path: string;
  status: BigIntStats;
}

/** Returns the files in the order in which they are saved; undefined if some vanished meanwhile. */
async function listFiles(
  folder: string,
  paths: readonly string[],
  pathOf: (path: string) => string,
): Promise<FoundFile[] | undefined> {
  try {
    const { files } = await findSources(paths);
    return await Promise.all(
      files.map(async ({ source }) => {
        const path = relative(folder, source).split(sep).join('/');
        return { path: pathOf(path), status: await stat(source, { bigint: true }) };
      }),
    );
  } catch (error) {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (isGone || isThetalogError(error, 'not-found')) return undefined;
    throw error;
  }
}

function lackOf(entries: readonly string[], files: readonly FoundFile[]): string | undefined {
  if (files.length === 0) return 'it has no files';
  for (const { path, status } of files) {
    const name = basename(path);
    if (isUnfinished(name)) return `${path} is a temporary file`;
    if (status.size === 0n && isCheckpointFile(name)) return `${path} is empty`;
  }
  const shards = Math.max(0, ...entries.map((entry) => shardsOf(entry) ?? 0));
  const present = entries.filter((entry) => shardsOf(entry) !== undefined).length;
  return present < shards ? `${present} of ${shards} parts are there` : undefined;
}

async function lackOfMarker(
  paths: readonly string[],
  marker: string | undefined,
  modifiedAt: number,
): Promise<string | undefined> {
  if (marker === undefined) return undefined;
  const extension = marker.startsWith('.') ? marker : `.${marker}`;
  for (const path of paths) {
    const places = [join(path, marker), `${path}${extension}`];
    const times = await Promise.all(places.map((place) => stat(place).catch(() => undefined)));
    const newest = Math.max(-1, ...times.map((status) => status?.mtimeMs ?? -1));
    if (newest < 0) return `its marker ${marker} is not there`;
    if (newest < Math.floor(modifiedAt)) return `its marker ${marker} is older than itself`;
  }
  return undefined;
}
