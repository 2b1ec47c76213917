/**
 * safetensors: u64 header length, JSON header, tensors without gaps. Source of the rules: the README and
 * `safetensors/src/tensor.rs` of huggingface/safetensors. Shards of a model are ordinary files of this format, their
 * `index.json` is not needed.
 */
import { ByteReader } from '../bytes/index.js';
import { corrupt } from '../errors.js';
import type { Adapter, RandomAccess, Segmentation, TensorRange } from './adapter.js';
import { readArrayStep } from './array-progress.js';
import { byteElements, type ElementType, elementOf, placeTensor, shapeBytes } from './element-type.js';
import { groupOfTensorName } from './group-names.js';
import { parametersByName } from './named-optimizers.js';
import { orderRanges } from './range-keys.js';
import { isJsonObject, type JsonObject, type JsonValue, parseJsonValue, sizesOf } from './strict-json.js';

/** The specification's limit; guards memory against a lying length. */
const HEADER_BYTES_MAX = 100_000_000;
const LENGTH_BYTES = 8;

/** Where the metadata has the step. */
const STEP_KEYS = ['step', 'global_step', 'iteration', 'iter'];

const OPEN_BRACE = 0x7b;
const SPACE = 0x20;

const ELEMENTS = new Map<string, ElementType>([
  ['BOOL', elementOf('bool')],
  ['U8', elementOf('u8')],
  ['I8', elementOf('i8')],
  ['F8_E5M2', elementOf('f8e5m2')],
  ['F8_E4M3', elementOf('f8e4m3')],
  ['F8_E8M0', byteElements(1)],
  ['F8_E4M3FNUZ', byteElements(1)],
  ['F8_E5M2FNUZ', byteElements(1)],
  ['I16', elementOf('i16')],
  ['U16', elementOf('u16')],
  ['F16', elementOf('f16')],
  ['BF16', elementOf('bf16')],
  ['I32', elementOf('i32')],
  ['U32', elementOf('u32')],
  ['F32', elementOf('f32')],
  ['C64', elementOf('c64')],
  ['F64', elementOf('f64')],
  ['I64', elementOf('i64')],
  ['U64', elementOf('u64')],
]);

/** Element types smaller than a byte, in bits: their size is checked, their bytes are kept as they are. */
const PACKED_BITS = new Map([
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
]);

interface Entry {
  name: string;
  dtype: string;
  shape: number[];
  begin: number;
  end: number;
  /** Where the entry stands in the header, for errors. */
  offset: number;
}

/** The safetensors format. */
export const safetensorsAdapter: Adapter = {
  format: 'safetensors',
  recognises(head, name) {
    if (name.toLowerCase().endsWith('.safetensors')) return true;
    if (head.length < LENGTH_BYTES + 2) return false;
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    const length = view.getUint32(0, true);
    const plausible = view.getUint32(4, true) === 0 && length >= 2 && length <= HEADER_BYTES_MAX;
    return plausible && head[8] === OPEN_BRACE && '"} \n\r\t'.includes(String.fromCharCode(head[9]));
  },
  async segment(source) {
    const header = await readHeader(source);
    const entries: Entry[] = [];
    let metadata: JsonObject = new Map();
    for (const [name, { value, offset }] of header.members) {
      if (name === '__metadata__') metadata = checkMetadata(value, source.name, offset);
      else entries.push(readEntry(name, value, source.name, offset));
    }
    const ranges = orderRanges(placeEntries(entries, header.dataOffset, source));
    const parameters = await parametersByName(ranges, source);
    addTied(ranges, metadata);
    const namePrefix = metadata.get('thetalog.prefix')?.value;
    return {
      format: 'safetensors',
      ranges,
      parameters,
      ...(await readArrayStep(ranges, source)),
      ...progressOf(metadata),
      ...(typeof namePrefix === 'string' && { namePrefix }),
    };
  },
};

async function readHeader(source: RandomAccess): Promise<{ members: JsonObject; dataOffset: number }> {
  const length = new ByteReader(await source.read(0, LENGTH_BYTES), source.name).u64();
  if (length > HEADER_BYTES_MAX)
    throw corrupt('safetensors-header-length', `a header of ${length} bytes is too long`, source.name, 0);
  if (length > source.size - LENGTH_BYTES)
    throw corrupt('truncated', `the header of ${length} bytes is not all there`, source.name, source.size);
  const bytes = await source.read(LENGTH_BYTES, length);
  if (bytes[0] !== OPEN_BRACE)
    throw corrupt(
      'safetensors-header-start',
      'the header does not start with "{"',
      source.name,
      LENGTH_BYTES,
    );
  const { value, end } = parseJsonValue(bytes, { object: source.name, offset: LENGTH_BYTES });
  const junk = bytes.subarray(end).findIndex((byte) => byte !== SPACE);
  if (junk >= 0) {
    const offset = LENGTH_BYTES + end + junk;
    throw corrupt('safetensors-padding', 'only spaces may follow the header', source.name, offset);
  }
  return { members: isJsonObject(value) ? value : new Map(), dataOffset: LENGTH_BYTES + length };
}

