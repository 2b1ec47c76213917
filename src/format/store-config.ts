/** `thetalog.json`: what is fixed for a store's whole life, as JSON for people to read. */
import { corrupt, ThetalogError } from '../errors.js';
import type { Hasher } from '../hash/index.js';
import { CHUNK_ELEMENTS_MAX, CHUNK_ELEMENTS_MIN, FORMAT_VERSION } from './limits.js';

export interface StoreConfig {
  /** Random id of the store, 32 hexadecimal digits. */
  id: string;
  /** Elements in a chunk, for all dtypes. */
  chunkElements: number;
}

const HASH = 'xxh3-128';

/** Encodes the config. */
export function encodeStoreConfig(hasher: Hasher, config: StoreConfig): Uint8Array {
  const json = {
    format: 'thetalog',
    version: FORMAT_VERSION,
    id: config.id,
    chunkElements: config.chunkElements,
    hash: HASH,
    features: [],
    checksum: checksumOf(hasher, config),
  };
  return new TextEncoder().encode(`${JSON.stringify(json, null, 2)}\n`);
}

/** Decodes and checks the config; unknown versions, hashes and features are `unsupported`. */
export function decodeStoreConfig(hasher: Hasher, bytes: Uint8Array, object: string): StoreConfig {
  const json = parseJson(bytes, object);
  if (json.format !== 'thetalog')
    throw corrupt('bad-config', 'is not the config of a thetalog store', object);
  const features = json.features;
  const unknown =
    json.version !== FORMAT_VERSION
      ? `format version ${String(json.version)}`
      : json.hash !== HASH
        ? `hash ${String(json.hash)}`
        : !Array.isArray(features) || features.length > 0
          ? `features ${JSON.stringify(features)}`
          : undefined;
  if (unknown !== undefined) {
    throw new ThetalogError(
      'unsupported',
      'format-version',
      `${object}: the store needs ${unknown}, unknown here.`,
      {
        object,
        hint: 'Upgrade thetalog.',
      },
    );
  }
  const { id, chunkElements } = json;
  if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id))
    throw corrupt('bad-config', 'has no proper id', object);
  if (typeof chunkElements !== 'number' || !isChunkElements(chunkElements)) {
    throw corrupt('bad-config', 'has no proper chunkElements', object);
  }
  if (json.checksum !== checksumOf(hasher, { id, chunkElements })) {
    throw corrupt('bad-checksum', 'the checksum does not match', object);
  }
  return { id, chunkElements };
}

/** XXH64 of the values that differ from store to store, since JSON may be laid out in many ways. */
function checksumOf(hasher: Hasher, { id, chunkElements }: StoreConfig): string {
  const text = new TextEncoder().encode(`${id} ${chunkElements}`);
  return hasher.checksum(text).toString(16).padStart(16, '0');
}

/** Returns true for a chunk size, in elements, that a store may have. */
export function isChunkElements(value: number): boolean {
  return Number.isInteger(value) && value >= CHUNK_ELEMENTS_MIN && value <= CHUNK_ELEMENTS_MAX;
}

function parseJson(bytes: Uint8Array, object: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new ThetalogError('corrupt', 'bad-config', `${object}: is no JSON`, { object, cause });
  }
  if (typeof json !== 'object' || json === null) throw corrupt('bad-config', 'is no JSON object', object);
  return json as Record<string, unknown>;
}
