/** Turns files into a save plan: tensor ranges become streams, everything between them the file's skeleton. */
import { linkParameters, type TensorRange } from '../adapters/index.js';
import type { FileLayout, FilePiece, TensorLayout } from '../format/index.js';
import { dtypeInfo, GROUPS } from '../tensor/index.js';
import { findFamilies, linkRanges } from './families.js';
import { digestFiles } from './file-digests.js';
import {
  type ByteSource,
  concatenate,
  type FoundProgress,
  type Placement,
  type PlannedRange,
  type SavePlan,
  StreamPlanner,
} from './plan.js';
import { FileSegmenter, type SegmentedFile, type SegmentOptions } from './segment-files.js';
import { type SourceBytes, SourceFiles } from './source-files.js';
import { findSources } from './source-tree.js';
import type { Warning } from './types.js';

/** Plans a checkpoint of files and directories. What is wrong with a file is a warning, unless it is to be refused. */
export async function planFiles(paths: readonly string[], options: SegmentOptions): Promise<SavePlan> {
  const tree = await findSources(paths);
  const segmenter = new FileSegmenter(new SourceFiles(), options);
  try {
    const segmented = await segmenter.segment(tree.files);
    const warnings = [...tree.warnings, ...segmenter.warnings];
    return buildPlan(segmented, tree.directories, warnings, () => segmenter.close());
  } catch (error) {
    await segmenter.close();
    throw error;
  }
}

function buildPlan(
  segmented: readonly SegmentedFile[],
  directories: string[],
  warnings: Warning[],
  close: () => Promise<void>,
): SavePlan {
  const { planner, placementOf, distinct, facts } = planRanges(segmented);
  const layoutFiles = segmented.map((item) => layOutFile(item, planner, placementOf));
  const tensors = layOutTensors(distinct, placementOf);
  if (hasUnpacked(segmented)) tensors.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    kind: 'files',
    layout: { streams: planner.streams, tensors, files: layoutFiles },
    sources: planner.sources,
    files: (compute, signal) => digestFiles(compute, segmented, signal),
    assertUnchanged: async () => {
      for (const { file } of segmented) await file.assertUnchanged();
    },
    directories,
    ...facts,
    progress: findProgress(segmented),
    logicalBytes: segmented.reduce((sum, { file }) => sum + file.size, 0),
    warnings,
    close,
  };
}

/** The streams of files' tensor ranges, and where each range is in them. */
export interface PlannedRanges {
  planner: StreamPlanner;
  placementOf: Map<TensorRange, Placement>;
  /** The files without the ranges that are copies of others. */
  distinct: SegmentedFile[];
  facts: Pick<SavePlan, 'settings' | 'families' | 'groups'>;
}

/** Plans the streams of all ranges, and what predicts what among them. */
export function planRanges(segmented: readonly SegmentedFile[]): PlannedRanges {
  const planner = new StreamPlanner();
  const originalOf = findCopies(segmented.flatMap(({ segmentation }) => segmentation.ranges));
  const distinct = segmented.map((item): SegmentedFile => {
    const own = item.segmentation.ranges.filter((range) => !originalOf.has(range));
    return { ...item, segmentation: { ...item.segmentation, ranges: own } };
  });
  const ranges = distinct.flatMap(({ file, unpacked = file, segmentation }, at) =>
    segmentation.ranges.map((range) => ({ range, at, source: slice(unpacked, range.offset, range.length) })),
  );
  // Databases write what they have in another order each time.
  if (hasUnpacked(segmented)) ranges.sort((a, b) => (a.range.key < b.range.key ? -1 : 1));
  const planned = ranges.map(({ range, at, source }): PlannedRange => {
    return { file: at, key: range.key, group: range.group, dtype: range.dtype, source };
  });
  const { parameters, copies } = linkParameters(distinct);
  const linked = linkRanges(planned, parameters, copies);
  const placements = planner.addRanges(planned);
  const placementOf = new Map(ranges.map(({ range }, index) => [range, placements[index]]));
  for (const [copy, original] of originalOf) {
    const placement = placementOf.get(original);
    if (placement !== undefined) placementOf.set(copy, placement);
  }
  const groups = GROUPS.filter((group) => ranges.some(({ range }) => range.group === group));
  const families = findFamilies(planned, placements, linked);
  return { planner, placementOf, distinct, facts: { settings: linked.settings, families, groups } };
}

function hasUnpacked(segmented: readonly SegmentedFile[]): boolean {
  return segmented.some(({ unpacked }) => unpacked !== undefined);
}

/** Returns the ranges whose bytes an earlier one of the same key has, too, and which that is. */
function findCopies(ranges: readonly TensorRange[]): Map<TensorRange, TensorRange> {
  const originals = new Map<string, TensorRange>();
  const originalOf = new Map<TensorRange, TensorRange>();
  for (const range of ranges) {
    if (range.copies === undefined) continue;
    const content = JSON.stringify([range.key, range.dtype, range.copies]);
    const original = originals.get(content);
    if (original === undefined) originals.set(content, range);
    else originalOf.set(range, original);
  }
  return originalOf;
}

