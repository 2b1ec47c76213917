/**
 * The safetensors format from the writer's side: u64 header length, JSON header padded with spaces, values without gaps. Order,
 * spelling and padding are those of the reference writer (`safetensors/src/tensor.rs`): the larger the elements the earlier, then
 * by name, so that every tensor is aligned to its elements.
 */
import { ThetalogError } from '../errors.js';
import { type DType, tensorBytes } from '../tensor/index.js';

/** Names of element types; what is not here safetensors cannot hold. */
const NAMES: Partial<Record<DType, string>> = {
  bytes: 'U8',
  bool: 'BOOL',
  u8: 'U8',
  i8: 'I8',
  f8e5m2: 'F8_E5M2',
  f8e4m3: 'F8_E4M3',
  i16: 'I16',
  u16: 'U16',
  f16: 'F16',
  bf16: 'BF16',
  i32: 'I32',
  u32: 'U32',
  f32: 'F32',
  c64: 'C64',
  f64: 'F64',
  i64: 'I64',
  u64: 'U64',
};
/** The order of the reference's enumeration. */
const ORDER = 'BOOL U8 I8 F8_E5M2 F8_E4M3 I16 U16 F16 BF16 I32 U32 F32 C64 F64 I64 U64'.split(' ');

/** What has this name in a header is no tensor. */
const METADATA = '__metadata__';

/** Readers refuse longer ones. */
const HEADER_BYTES_MAX = 100_000_000;
const LENGTH_BYTES = 8;
/** Headers end at a multiple of this. */
const ALIGNMENT = 8;

export interface NamedTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Returns the tensors in the order in which a file has them; throws `unsupported` for an element type that none can have. */
export function inFileOrder<T extends NamedTensor>(tensors: readonly T[]): T[] {
  const keyed = tensors.map((tensor) => {
    return { tensor, rank: ORDER.indexOf(nameOf(tensor)), bytes: Buffer.from(tensor.name, 'utf8') };
  });
  keyed.sort((a, b) => b.rank - a.rank || Buffer.compare(a.bytes, b.bytes));
  return keyed.map(({ tensor }) => tensor);
}

/** Returns everything in front of the values of tensors that are in file order. */
export function encodeHeader(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const entries: [string, unknown][] = [[METADATA, metadata]];
  let offset = 0;
  for (const tensor of tensors) {
    if (tensor.name === METADATA) throw reservedName();
    const end = offset + tensorBytes(tensor);
    const { shape } = tensor;
    entries.push([tensor.name, { dtype: nameOf(tensor), shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  // Not one object: names that look like numbers would move to its front.
  const json = `{${entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(',')}}`;
  const text = new TextEncoder().encode(json);
  const length = Math.ceil(text.length / ALIGNMENT) * ALIGNMENT;
  if (length > HEADER_BYTES_MAX) {
    const message = `${tensors.length} tensors need a header of ${length} bytes, more than safetensors allows.`;
    const hint = 'Write several files, each with a part of the tensors: --shard-size, --include.';
    throw new ThetalogError('unsupported', 'header-too-long', message, { hint });
  }
  const header = new Uint8Array(LENGTH_BYTES + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(text, LENGTH_BYTES);
  return header;
}

function reservedName(): ThetalogError {
  const message = `A tensor cannot be called ${METADATA} in safetensors.`;
  const hint = 'Leave it out: --exclude, or keep what is in front of its name: --full-names.';
  return new ThetalogError('unsupported', 'reserved-name', message, { object: METADATA, hint });
}

function nameOf({ name, dtype }: NamedTensor): string {
  const known = NAMES[dtype];
  if (known !== undefined) return known;
  const message = `${name} is ${dtype}, which safetensors cannot hold.`;
  const hint = 'Leave it out: --exclude.';
  throw new ThetalogError('unsupported', 'no-safetensors-dtype', message, { object: name, hint });
}
