/** Reads and writes manifests with their sections, sharing the sections that an earlier manifest already holds. */
import { corrupt } from '../errors.js';
import {
  type ChunkTable,
  type Content,
  checkIdPage,
  checksumBytes,
  decodeContent,
  decodeLayout,
  decodeManifest,
  decodeSource,
  encodeFacts,
  encodeIdPages,
  encodeLayout,
  encodeManifest,
  entriesOf,
  equalBytes,
  type FileLayout,
  type Layout,
  type Manifest,
  type OpenedManifest,
  objectKey,
  openSection,
  type PackedSection,
  packSection,
  placeOfSource,
  type SectionReference,
  type StoreConfig,
  type TensorLayout,
} from '../format/index.js';
import type { Hasher } from '../hash/index.js';
import { ChunkIndex, type ObjectWriter } from '../packs/index.js';
import type { Storage } from '../storage/index.js';
import type { Group } from '../tensor/index.js';

/** What reading and writing metadata takes: a store's context has it. */
export interface MetadataSource {
  readonly storage: Storage;
  readonly config: StoreConfig;
  readonly hasher: Hasher;
}

/** What retention took from a checkpoint. */
export interface DroppedParts {
  groups: readonly Group[];
  /** As it was saved: the plain data of a state goes by the numbers of its tensors. */
  saved: Layout;
  tensors: readonly TensorLayout[];
  /** Files that had such tensors: what is left of them does not make a file. */
  files: readonly { path: string; layout: FileLayout }[];
}

/** A manifest and what it describes. */
export interface LoadedManifest {
  name: string;
  manifest: Manifest;
  /** Where its own sections start in the object. */
  bodyOffset: number;
  layout: Layout;
  content: Content;
  /** Resolves its chunks in place of its segments: what was found sound of a damaged checkpoint. */
  index?: ChunkIndex;
  /** What retention took, if anything: `layout` and `content` are then what is left. */
  dropped?: DroppedParts;
}

/** Reads and checks a manifest's head. */
export async function readManifestHead(
  context: MetadataSource,
  name: string,
): Promise<OpenedManifest & { bytes: Uint8Array }> {
  const key = objectKey('manifests', name);
  const bytes = await context.storage.get(key);
  if (bytes === undefined) throw corrupt('missing-object', 'is not in the store', key);
  return { ...decodeManifest(context.hasher, bytes, key), bytes };
}

/** Reads a manifest with its layout and content. */
export async function loadManifest(context: MetadataSource, name: string): Promise<LoadedManifest> {
  const opened = await readManifestHead(context, name);
  const { manifest, bodyOffset } = opened;
  const read = (reference: SectionReference) => readSection(context, name, opened, reference);
  const key = objectKey('manifests', name);
  const layout = decodeLayout(await read(manifest.layout), key, manifest.unpacked);
  const facts = await read(manifest.facts);
  const idPages = await Promise.all(manifest.idPages.map(read));
  const content = decodeContent(layout, context.config.chunkElements, facts, idPages, key);
  return { name, manifest, bodyOffset, layout, content };
}

/** Reads a manifest and all its chunk ids, 16 bytes each, and nothing else. */
export async function loadIdPages(
  context: MetadataSource,
  name: string,
): Promise<{ manifest: Manifest; idPages: Uint8Array[] }> {
  const opened = await readManifestHead(context, name);
  const { manifest } = opened;
  const idPages = await Promise.all(manifest.idPages.map((page) => readSection(context, name, opened, page)));
  for (const page of idPages) checkIdPage(page, objectKey('manifests', name));
  return { manifest, idPages };
}

async function readSection(
  context: MetadataSource,
  name: string,
  { bodyOffset, bytes }: OpenedManifest & { bytes: Uint8Array },
  reference: SectionReference,
): Promise<Uint8Array> {
  const key = objectKey('manifests', reference.object === '' ? name : reference.object);
  const { offset, length } = reference;
  const stored =
    reference.object === ''
      ? bytes.subarray(bodyOffset + offset, bodyOffset + offset + length)
      : await context.storage.get(key, { offset, length });
  if (stored === undefined) throw corrupt('missing-object', 'is not in the store', key);
  return openSection(context.hasher, reference, stored, key);
}