function layOutFile(
  { path, file, unpacked, segmentation }: SegmentedFile,
  planner: StreamPlanner,
  placementOf: Map<TensorRange, Placement>,
): FileLayout {
  const bytes = unpacked ?? file;
  const name = segmentation.identity ?? path.slice(path.lastIndexOf('/') + 1);
  const identity = (path.slice(0, path.lastIndexOf('/') + 1) + name).replace(/\d+/g, '0');
  const form = unpacked && { unpackedSize: unpacked.size };
  const facts = { format: segmentation.format, size: file.size, mode: file.mode, ...form };
  if (segmentation.ranges.length === 0) {
    if (file.size === 0) return { ...facts, skeleton: null, pieces: [] };
    const stream = planner.addBytes(`file:${identity}`, slice(file, 0, file.size));
    return {
      ...facts,
      skeleton: null,
      pieces: [{ kind: 'stream', stream, byteOffset: 0, length: file.size }],
    };
  }
  const pieces: FilePiece[] = [];
  const gaps: ByteSource[] = [];
  let end = 0;
  const addGap = (until: number): void => {
    if (until === end) return;
    pieces.push({ kind: 'skeleton', length: until - end });
    gaps.push(slice(bytes, end, until - end));
  };
  for (const range of segmentation.ranges) {
    addGap(range.offset);
    const placement = placementOf.get(range);
    if (placement !== undefined && range.length > 0) {
      pieces.push({ kind: 'stream', ...placement, length: range.length });
    }
    end = range.offset + range.length;
  }
  addGap(bytes.size);
  const skeleton = gaps.length === 0 ? null : planner.addBytes(`skeleton:${identity}`, concatenate(gaps));
  return { ...facts, skeleton, pieces };
}

/**
 * Returns the tensors of files, in the order of the files and their ranges. A name that is taken gets as much of the file's path in
 * front as tells it from the others, since what is above that often has the step in its name, and a number behind where that is taken, too.
 */
export function layOutTensors(
  segmented: readonly SegmentedFile[],
  placementOf: Map<TensorRange, Placement>,
): TensorLayout[] {
  const tensors: TensorLayout[] = [];
  const names = new FreeNames();
  const shortPaths = shortestPaths(segmented.map(({ path }) => path));
  for (const [at, { segmentation }] of segmented.entries()) {
    for (const range of segmentation.ranges) {
      const placement = placementOf.get(range);
      if (placement === undefined) continue;
      const start = placement.byteOffset / dtypeInfo(range.dtype).bytes;
      for (const view of range.tensors) {
        const name = names.take(view.name, shortPaths[at]);
        const box = {
          origin: view.shape.map(() => 0),
          extent: view.shape,
          stream: placement.stream,
          elementOffset: start + view.elementOffset,
          strides: view.strides ?? null,
        };
        tensors.push({ name, group: range.group, dtype: range.dtype, shape: view.shape, boxes: [box] });
      }
    }
  }
  return tensors;
}

/** Gives out each name once. */
class FreeNames {
  private readonly taken = new Set<string>();
  private readonly counts = new Map<string, number>();

  take(name: string, path: string): string {
    let free = name;
    while (this.taken.has(free)) {
      const placed = `${path}:${name}`;
      const count = (this.counts.get(placed) ?? 0) + 1;
      this.counts.set(placed, count);
      free = count === 1 ? placed : `${placed}#${count}`;
    }
    this.taken.add(free);
    return free;
  }
}

/** Returns the fewest last segments of each path that no other path ends with. */
function shortestPaths(paths: readonly string[]): string[] {
  const endings = paths.map((path) => {
    const segments = path.split('/');
    return segments.map((_, at) => segments.slice(-1 - at).join('/'));
  });
  const counts = new Map<string, number>();
  for (const ending of endings.flat()) counts.set(ending, (counts.get(ending) ?? 0) + 1);
  return paths.map((path, at) => endings[at].find((ending) => counts.get(ending) === 1) ?? path);
}

/** Returns what the first file that says anything says of its progress. */
export function findProgress(segmented: readonly SegmentedFile[]): FoundProgress {
  const found: FoundProgress = { step: null, epoch: null, metrics: {} };
  for (const { segmentation } of segmented) {
    found.step ??= segmentation.step ?? null;
    found.epoch ??= segmentation.epoch ?? null;
    found.metrics = { ...segmentation.metrics, ...found.metrics };
  }
  return found;
}

function slice(file: SourceBytes, start: number, size: number): ByteSource {
  return { size, parts: (offset, length) => [{ file, offset: start + offset, length }] };
}