function checkMetadata(value: JsonValue, object: string, offset: number): JsonObject {
  if (!isJsonObject(value))
    throw corrupt('safetensors-metadata', '__metadata__ is no object', object, offset);
  for (const member of value.values()) {
    if (typeof member.value !== 'string')
      throw corrupt('safetensors-metadata', '__metadata__ may only hold strings', object, member.offset);
  }
  return value;
}

function readEntry(name: string, value: JsonValue, object: string, offset: number): Entry {
  const fail = (message: string): never => {
    throw corrupt('safetensors-entry', `${JSON.stringify(name)}: ${message}`, object, offset);
  };
  if (!isJsonObject(value)) return fail('no object');
  const dtype = value.get('dtype')?.value;
  const shape = sizesOf(value.get('shape')?.value);
  const span = sizesOf(value.get('data_offsets')?.value);
  if (typeof dtype !== 'string') return fail('no dtype');
  if (shape === undefined) return fail('no shape of whole numbers');
  if (span === undefined || span.length !== 2 || span[0] > span[1]) return fail('no data_offsets');
  return { name, dtype, shape, begin: span[0], end: span[1], offset };
}

/** Tensors must tile the data without gap or overlap, up to the last byte of the file. */
function placeEntries(entries: Entry[], dataOffset: number, source: RandomAccess): TensorRange[] {
  const inOrder = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = 0;
  for (const entry of inOrder) {
    if (entry.begin !== end) {
      const [code, what] =
        entry.begin < end
          ? ['safetensors-overlap', 'overlaps the tensor in front of it']
          : ['safetensors-hole', 'leaves a hole in front of it'];
      throw corrupt(code, `${JSON.stringify(entry.name)} ${what}`, source.name, entry.offset);
    }
    end = entry.end;
    checkSize(entry, source.name);
  }
  const bytes = source.size - dataOffset;
  if (end > bytes)
    throw corrupt('truncated', `${end} bytes of tensors, only ${bytes} are there`, source.name, source.size);
  if (end < bytes)
    throw corrupt('safetensors-trailing', 'bytes after the last tensor', source.name, dataOffset + end);
  return entries.map((entry) => rangeOf(entry, dataOffset));
}

function checkSize({ name, dtype, shape, begin, end, offset }: Entry, object: string): void {
  const bits = PACKED_BITS.get(dtype);
  const element = ELEMENTS.get(dtype);
  if (bits === undefined && element === undefined) return;
  const wanted = element === undefined ? packedBytes(shape, bits ?? 8) : shapeBytes(shape, element.bytes);
  if (wanted === end - begin) return;
  const size = wanted === undefined ? 'no possible size' : `${wanted} bytes`;
  const message = `${JSON.stringify(name)}: ${dtype} [${shape}] is ${size}, not ${end - begin} bytes`;
  throw corrupt('safetensors-size', message, object, offset);
}

/** Undefined when the tensor does not end on a byte boundary, which the reference reader refuses too. */
function packedBytes(shape: readonly number[], bits: number): number | undefined {
  const total = shapeBytes(shape, bits);
  return total === undefined || total % 8 !== 0 ? undefined : total / 8;
}

function rangeOf({ name, dtype, shape, begin, end }: Entry, dataOffset: number): TensorRange {
  const element = ELEMENTS.get(dtype);
  const tensor =
    element === undefined
      ? placeTensor(name, byteElements(1), [end - begin])
      : placeTensor(name, element, shape);
  return {
    offset: dataOffset + begin,
    length: end - begin,
    dtype: element?.dtype ?? 'bytes',
    group: groupOfTensorName(name),
    key: name,
    tensors: [tensor],
  };
}

/**
 * Returns whether metadata of this name can stand for a tensor that shares another's memory. Other metadata says something else, even
 * where its value is the name of a tensor: `step` 1 beside tensors called 0 and 1.
 */
export function mayBeTied(name: string): boolean {
  return !STEP_KEYS.includes(name) && !/^(format|epoch|thetalog\..*)$/s.test(name);
}

/** Adds the names of tensors that share another's memory: only the metadata has them, `name -> name of the other`. */
function addTied(ranges: readonly TensorRange[], metadata: JsonObject): void {
  const rangeOf = new Map(ranges.map((range) => [range.tensors[0].name, range]));
  for (const [name, { value }] of metadata) {
    const range = typeof value === 'string' ? rangeOf.get(value) : undefined;
    if (range !== undefined && mayBeTied(name) && !rangeOf.has(name))
      range.tensors.push({ ...range.tensors[0], name });
  }
}

/** Progress that training code leaves in `__metadata__`, whose values are always strings. */
function progressOf(metadata: JsonObject): Pick<Segmentation, 'step' | 'epoch'> {
  const numberAt = (...keys: string[]): number | undefined => {
    for (const key of keys) {
      const text = metadata.get(key)?.value;
      if (typeof text === 'string' && /^[0-9]{1,15}$/.test(text)) return Number(text);
    }
    return undefined;
  };
  const step = numberAt(...STEP_KEYS);
  const epoch = numberAt('epoch');
  return { ...(step === undefined ? {} : { step }), ...(epoch === undefined ? {} : { epoch }) };
}
