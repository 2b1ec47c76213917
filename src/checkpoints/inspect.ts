/** What is on record of checkpoints: lists, lineage, details. */
import type { CatalogueEntry, FileLayout, Root, TensorLayout } from '../format/index.js';
import { tensorBytes } from '../tensor/index.js';
import type { StoreContext } from './context.js';
import { type Located, locate } from './refs.js';
import type { CheckpointDetail, CheckpointInfo, FileInfo, TensorInfo } from './types.js';

/** Returns the public record of a checkpoint. */
export function describe(root: Root, run: string, entry: CatalogueEntry): CheckpointInfo {
  const { id, step, epoch, label, metrics, meta, parent, kind, droppedGroups } = entry;
  const groups = entry.groups.filter((group) => !droppedGroups.includes(group));
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
    droppedGroups,
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

/** Returns a checkpoint with its tensors and files, and those that retention dropped. */
export async function detail(context: StoreContext, root: Root, located: Located): Promise<CheckpointDetail> {
  const { layout, content, dropped } = await context.cache.checkpoint(located.entry);
  const files = layout.files.map((file, index) => ({ layout: file, path: content.files[index].path }));
  return {
    ...describe(root, located.run, located.entry),
    tensors: describeTensors(layout.tensors),
    files: files.map(describeFile),
    directories: content.directories,
    droppedTensors: describeTensors(dropped?.tensors ?? []),
    droppedFiles: (dropped?.files ?? []).map(describeFile),
  };
}

function describeFile({ path, layout }: { path: string; layout: FileLayout }): FileInfo {
  return { path, format: layout.format, bytes: layout.size };
}

function describeTensors(tensors: readonly TensorLayout[]): TensorInfo[] {
  const byPlace = new Map<string, string[]>();
  const placeOf = (index: number): string => {
    const { dtype, boxes } = tensors[index];
    return JSON.stringify([dtype, boxes]);
  };
  const places = tensors.map((tensor, index) => {
    const place = tensorBytes(tensor) === 0 ? `empty ${index}` : placeOf(index);
    byPlace.set(place, [...(byPlace.get(place) ?? []), tensor.name]);
    return place;
  });
  return tensors.map((tensor, index) => ({
    name: tensor.name,
    group: tensor.group,
    dtype: tensor.dtype,
    shape: tensor.shape,
    bytes: tensorBytes(tensor),
    aliases: (byPlace.get(places[index]) ?? []).filter((name) => name !== tensor.name),
  }));
}
