/** Finds the files below the paths that are to be saved, in a fixed order. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileError } from '../compute/index.js';
import { ThetalogError } from '../errors.js';
import type { Warning } from './types.js';

export interface SourceTree {
  /** Where each file is, and its path inside the checkpoint. */
  files: { source: string; path: string }[];
  /** Paths inside the checkpoint of directories that hold nothing. */
  directories: string[];
  warnings: Warning[];
}

/** Lists what the paths name: a file as its basename, a directory as its basename with all below it. */
export async function findSources(paths: readonly string[]): Promise<SourceTree> {
  if (paths.length === 0)
    throw new ThetalogError('invalid', 'no-paths', 'There is nothing to save: no path was given.');
  const tree: SourceTree = { files: [], directories: [], warnings: [] };
  const names = new Map<string, string>();
  for (const path of paths) {
    const name = basename(resolve(path));
    const earlier = names.get(name);
    if (earlier !== undefined || name === '') {
      const message =
        name === '' ? `${path} has no name to save it under.` : `${earlier} and ${path} have the same name.`;
      throw new ThetalogError('invalid', 'same-basename', message, {
        object: path,
        hint: 'Save their common directory, or give each file a name of its own.',
      });
    }
    names.set(name, path);
    await visit(path, name, tree);
  }
  return tree;
}

async function visit(source: string, path: string, tree: SourceTree): Promise<void> {
  const status = await stat(source).catch((cause: unknown) => {
    throw fileError(source, cause);
  });
  if (status.isFile()) tree.files.push({ source, path });
  else if (status.isDirectory()) await visitDirectory(source, path, tree);
  else warn(tree, source, 'is no regular file and was left out');
}

async function visitDirectory(source: string, path: string, tree: SourceTree): Promise<void> {
  const entries = await readdir(source, { withFileTypes: true }).catch((cause: unknown) => {
    throw fileError(source, cause);
  });
  if (entries.length === 0) tree.directories.push(path);
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const inner = join(source, entry.name);
    if (entry.isSymbolicLink()) {
      const target = await stat(inner).catch(() => undefined);
      if (target === undefined || !target.isFile()) {
        warn(tree, inner, 'is a symbolic link to no file and was left out');
        continue;
      }
    }
    await visit(inner, `${path}/${entry.name}`, tree);
  }
}

function warn(tree: SourceTree, object: string, message: string): void {
  tree.warnings.push({ code: 'left-out', message: `${object} ${message}`, object, offset: null });
}
