/**
 * Deletes the files of a checkpoint that is stored. Each entry is put aside by rename first, looked at once more, and only then
 * deleted under a name that says so: a writer that came in between gets its file back, and what a killed process has half
 * deleted is never taken for a checkpoint.
 */
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const ASIDE = '.thetalog-aside';
const DELETED = '.thetalog-deleted';

/** Deletes the entries if `isSame` says of their places aside that they are what was stored; returns whether. */
export async function removeSources(
  paths: readonly string[],
  isSame: (aside: readonly string[]) => Promise<boolean>,
): Promise<boolean> {
  const aside = paths.map((path) => hidden(path, ASIDE));
  const moved: number[] = [];
  try {
    for (const [at, path] of paths.entries()) {
      await rename(path, aside[at]);
      moved.push(at);
    }
    if (await isSame(aside)) {
      const deleted = paths.map((path) => hidden(path, DELETED));
      for (const [at, path] of aside.entries()) await rename(path, deleted[at]);
      for (const path of deleted) await rm(path, { recursive: true, force: true });
      return true;
    }
  } catch (error) {
    for (const at of moved) await putBack(aside[at], paths[at]);
    throw error;
  }
  for (const at of moved) await putBack(aside[at], paths[at]);
  return false;
}

/** Ends what a killed process has begun. */
export async function finishRemovals(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith('.')) continue;
    const path = join(folder, name);
    if (name.endsWith(DELETED)) await rm(path, { recursive: true, force: true });
    if (name.endsWith(ASIDE)) await putBack(path, join(folder, name.slice(1, -ASIDE.length)));
  }
}

function hidden(path: string, ending: string): string {
  return join(dirname(path), `.${basename(path)}${ending}`);
}

/** Where there is a new file of the same name, what was put aside stays there, hidden. */
async function putBack(aside: string, path: string): Promise<void> {
  const isTaken = await stat(path).then(
    () => true,
    () => false,
  );
  if (!isTaken) await rename(aside, path).catch(() => {});
}
