/** Writes tensors of a checkpoint as one safetensors file. */
import { ThetalogError, throwIfAborted } from '../errors.js';
import type { TensorLayout } from '../format/index.js';
import type { DType } from '../tensor/index.js';
import type { Piece } from './chunk-places.js';
import type { StoreContext } from './context.js';
import { droppedTensorError } from './kept-groups.js';
import type { LoadedManifest } from './manifest-store.js';
import type { RestoredFiles, RestoreRequest } from './restore-files.js';
import { piecesIntoFiles } from './restore-pieces.js';
import type { StagedFile } from './staged-file.js';
import { digestOf, StagedFiles } from './target-files.js';
import { contiguousPiece, readTensors, tensorBytes } from './tensor-reader.js';

const SAFETENSORS: Partial<Record<DType, string>> = {
  bytes: 'U8',
  bool: 'BOOL',
  u8: 'U8',
  i8: 'I8',
  u16: 'U16',
  i16: 'I16',
  u32: 'U32',
  i32: 'I32',
  u64: 'U64',
  i64: 'I64',
  f8e4m3: 'F8_E4M3',
  f8e5m2: 'F8_E5M2',
  f16: 'F16',
  bf16: 'BF16',
  f32: 'F32',
  f64: 'F64',
  c64: 'C64',
};

/** Writes the tensors whose names match the glob into `<out>/<name>.safetensors`; none matching is `not-found`. */
export async function restoreTensors(
  context: StoreContext,
  loaded: LoadedManifest,
  request: RestoreRequest & { tensors: string; fileName: string },
): Promise<RestoredFiles> {
  const pattern = globPattern(request.tensors);
  const tensors = loaded.layout.tensors.filter((tensor) => pattern.test(tensor.name));
  if (tensors.length === 0) {
    const dropped = loaded.dropped?.tensors.find((tensor) => pattern.test(tensor.name));
    if (dropped !== undefined) throw droppedTensorError(dropped, loaded.manifest.checkpoint.slice(0, 12));
    const message = `No tensor of the checkpoint matches "${request.tensors}".`;
    const hint = 'See the names with: thetalog show REF';
    throw new ThetalogError('not-found', 'no-such-tensor', message, { object: request.tensors, hint });
  }
  const header = encodeHeader(tensors);
  const total = header.length + tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
  const path = `${request.fileName}.safetensors`;
  const existing = await digestOf(context.hasher, `${request.out}/${path}`, -1);
  if (existing !== undefined && request.force !== true) {
    const hint = 'Restore into another folder, or use --force to replace it.';
    throw new ThetalogError('conflict', 'file-exists', `${path} exists.`, { object: path, hint });
  }
  const staged = new StagedFiles(request.out, context.hasher, context.environment);
  try {
    const file = await staged.create(path, 0o644);
    await file.write(header, 0);
    await writeTensors(context, loaded, tensors, { file, start: header.length, total }, request);
    await file.finish();
    await staged.publish();
  } catch (error) {
    await staged.discard();
    throw error;
  }
  return { files: [path], bytes: total };
}

/** Writes the values one after another, beginning at `start`. */
async function writeTensors(
  context: StoreContext,
  loaded: LoadedManifest,
  tensors: readonly TensorLayout[],
  { file, start, total }: { file: StagedFile; start: number; total: number },
  { signal, onProgress }: RestoreRequest,
): Promise<void> {
  let written = start;
  const report = (bytes: number): void => {
    throwIfAborted(signal);
    written += bytes;
    onProgress?.({ phase: 'restore', bytesRead: written, bytesStored: written, bytesTotal: total });
  };
  const pieces: Piece[] = [];
  let position = start;
  for (const tensor of tensors) {
    const piece = contiguousPiece(tensor);
    if (piece !== undefined) pieces.push({ ...piece, target: 0, position });
    else {
      const [values] = await readTensors(context, loaded, [tensor]);
      await file.write(values, position);
      report(values.length);
    }
    position += tensorBytes(tensor);
  }
  const target = { path: file.path, name: file.final };
  for await (const parts of piecesIntoFiles(context, loaded, pieces, [target], signal)) {
    for (const { position: at, length } of parts) file.wrote(at, length);
    report(parts.reduce((sum, { length }) => sum + length, 0));
  }
}

function encodeHeader(tensors: readonly TensorLayout[]): Uint8Array {
  const entries: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const tensor of tensors) {
    const dtype = SAFETENSORS[tensor.dtype];
    if (dtype === undefined) {
      const message = `${tensor.name} is ${tensor.dtype}, which safetensors cannot hold.`;
      throw new ThetalogError('unsupported', 'no-safetensors-dtype', message, { object: tensor.name });
    }
    const end = offset + tensorBytes(tensor);
    entries[tensor.name] = { dtype, shape: tensor.shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = JSON.stringify(entries);
  const text = new TextEncoder().encode(json);
  const padded = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  padded.set(text, 8);
  return padded;
}

/** Returns the pattern of a glob in which `*` stands for any characters and `?` for one. */
export function globPattern(glob: string): RegExp {
  const escaped = glob.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/\*/g, '.*').replace(/\?/g, '.')}$`, 's');
}
