/**
 * numpy's array files: magic, version, a Python literal with dtype, order and shape, then the raw elements. Source:
 * numpy/lib/format.py, versions 1.0 to 3.0. Arrays of Python objects are pickles and stay in the skeleton.
 */
import { ByteReader } from '../bytes/index.js';
import { corrupt, ThetalogError } from '../errors.js';
import { dtypeInfo, isDType } from '../tensor/index.js';
import type { Adapter, RandomAccess, TensorRange } from './adapter.js';
import {
  bigEndian,
  byteElements,
  columnMajorStrides,
  type ElementType,
  elementOf,
  placeTensor,
  shapeBytes,
} from './element-type.js';
import { groupOfTensorName } from './group-names.js';
import { type PythonLiteral, parsePythonLiteral } from './python-literal.js';

/** Bytes of a header; structured types of many fields need some 10,000. Guards memory. */
const HEADER_BYTES_MAX = 2 ** 20;
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const PREAMBLE_BYTES = 12;
/** numpy's own limit. */
const DIMENSIONS_MAX = 64;

const KINDS = new Map([
  ['f', 'f'],
  ['i', 'i'],
  ['u', 'u'],
  ['c', 'c'],
  ['M', 'i'],
  ['m', 'i'],
]);

/** A single numpy array; its key is the file's name without directory and extension. */
export const npyAdapter: Adapter = {
  format: 'npy',
  recognises: (head) => MAGIC.every((byte, index) => head[index] === byte),
  async segment(source) {
    const name = source.name.replace(/^.*[\\/]/, '').replace(/\.npy$/i, '');
    const range = await findArray(source, { offset: 0, end: source.size }, name);
    return { format: 'npy', ranges: range === undefined ? [] : [range] };
  },
};

/**
 * Finds the elements of the npy file that lies at `place`; undefined for an array of objects. Plain arrays are group
 * `model` like any weights, unless the name says otherwise.
 */
export async function findArray(
  source: RandomAccess,
  place: { offset: number; end: number },
  name: string,
): Promise<TensorRange | undefined> {
  const header = await readHeader(source, place);
  const fail = (code: string, message: string): never => {
    throw corrupt(code, `${name}: ${message}`, source.name, header.textOffset);
  };
  const { descr, fortranOrder, shape } = header;
  if (holdsObjects(descr)) return undefined;
  const available = place.end - header.dataOffset;
  const element = elementOfDescr(descr);
  const length = element === undefined ? available : shapeBytes(shape, element.bytes);
  if (length === undefined) return fail('npy-shape', `the shape [${shape}] is too large`);
  if (length > available) return fail('npy-size', `needs ${length} bytes, ${available} are there`);
  const strides = fortranOrder && shape.length > 1 ? columnMajorStrides(shape) : undefined;
  const tensor =
    element === undefined
      ? placeTensor(name, byteElements(1), [length])
      : placeTensor(name, element, shape, 0, strides);
  const dtype = element?.dtype ?? 'bytes';
  const group = groupOfTensorName(name);
  return { offset: header.dataOffset, length, dtype, group, key: name, tensors: [tensor] };
}

interface ArrayHeader {
  descr: PythonLiteral;
  fortranOrder: boolean;
  shape: number[];
  textOffset: number;
  dataOffset: number;
}

async function readHeader(
  source: RandomAccess,
  place: { offset: number; end: number },
): Promise<ArrayHeader> {
  const available = Math.min(PREAMBLE_BYTES, place.end - place.offset);
  const preamble = await source.read(place.offset, available);
  const reader = new ByteReader(preamble, source.name, 0, preamble.length, place.offset);
  if (reader.view8(MAGIC.length).some((byte, index) => byte !== MAGIC[index]))
    reader.fail('npy-magic', 'no numpy array', 0);
  const version = reader.u8();
  if (version < 1 || version > 3 || reader.u8() !== 0) {
    const message = `${source.name}: version ${version} of numpy's array format is not known`;
    throw new ThetalogError('unsupported', 'npy-version', message, {
      object: source.name,
      offset: place.offset,
    });
  }
  const length = version === 1 ? reader.u16() : reader.u32();
  const textOffset = place.offset + reader.offset;
  if (length > HEADER_BYTES_MAX) reader.fail('npy-header', `a header of ${length} bytes is too long`);
  if (length > place.end - textOffset) reader.fail('truncated', 'the header is not all there');
  const bytes = await source.read(textOffset, length);
  return {
    ...readFields(bytes, version, source.name, textOffset),
    textOffset,
    dataOffset: textOffset + length,
  };
}

function readFields(
  bytes: Uint8Array,
  version: number,
  object: string,
  offset: number,
): Pick<ArrayHeader, 'descr' | 'fortranOrder' | 'shape'> {
  const text = new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(bytes);
  const fields = parsePythonLiteral(text, { object, offset });
  const entry = (key: string): PythonLiteral | undefined =>
    fields instanceof Map ? fields.get(key) : undefined;
  const descr = entry('descr');
  const fortranOrder = entry('fortran_order');
  const shape = readShape(entry('shape'));
  if (descr === undefined || typeof fortranOrder !== 'boolean' || shape === undefined)
    throw corrupt('npy-header', 'no descr, fortran_order and shape', object, offset);
  return { descr, fortranOrder, shape };
}

function readShape(value: PythonLiteral | undefined): number[] | undefined {
  if (!Array.isArray(value) || value.length > DIMENSIONS_MAX) return undefined;
  const sizes = (value as readonly PythonLiteral[]).filter((size) => typeof size === 'number');
  const whole = sizes.every((size) => Number.isSafeInteger(size) && size >= 0);
  return whole && sizes.length === value.length ? sizes : undefined;
}

/** Returns the type of a plain array; undefined for a structured one, whose element size its data tells. */
export function elementOfDescr(descr: PythonLiteral): ElementType | undefined {
  const match = typeof descr === 'string' ? /^([<>|=])?([a-zA-Z])([0-9]{0,9})/.exec(descr) : null;
  if (match === null) return undefined;
  const [, order, kind, digits] = match;
  const bytes = Number(digits) * (kind === 'U' ? 4 : 1);
  if (kind === 'b' && bytes === 1) return elementOf('bool');
  const letter = KINDS.get(kind);
  const name = letter === undefined ? '' : `${letter}${bytes * 8}`;
  const wide = letter === 'c' ? `c${bytes * 8}` : name;
  if (!isDType(wide) || dtypeInfo(wide).bytes !== bytes) return bytes > 0 ? byteElements(bytes) : undefined;
  return order === '>' ? bigEndian(elementOf(wide)) : elementOf(wide);
}

function holdsObjects(descr: PythonLiteral): boolean {
  if (typeof descr === 'string') return /^[<>|=]?O/.test(descr);
  if (Array.isArray(descr)) return (descr as readonly PythonLiteral[]).some(holdsObjects);
  return false;
}
