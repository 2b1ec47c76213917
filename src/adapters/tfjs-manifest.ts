/**
 * What `model.json` of TensorFlow.js says of the files beside it: groups of weights, each packed without gaps into the files of its
 * `paths`. Older converters write the manifest alone, as `weights_manifest.json`. Source: tfjs-core/src/io/types.ts and io_utils.ts.
 */
import { corrupt, ThetalogError } from '../errors.js';
import { SettingsCollector } from '../tensor/index.js';
import type { RandomAccess } from './adapter.js';
import { type ElementType, elementOf, shapeBytes } from './element-type.js';
import {
  isJsonNumber,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJsonValue,
  sizesOf,
} from './strict-json.js';

/** Graphs of large models take some megabytes; guards memory and time. */
const MANIFEST_BYTES_MAX = 64 * 2 ** 20;
/** Text is stored with the length of each element in front of it. */
const TEXT = 'string';

const ELEMENTS = new Map<string, ElementType>([
  ['float32', elementOf('f32')],
  ['int32', elementOf('i32')],
  ['bool', elementOf('bool')],
  ['complex64', elementOf('c64')],
]);

/** How quantized weights are stored. */
const QUANTIZED = new Map<string, ElementType>([
  ['uint8', elementOf('u8')],
  ['uint16', elementOf('u16')],
  ['float16', elementOf('f16')],
]);

/** A weight; text, whose length the manifest does not say, has neither element nor bytes. */
export interface WeightSpec {
  name: string;
  stored?: { element: ElementType; bytes: number };
  shape: number[];
  ofOptimizer: boolean;
}

/** Weights one behind the other in the files of `paths`, one behind the other. */
export interface WeightGroup {
  paths: string[];
  weights: WeightSpec[];
  /** Of the list of weights in the manifest, for errors. */
  place: number;
}

export interface WeightsManifest {
  /** Path of the manifest, for errors. */
  object: string;
  groups: WeightGroup[];
  optimizer: string;
  settings: Record<string, number | boolean>;
}

/** Reads a manifest; undefined for JSON that has none. */
export async function readWeightsManifest(source: RandomAccess): Promise<WeightsManifest | undefined> {
  const object = source.name;
  if (source.size > MANIFEST_BYTES_MAX) {
    const message = `${object}: a manifest of more than ${MANIFEST_BYTES_MAX} bytes is not read`;
    throw new ThetalogError('unsupported', 'tfjs-manifest-too-large', message, { object });
  }
  const { value } = parseJsonValue(await source.read(0, source.size), { object, offset: 0 });
  const groups = isJsonObject(value) ? value.get('weightsManifest')?.value : value;
  if (!isList(groups) || !groups.every((group) => isJsonObject(group) && group.has('weights')))
    return undefined;
  const training = isJsonObject(value) ? objectAt(value, 'trainingConfig') : undefined;
  const optimizer = training && objectAt(training, 'optimizer_config');
  const name = optimizer?.get('class_name')?.value;
  return {
    object,
    groups: groups.filter(isJsonObject).map((group) => readGroup(group, object)),
    optimizer: typeof name === 'string' && /^\w+$/.test(name) ? name : 'optimizer',
    settings: readSettings(optimizer && objectAt(optimizer, 'config')),
  };
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function objectAt(parent: JsonObject, key: string): JsonObject | undefined {
  const value = parent.get(key)?.value;
  return isJsonObject(value) ? value : undefined;
}

function readSettings(config: JsonObject | undefined): Record<string, number | boolean> {
  const settings = new SettingsCollector();
  for (const [key, { value }] of config ?? [])
    settings.add(key, isJsonNumber(value) ? Number(value.literal) : value);
  return settings.toRecord();
}

function readGroup(group: JsonObject, object: string): WeightGroup {
  const place = group.get('weights')?.offset ?? 0;
  const weights = group.get('weights')?.value;
  const paths = group.get('paths')?.value;
  if (!isList(weights) || !isList(paths) || paths.length === 0)
    throw corrupt('tfjs-group', 'a group without lists of weights and of paths', object, place);
  const names = paths.map((path) => {
    if (typeof path !== 'string') throw corrupt('tfjs-group', 'a path that is no text', object, place);
    return path.replace(/^\.\//, '');
  });
  if (new Set(names).size < names.length) throw corrupt('tfjs-group', 'a path twice', object, place);
  return { paths: names, weights: weights.map((weight) => readWeight(weight, object, place)), place };
}

function readWeight(weight: JsonValue, object: string, place: number): WeightSpec {
  const fields: JsonObject = isJsonObject(weight) ? weight : new Map();
  const name = fields.get('name')?.value;
  const dtype = fields.get('dtype')?.value;
  const at = fields.get('name')?.offset ?? place;
  if (typeof name !== 'string' || typeof dtype !== 'string')
    throw corrupt('tfjs-weight', 'a weight without name or dtype', object, at);
  const shape = sizesOf(fields.get('shape')?.value);
  if (shape === undefined) throw corrupt('tfjs-shape', `${name}: its shape is none`, object, at);
  const spec = { name, shape, ofOptimizer: fields.get('group')?.value === 'optimizer' };
  if (dtype === TEXT) return spec;
  const quantization = objectAt(fields, 'quantization')?.get('dtype')?.value;
  const element = quantization === undefined ? ELEMENTS.get(dtype) : QUANTIZED.get(String(quantization));
  if (element === undefined) {
    const message = `${object}: ${name} has an unknown dtype, ${String(quantization ?? dtype)}`;
    throw new ThetalogError('unsupported', 'tfjs-dtype', message, { object, offset: at });
  }
  const bytes = shapeBytes(shape, element.bytes);
  if (bytes === undefined) throw corrupt('tfjs-shape', `${name}: its shape is too large`, object, at);
  return { ...spec, stored: { element, bytes } };
}
