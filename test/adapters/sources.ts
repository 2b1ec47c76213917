/** Files for tests: in memory, sparse, and on disk; and what must hold of every segmentation. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import {
  FolderFiles,
  type RandomAccess,
  type Segmentation,
  type SegmentedFile,
  segmentFile,
  type TensorRange,
} from '../../src/adapters/index.js';
import { corrupt } from '../../src/errors.js';
import { dtypeInfo } from '../../src/tensor/index.js';

/** A file that is a list of pieces, zeros in between; its size may be larger than any memory. */
export class SparseSource implements RandomAccess {
  size = 0;
  private readonly pieces: { offset: number; bytes: Uint8Array }[] = [];

  constructor(readonly name: string) {}

  append(bytes: Uint8Array): void {
    this.pieces.push({ offset: this.size, bytes });
    this.size += bytes.length;
  }

  skip(length: number): void {
    this.size += length;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || offset + length > this.size) throw corrupt('truncated', 'short', this.name, offset);
    const out = new Uint8Array(length);
    for (const { offset: start, bytes } of this.pieces) {
      const from = Math.max(start, offset);
      const to = Math.min(start + bytes.length, offset + length);
      if (from < to) out.set(bytes.subarray(from - start, to - start), from - offset);
    }
    return out;
  }

  bytes(): Promise<Uint8Array> {
    return this.read(0, this.size);
  }
}

export function inMemory(name: string, bytes: Uint8Array): RandomAccess {
  return {
    name,
    size: bytes.length,
    async read(offset, length) {
      if (offset < 0 || offset + length > bytes.length) throw corrupt('truncated', 'short', name, offset);
      return bytes.slice(offset, offset + length);
    },
  };
}

/** Offsets must be found in files of more than memory, so a test must never read one whole. */
export function onDisk(path: string): RandomAccess {
  return inMemory(path, readFileSync(path));
}

/** Files as those of one folder. */
export function inFolder(...files: readonly RandomAccess[]): FolderFiles {
  return new FolderFiles(new Map(files.map((file) => [file.name.replace(/^.*\//, ''), file])));
}

/** Segments all files of a folder; by name. */
export async function segmentFolder(files: readonly RandomAccess[]): Promise<Map<string, SegmentedFile>> {
  const folder = inFolder(...files);
  const results = new Map<string, SegmentedFile>();
  for (const source of files) {
    const result = await segmentFile(source, folder);
    expectSound(result, source);
    results.set(source.name.replace(/^.*\//, ''), result);
  }
  return results;
}

/** Segments a file that must not have a problem. */
export async function segmentSound(source: RandomAccess): Promise<Segmentation> {
  const { segmentation, problem } = await segmentFile(source);
  expect(problem).toBeUndefined();
  expectSound({ segmentation }, source);
  return segmentation;
}

/** The promises of a segmentation: sorted, disjoint, inside the file, whole elements, unique keys, views inside. */
export function expectSound({ segmentation }: SegmentedFile, source: RandomAccess): void {
  let end = 0;
  const keys = new Set<string>();
  for (const range of segmentation.ranges) {
    const { offset, length, dtype, key } = range;
    if (offset < end || length < 0 || length > source.size - offset)
      expect.fail(`${key} at ${offset}+${length}`);
    if (length % dtypeInfo(dtype).bytes !== 0) expect.fail(`${key}: ${length} bytes of ${dtype}`);
    if (keys.has(key)) expect.fail(`the key ${key} occurs twice`);
    keys.add(key);
    for (const view of range.tensors) expectInside(range, view);
    end = offset + length;
  }
}

function expectInside({ length, dtype }: TensorRange, view: TensorRange['tensors'][number]): void {
  const elements = length / dtypeInfo(dtype).bytes;
  const { shape, elementOffset, strides = contiguousStrides(shape), name } = view;
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], elementOffset);
  const inside = shape.includes(0) ? elementOffset <= elements : last < elements;
  if (!inside || elementOffset < 0) expect.fail(`${name} reaches outside its range`);
}

function contiguousStrides(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
}

/** The elements of a tensor in its own order, taken out of the file by offset and strides. */
export async function elementBytes(
  source: RandomAccess,
  segmentation: Segmentation,
  name: string,
): Promise<Uint8Array> {
  const range = segmentation.ranges.find(({ tensors }) => tensors.some((view) => view.name === name));
  const view = range?.tensors.find((tensor) => tensor.name === name);
  if (range === undefined || view === undefined) return expect.fail(`no tensor ${name}`);
  const bytes = await source.read(range.offset, range.length);
  const size = dtypeInfo(range.dtype).bytes;
  const strides = view.strides ?? contiguousStrides(view.shape);
  const count = view.shape.reduce((product, length) => product * length, 1);
  const out = new Uint8Array(count * size);
  for (let index = 0; index < count; index++) {
    let rest = index;
    let at = view.elementOffset;
    for (let axis = view.shape.length - 1; axis >= 0; axis--) {
      at += (rest % view.shape[axis]) * strides[axis];
      rest = Math.floor(rest / view.shape[axis]);
    }
    out.set(bytes.subarray(at * size, (at + 1) * size), index * size);
  }
  return out;
}

/** Keys with group and dtype, in file order. */
export function describeRanges({ ranges }: Segmentation): string[] {
  return ranges.map(({ key, group, dtype, length }) => `${key} ${group} ${dtype} ${length}`);
}

export function keysOf({ ranges }: Segmentation): string[] {
  return ranges.map(({ key }) => key);
}

export function namesOf({ ranges }: Segmentation): string[] {
  return ranges.flatMap(({ tensors }) => tensors.map(({ name }) => name));
}
