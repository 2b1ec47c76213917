/** What is on record of checkpoints: lists, lineage, details. */
import type { CatalogueEntry, Root } from '../format/index.js';
import type { StoreContext } from './context.js';
import type { LoadedManifest } from './manifest-store.js';
import { type Located, locate } from './refs.js';
import { tensorBytes } from './tensor-reader.js';
import type { CheckpointDetail, CheckpointInfo, TensorInfo } from './types.js';

/** Returns the public record of a checkpoint. */
export function describe(root: Root, run: string, entry: CatalogueEntry): CheckpointInfo {
  const { id, step, epoch, label, metrics, meta, parent, groups, kind } = entry;
  const { createdAt, logicalBytes, storedBytes, height } = entry;
  const tags = [...root.tags].filter(([, mark]) => mark.id === id).map(([name]) => name);
  const pinned = root.pins.some((mark) => mark.id === id);
  return {
    id,
    run,
    step,
    epoch,
    label,
    metrics,
    meta,
    parent,
    groups,
    kind,
    createdAt,
    logicalBytes,
    storedBytes,
    height,
    tags,
    pinned,
  };
}

/** Lists checkpoints, oldest first within each run; only the newest `last` of each if given. */
export async function listCheckpoints(
  context: StoreContext,
  root: Root,
  options: { runs: readonly string[]; last?: number },
): Promise<CheckpointInfo[]> {
  const listed: CheckpointInfo[] = [];
  for (const run of options.runs) {
    const record = root.runs.get(run) ?? { pages: [] };
    const newest: CheckpointInfo[] = [];
    for await (const entry of context.catalogue.newestFirst(record)) {
      if (newest.length >= (options.last ?? Number.POSITIVE_INFINITY)) break;
      newest.push(describe(root, run, entry));
    }
    listed.push(...newest.reverse());
  }
  return listed;
}

/** Returns a checkpoint and its ancestors, newest first, as far as they are still there. */
export async function lineage(context: StoreContext, root: Root, start: Located): Promise<CheckpointInfo[]> {
  const line: CheckpointInfo[] = [];
  const seen = new Set<string>();
  let at: Located | undefined = start;
  while (at !== undefined && !seen.has(at.entry.id)) {
    seen.add(at.entry.id);
    line.push(describe(root, at.run, at.entry));
    const parent: string | null = at.entry.parent;
    at = parent === null ? undefined : await locate(context.catalogue, root, parent, at.run);
  }
  return line;
}

/** Returns a checkpoint with its tensors and files. */
export async function detail(context: StoreContext, root: Root, located: Located): Promise<CheckpointDetail> {
  const loaded = await context.cache.manifest(located.entry.manifest);
  const files = loaded.layout.files.map((file, index) => ({
    path: loaded.content.files[index].path,
    format: file.format,
    bytes: file.size,
  }));
  const info = describe(root, located.run, located.entry);
  return { ...info, tensors: describeTensors(loaded), files, directories: loaded.content.directories };
}

function describeTensors(loaded: LoadedManifest): TensorInfo[] {
  const byPlace = new Map<string, string[]>();
  const placeOf = (index: number): string => {
    const { dtype, boxes } = loaded.layout.tensors[index];
    return JSON.stringify([dtype, boxes]);
  };
  const places = loaded.layout.tensors.map((tensor, index) => {
    const place = tensorBytes(tensor) === 0 ? `empty ${index}` : placeOf(index);
    byPlace.set(place, [...(byPlace.get(place) ?? []), tensor.name]);
    return place;
  });
  return loaded.layout.tensors.map((tensor, index) => ({
    name: tensor.name,
    group: tensor.group,
    dtype: tensor.dtype,
    shape: tensor.shape,
    bytes: tensorBytes(tensor),
    aliases: (byPlace.get(places[index]) ?? []).filter((name) => name !== tensor.name),
  }));
}
