/**
 * What TensorFlow 2 says of its own objects in each checkpoint: the names that variables have in the program, by the names that they
 * have in the checkpoint. Source: tensorflow/core/protobuf/trackable_object_graph.proto; strings as in `WriteStringTensor` of
 * tensor_bundle.cc.
 */
import { ByteReader } from '../bytes/index.js';
import { protobufFields, protobufText } from './protobuf-fields.js';

/** The name of the graph among the tensors. */
export const OBJECT_GRAPH_KEY = '_CHECKPOINTABLE_OBJECT_GRAPH';
/** Guards memory; that of a model of 1,000 layers takes less than a megabyte. */
export const OBJECT_GRAPH_BYTES_MAX = 64 * 2 ** 20;

/** Returns full names by checkpoint keys. `bytes` is a tensor of one text; `offset` is where it lies in `object`. */
export function readFullNames(bytes: Uint8Array, object: string, offset: number): Map<string, string> {
  const reader = new ByteReader(bytes, object, 0, bytes.length, offset);
  const length = reader.varint();
  // The checksum of the length.
  reader.u32();
  const names = new Map<string, string>();
  for (const { number, bytes: node } of protobufFields(reader.inner(length))) {
    if (number === 1 && node !== undefined) readNode(node, names);
  }
  return names;
}

function readNode(node: ByteReader, names: Map<string, string>): void {
  for (const { number, bytes: attribute } of protobufFields(node)) {
    if (number !== 2 || attribute === undefined) continue;
    const texts = new Map<number, string>();
    for (const field of protobufFields(attribute)) {
      if (field.bytes !== undefined) texts.set(field.number, protobufText(field.bytes));
    }
    const [fullName, key] = [texts.get(2), texts.get(3)];
    if (fullName !== undefined && key !== undefined) names.set(key, fullName);
  }
}
