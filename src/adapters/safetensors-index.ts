/**
 * `*.safetensors.index.json` of Hugging Face: `weight_map` says in which file of the same folder each tensor is. Source:
 * huggingface_hub/serialization/_torch.py.
 */
import { corrupt, ThetalogError } from '../errors.js';
import type { RandomAccess } from './adapter.js';
import { isJsonObject, parseJsonValue } from './strict-json.js';

/** A million tensors with long names; guards memory. */
const INDEX_BYTES_MAX = 256 * 2 ** 20;

/** Returns the file name of each tensor. */
export async function readSafetensorsIndex(source: RandomAccess): Promise<Map<string, string>> {
  if (source.size > INDEX_BYTES_MAX) {
    const message = `${source.name}: an index of more than ${INDEX_BYTES_MAX} bytes is not read`;
    throw new ThetalogError('unsupported', 'index-too-large', message, { object: source.name });
  }
  const text = skipSpace(await source.read(0, source.size));
  const { value } = parseJsonValue(text.bytes, { object: source.name, offset: text.offset });
  const map = isJsonObject(value) ? value.get('weight_map') : undefined;
  if (!isJsonObject(map?.value))
    throw corrupt('safetensors-index', 'no weight_map', source.name, map?.offset ?? 0);
  const files = new Map<string, string>();
  for (const [tensor, { value: file, offset }] of map.value) {
    if (typeof file !== 'string' || !isFileName(file))
      throw corrupt(
        'safetensors-index',
        `${JSON.stringify(tensor)}: no name of a file beside it`,
        source.name,
        offset,
      );
    files.set(tensor, file);
  }
  return files;
}

function skipSpace(bytes: Uint8Array): { bytes: Uint8Array; offset: number } {
  const offset = Math.max(
    0,
    bytes.findIndex((byte) => !' \n\r\t'.includes(String.fromCharCode(byte))),
  );
  return { bytes: bytes.subarray(offset), offset };
}

/** A name that leads elsewhere would read files that nobody named. */
function isFileName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name);
}
