/** Model files given to this library and to the readers that their formats come from: what both find in them, compared. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Segmentation, segmentFile, type TensorView } from '../../src/adapters/index.js';
import { dtypeInfo } from '../../src/tensor/index.js';
import { inMemory } from '../adapters/sources.js';

/** An interpreter that has the libraries. */
export const PYTHON = process.env.THETALOG_PYTHON ?? 'python3';
const SCRIPT = fileURLToPath(new URL('reference_readers.py', import.meta.url));
/** Elements of views that repeat their storage are not compared beyond this; the reference leaves out as many. */
const BYTES_MAX = 65_536;

export type Library = 'safetensors' | 'torch';

/** Asks without importing it, which takes seconds. */
export function hasLibrary(library: Library): boolean {
  const question = `import importlib.util as u, sys; sys.exit(u.find_spec('${library}') is None)`;
  return spawnSync(PYTHON, ['-c', question]).status === 0;
}

/** A tensor: name, dtype, shape, and its elements in row-major order in hexadecimal, or null if there are many. */
type Tensor = readonly [name: string, dtype: string, shape: readonly number[], hex: string | null];

/** What the reference says of a file. */
export interface Reading {
  readonly tensors?: readonly Tensor[];
  readonly by?: string;
  readonly error?: string;
}

/** A process with a reference reader in it; started again when a file kills it. */
export class ReferenceReader {
  private child: ChildProcessWithoutNullStreams | undefined;
  private answers: AsyncIterator<string> | undefined;

  constructor(private readonly library: Library) {}

  async read(bytes: Uint8Array): Promise<Reading> {
    if (this.child === undefined) {
      this.child = spawn(PYTHON, ['-B', SCRIPT, this.library]);
      this.child.stderr.resume();
      this.child.stdin.on('error', () => undefined);
      this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    }
    this.child.stdin.write(`${JSON.stringify({ bytes: Buffer.from(bytes).toString('base64') })}\n`);
    const answer = await this.answers?.next();
    if (answer?.done === false) return JSON.parse(answer.value) as Reading;
    this.child = undefined;
    return { error: 'killed' };
  }

  close(): void {
    this.child?.stdin.end();
    this.child = undefined;
  }
}

/** What this library finds; undefined if it takes the file as opaque bytes. */
export async function ownReading(name: string, bytes: Uint8Array): Promise<Tensor[] | undefined> {
  const { segmentation, problem } = await segmentFile(inMemory(name, bytes));
  if (problem !== undefined || segmentation.ranges.length === 0) return undefined;
  return segmentation.ranges.flatMap((range) => range.tensors.map((view) => tensorOf(range, view, bytes)));
}

function tensorOf(range: Segmentation['ranges'][number], view: TensorView, file: Uint8Array): Tensor {
  const { offset, dtype } = range;
  const { name, shape } = view;
  const size = dtypeInfo(dtype).bytes;
  const count = shape.reduce((product, length) => product * length, 1);
  if (count * size > BYTES_MAX) return [name, dtype, shape, null];
  const out = new Uint8Array(count * size);
  for (let index = 0; index < count; index++) {
    const at = offset + elementIndex(view, index) * size;
    out.set(file.subarray(at, at + size), index * size);
  }
  return [name, dtype, shape, Buffer.from(out).toString('hex')];
}

/** Where in the range the `index`-th element of a tensor is. */
function elementIndex({ shape, strides, elementOffset }: TensorView, index: number): number {
  let rest = index;
  let at = elementOffset;
  let contiguous = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    at += (rest % shape[axis]) * (strides?.[axis] ?? contiguous);
    rest = Math.floor(rest / shape[axis]);
    contiguous *= shape[axis];
  }
  return at;
}

export interface Difference {
  /** Found by the reference only; else by this library only. */
  readonly missing: boolean;
  readonly tensors: readonly Tensor[];
}

/** How two readings of one file differ, if they do. A type that the store has no name for is compared by its bytes. */
export function differenceOf(own: readonly Tensor[], theirs: readonly Tensor[]): Difference | undefined {
  const left = [...theirs];
  for (const tensor of own) {
    const at = left.findIndex((other) => isSame(tensor, other));
    if (at < 0) return { missing: false, tensors: [tensor, ...left.filter(([name]) => name === tensor[0])] };
    left.splice(at, 1);
  }
  return left.length === 0 ? undefined : { missing: true, tensors: left };
}

function isSame(
  [name, dtype, shape, hex]: Tensor,
  [theirName, theirType, theirShape, theirHex]: Tensor,
): boolean {
  if (name !== theirName) return false;
  if (dtype === 'bytes') return hex === theirHex;
  const typed = dtype === theirType.toLowerCase().replaceAll('_', '');
  return typed && String(shape) === String(theirShape) && (hex === null || hex === theirHex);
}
