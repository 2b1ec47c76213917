/** Finds out which files some process has open for writing, where the system tells (Linux, processes of the same user). */
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { inodeOf } from './checkpoint-folder.js';

/** Access mode of open(2) in the flags of a file descriptor: 1 and 2 are for writing. */
const ACCESS_MODE = 0o3;
/** Processes that are looked at side by side. */
const PROCESSES_AT_ONCE = 16;

/** Files to look for. */
export interface LookedFor {
  inodes: ReadonlySet<string>;
  /** Their last names: only descriptors of such a name are looked at closer, for a dead mount answers to nothing. */
  names: ReadonlySet<string>;
}

/** Returns those of the inodes that are open for writing; none where that cannot be told. */
export async function openForWriting(files: LookedFor, processes = '/proc'): Promise<Set<string>> {
  const found = new Set<string>();
  if (files.inodes.size === 0) return found;
  const numbers = (await entriesOf(processes)).filter((name) => /^\d+$/.test(name));
  for (let at = 0; at < numbers.length; at += PROCESSES_AT_ONCE) {
    const some = numbers.slice(at, at + PROCESSES_AT_ONCE);
    await Promise.all(some.map((number) => addWritten(`${processes}/${number}`, files, found)));
  }
  return found;
}

async function addWritten(folder: string, { inodes, names }: LookedFor, found: Set<string>): Promise<void> {
  for (const descriptor of await entriesOf(`${folder}/fd`)) {
    const link = `${folder}/fd/${descriptor}`;
    const path = await readlink(link).catch(() => '');
    if (!names.has(basename(path))) continue;
    const status = await stat(link, { bigint: true }).catch(() => undefined);
    const inode = status === undefined ? '' : inodeOf(status);
    if (inodes.has(inode) && (await isForWriting(`${folder}/fdinfo/${descriptor}`))) found.add(inode);
  }
}

async function isForWriting(path: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const flags = /^flags:\s*([0-7]+)/m.exec(text)?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & ACCESS_MODE) !== 0;
}

async function entriesOf(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
