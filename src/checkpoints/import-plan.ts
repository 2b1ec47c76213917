/**
 * Turns safetensors files into the plan of a state: their tensors and nothing else, under names that do not depend on how they are
 * distributed over files. Bytes stay in the files until they are encoded.
 */
import { type Segmentation, segmentFile, type TensorRange } from '../adapters/index.js';
import { ThetalogError, throwIfAborted } from '../errors.js';
import { assertTensorFits, type TensorLayout } from '../format/index.js';
import { GROUPS, groupOfPath, plainOfTensors } from '../tensor/index.js';
import { findProgress, layOutTensors, planRanges } from './file-plan.js';
import { assertPromised, findImportSources } from './import-sources.js';
import { memorySource, type SavePlan } from './plan.js';
import type { SegmentedFile } from './segment-files.js';
import { type SourceFile, SourceFiles } from './source-files.js';
import { PLAIN_KEY } from './state-plan.js';
import type { OperationOptions } from './types.js';

/** Where a state has a model: in front of names that no export of ours has shortened. */
const MODEL_PREFIX = 'model.';

/** Plans a checkpoint of the tensors of safetensors files; a damaged one is thrown as `corrupt`. */
export async function planImport(
  paths: readonly string[],
  options: Pick<OperationOptions, 'signal'>,
): Promise<SavePlan> {
  const files = new SourceFiles();
  try {
    const segmented: SegmentedFile[] = [];
    for (const source of await findImportSources(paths, files)) {
      throwIfAborted(options.signal);
      const file = await files.open(source.path);
      const segmentation = await segmentTensors(file);
      assertPromised(source, new Set(segmentation.ranges.flatMap((range) => namesOf(range))));
      segmented.push({ path: source.path, file, segmentation: renamed(segmentation) });
    }
    assertNamedOnce(segmented);
    return buildPlan(files, segmented);
  } catch (error) {
    await files.close();
    throw error;
  }
}

async function segmentTensors(file: SourceFile): Promise<Segmentation> {
  const { segmentation, problem } = await segmentFile(file);
  // A part of a TensorFlow checkpoint lacks its index here; that of no other would help.
  const isPart = problem?.code === 'bundle-index-missing';
  if (problem !== undefined && !isPart) throw problem;
  if (segmentation.format === 'safetensors') return segmentation;
  const message = `${file.name} is no safetensors file.`;
  const hint = 'thetalog save keeps any file; then thetalog export writes its tensors as safetensors.';
  throw new ThetalogError('unsupported', 'not-safetensors', message, { object: file.name, hint });
}

function namesOf({ tensors }: TensorRange): string[] {
  return tensors.map(({ name }) => name);
}

/** Gives tensors the names that a state has them under: what an export took away, or `model.`. */
function renamed(segmentation: Segmentation): Segmentation {
  const { namePrefix: prefix = MODEL_PREFIX, parameters, ...rest } = segmentation;
  const ranges = segmentation.ranges.map((range): TensorRange => {
    const tensors = range.tensors.map((tensor) => ({ ...tensor, name: `${prefix}${tensor.name}` }));
    const key = `${prefix}${range.key}`;
    return { ...range, key, tensors, group: groupOfPath(pathOf(key)) };
  });
  // What is known of parameters goes by the keys of before.
  return { ...rest, ranges, ...(prefix === '' && parameters !== undefined && { parameters }) };
}

/** The key of a group, or whatever is in front of the first dot, and the rest. */
function pathOf(name: string): string[] {
  const dot = name.indexOf('.');
  return dot < 0 ? [name] : [name.slice(0, dot), name.slice(dot + 1)];
}

function assertNamedOnce(segmented: readonly SegmentedFile[]): void {
  const places = new Map<string, string>();
  for (const { path, segmentation } of segmented) {
    for (const name of segmentation.ranges.flatMap((range) => namesOf(range))) {
      const other = places.get(name);
      places.set(name, path);
      if (other === undefined) continue;
      const message = `"${name}" is in ${other} and in ${path}.`;
      const hint = 'Import one model at a time.';
      throw new ThetalogError('invalid', 'same-tensor', message, { object: name, hint });
    }
  }
}

function buildPlan(files: SourceFiles, segmented: readonly SegmentedFile[]): SavePlan {
  const { planner, placementOf, facts } = planRanges(segmented);
  const ranges = segmented.flatMap(({ segmentation }) => segmentation.ranges);
  const tensors = inOrder(layOutTensors(segmented, placementOf), ranges);
  for (const tensor of tensors) assertTensorFits(tensor);
  const plain = plainOfTensors(slotsOf(tensors));
  planner.addBytes(PLAIN_KEY, memorySource(plain));
  return {
    kind: 'state',
    layout: { streams: planner.streams, tensors, files: [] },
    sources: planner.sources,
    files: async () => [],
    assertUnchanged: async () => {
      for (const { file } of segmented) await file.assertUnchanged();
    },
    directories: [],
    ...facts,
    groups: GROUPS.filter((group) => tensors.some((tensor) => tensor.group === group)),
    progress: findProgress(segmented),
    logicalBytes: ranges.reduce((sum, { length }) => sum + length, plain.length),
    warnings: [],
    close: () => files.close(),
  };
}

/** By name; names that only the metadata has come last, since of tied tensors the first is what an export writes. */
function inOrder(tensors: readonly TensorLayout[], ranges: readonly TensorRange[]): TensorLayout[] {
  const tied = new Set(ranges.flatMap((range) => namesOf(range).slice(1)));
  const turn = ({ name }: TensorLayout): number => (tied.has(name) ? 1 : 0);
  return tensors
    .map((tensor) => ({ ...tensor, group: groupOfPath(pathOf(tensor.name)) }))
    .sort((a, b) => turn(a) - turn(b) || (a.name < b.name ? -1 : 1));
}

/** A name with a dot is two keys of the state, unless its first part is a tensor itself. */
function slotsOf(tensors: readonly TensorLayout[]): Parameters<typeof plainOfTensors>[0] {
  const whole = new Set(tensors.flatMap(({ name }) => (name.includes('.') ? [] : [name])));
  return tensors.map(({ name, dtype, shape }) => {
    const path = pathOf(name);
    return { path: whole.has(path[0]) ? [name] : path, dtype, shape };
  });
}
