/** A manifest that lies under checksums that are right. */
import {
  decodeManifest,
  encodeManifest,
  openSection,
  packSection,
  type SectionReference,
} from '../../src/format/index.js';
import type { Storage } from '../../src/index.js';
import { hasher } from '../format/examples.js';
import { joined } from './malformed-pickle.js';

/** Replaces a path in the only manifest of a store by another one of the same length. */
export async function renameInManifest(storage: Storage, from: string, to: string): Promise<void> {
  if (Buffer.byteLength(to) !== from.length) throw new Error('the lengths differ');
  for await (const { key } of storage.list('manifests/')) {
    const bytes = (await storage.get(key)) ?? new Uint8Array();
    const changed = rewritten(bytes, key, from, to);
    await storage.delete(key);
    await storage.putIfAbsent(key, [changed]);
  }
}

function rewritten(bytes: Uint8Array, key: string, from: string, to: string): Uint8Array {
  const { manifest, bodyOffset } = decodeManifest(hasher, bytes, key);
  const body: Uint8Array[] = [];
  let offset = 0;
  const place = (reference: SectionReference): SectionReference => {
    const start = bodyOffset + reference.offset;
    const raw = openSection(hasher, reference, bytes.subarray(start, start + reference.length), key).slice();
    const at = Buffer.from(raw).indexOf(from);
    if (at >= 0) raw.set(new TextEncoder().encode(to), at);
    const { stored, rawLength, checksum } = packSection(hasher, raw, true);
    body.push(stored);
    offset += stored.length;
    return { object: '', offset: offset - stored.length, length: stored.length, rawLength, checksum };
  };
  const layout = place(manifest.layout);
  const facts = place(manifest.facts);
  const idPages = manifest.idPages.map(place);
  return joined([encodeManifest(hasher, { ...manifest, layout, facts, idPages }), ...body]);
}
