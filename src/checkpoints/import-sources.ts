/** Which safetensors files a model consists of: those that are named, or those that readers of a folder would take. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readSafetensorsIndex } from '../adapters/index.js';
import { fileError } from '../compute/index.js';
import { corrupt, ThetalogError } from '../errors.js';
import type { SourceFiles } from './source-files.js';

const INDEX = '.safetensors.index.json';
const EXTENSION = '.safetensors';

export interface ImportSource {
  path: string;
  /** The tensors that an index says are in it. */
  promised: string[];
  /** The index. */
  index?: string;
}

/** Lists the files of all paths. */
export async function findImportSources(
  paths: readonly string[],
  files: SourceFiles,
): Promise<ImportSource[]> {
  if (paths.length === 0)
    throw new ThetalogError('invalid', 'no-paths', 'There is nothing to import: no path was given.');
  const found: ImportSource[] = [];
  for (const path of paths) {
    const status = await stat(path).catch((cause: unknown) => {
      throw fileError(path, cause);
    });
    if (status.isDirectory()) found.push(...(await sourcesOfFolder(path, files)));
    else if (path.endsWith(INDEX)) found.push(...(await sourcesOfIndex(path, join(path, '..'), files)));
    else found.push({ path, promised: [] });
  }
  return found;
}

/** As readers do: `model.safetensors`, else what the index names, else every safetensors file of the folder. */
async function sourcesOfFolder(folder: string, files: SourceFiles): Promise<ImportSource[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw fileError(folder, cause);
  });
  const whole = names.find((name) => name === `model${EXTENSION}`);
  if (whole !== undefined) return [{ path: join(folder, whole), promised: [] }];
  const indexes = names.filter((name) => name.endsWith(INDEX)).sort();
  if (indexes.length > 1) throw severalIndexes(folder, indexes);
  if (indexes.length === 1) return sourcesOfIndex(join(folder, indexes[0]), folder, files);
  const found = names.filter((name) => name.endsWith(EXTENSION)).sort();
  if (found.length === 0) {
    const message = `${folder} has no safetensors files.`;
    const hint = 'Other files are kept by thetalog save.';
    throw new ThetalogError('invalid', 'nothing-to-import', message, { object: folder, hint });
  }
  return found.map((name) => ({ path: join(folder, name), promised: [] }));
}

async function sourcesOfIndex(index: string, folder: string, files: SourceFiles): Promise<ImportSource[]> {
  const byFile = new Map<string, string[]>();
  for (const [tensor, file] of await readSafetensorsIndex(await files.open(index))) {
    const promised = byFile.get(file) ?? [];
    byFile.set(file, promised);
    promised.push(tensor);
  }
  return [...byFile]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, promised]) => ({ path: join(folder, name), promised, index }));
}

/** Throws `corrupt` unless a file has what the index says. */
export function assertPromised({ path, promised, index }: ImportSource, names: ReadonlySet<string>): void {
  const missing = promised.find((name) => !names.has(name));
  if (missing === undefined || index === undefined) return;
  const message = `${JSON.stringify(missing)} is not in ${basename(path)}, where the index says it is`;
  throw corrupt('safetensors-index', message, index);
}

function severalIndexes(folder: string, indexes: readonly string[]): ThetalogError {
  const message = `${folder} has several models: ${indexes.slice(0, 4).join(', ')}.`;
  const hint = 'Name the index of the one that is meant.';
  return new ThetalogError('invalid', 'several-models', message, { object: folder, hint });
}