/** Reads what resolves a manifest's chunks: an index segment, or the footer of a pack. */
export async function readIndexSource(
  { storage, hasher }: MetadataSource,
  source: string,
): Promise<Iterable<ChunkTable>> {
  const { key, range } = placeOfSource(source, 'a manifest');
  const bytes = await storage.get(key, range);
  if (bytes === undefined) throw corrupt('missing-object', 'is not in the store', key);
  return decodeSource(hasher, source, bytes);
}

/** Reads the index of a manifest, all its sources at once, in order. */
export async function loadIndex(source: MetadataSource, segments: readonly string[]): Promise<ChunkIndex> {
  const read = await Promise.all(segments.map((name) => readIndexSource(source, name)));
  const index = new ChunkIndex();
  for (const [at, tables] of read.entries()) index.add(segments[at], entriesOf(tables));
  return index;
}

/** Returns the manifest objects that hold a manifest's sections, itself apart. */
export function sectionHolders(manifest: Manifest): string[] {
  const all = [manifest.layout, manifest.facts, ...manifest.idPages];
  return [...new Set(all.map((section) => section.object))].filter((name) => name !== '');
}

export interface ManifestParts {
  checkpoint: string;
  layout: Layout;
  content: Content;
  segments: string[];
}

/** Writes a manifest; sections equal to those of `base` are shared with it. Returns its name. */
export async function writeManifest(
  context: MetadataSource,
  objects: ObjectWriter,
  parts: ManifestParts,
  base: LoadedManifest | undefined,
): Promise<string> {
  const body: Uint8Array[] = [];
  let bodyLength = 0;
  const place = (
    raw: Uint8Array,
    compress: boolean,
    shared: SectionReference | undefined,
  ): SectionReference => {
    if (base !== undefined && shared !== undefined && isSame(context, raw, shared))
      return foreign(shared, base);
    const packed: PackedSection = packSection(context.hasher, raw, compress);
    const { stored, rawLength, checksum } = packed;
    const reference = { object: '', offset: bodyLength, length: stored.length, rawLength, checksum };
    body.push(stored);
    bodyLength += stored.length;
    return reference;
  };
  const name = objects.newName();
  const manifest: Manifest = {
    name,
    checkpoint: parts.checkpoint,
    layout: place(encodeLayout(parts.layout), true, base?.manifest.layout),
    facts: place(encodeFacts(parts.layout, parts.content), true, base?.manifest.facts),
    idPages: encodeIdPages(parts.content).map((page, index) =>
      place(page, false, base?.manifest.idPages[index]),
    ),
    segments: parts.segments,
    ...(parts.layout.files.some(({ unpackedSize }) => unpackedSize !== undefined) && {
      unpacked: true as const,
    }),
  };
  await objects.put(objectKey('manifests', name), [encodeManifest(context.hasher, manifest), ...body]);
  return name;
}

/** Writes a manifest that has the sections of `source`, all shared, under other segments. Returns its name. */
export async function rewriteManifest(
  context: MetadataSource,
  objects: ObjectWriter,
  source: OpenedManifest & { name: string },
  segments: string[],
): Promise<string> {
  const { manifest } = source;
  const name = objects.newName();
  const moved: Manifest = {
    name,
    checkpoint: manifest.checkpoint,
    layout: foreign(manifest.layout, source),
    facts: foreign(manifest.facts, source),
    idPages: manifest.idPages.map((page) => foreign(page, source)),
    segments,
    ...(manifest.unpacked && { unpacked: manifest.unpacked }),
  };
  await objects.put(objectKey('manifests', name), [encodeManifest(context.hasher, moved)]);
  return name;
}

function isSame(context: MetadataSource, raw: Uint8Array, reference: SectionReference): boolean {
  return (
    raw.length === reference.rawLength && equalBytes(checksumBytes(context.hasher, raw), reference.checksum)
  );
}

/** Returns a reference to a section of `base` as it stands in another manifest. */
function foreign(reference: SectionReference, base: { name: string; bodyOffset: number }): SectionReference {
  if (reference.object !== '') return reference;
  return { ...reference, object: base.name, offset: base.bodyOffset + reference.offset };
}
