/** Catalogue pages: what is on record of each live checkpoint of a run (FORMAT.md, "Catalogue page"). */
import type { Hasher } from '../hash/index.js';
import { GROUPS, type Group } from '../tensor/index.js';
import { MAGIC, openEnvelope, sealEnvelope } from './envelope.js';
import { type Fields, packRecord, readOwnName, unpackRecord } from './fields.js';

export interface CatalogueEntry {
  /** 32 random hexadecimal digits. */
  id: string;
  /** Name of the manifest object. */
  manifest: string;
  kind: 'files' | 'state';
  step: number | null;
  epoch: number | null;
  label: string;
  metrics: Record<string, number>;
  meta: Record<string, string>;
  /** Id of the checkpoint it was resumed or forked from, which may be gone. */
  parent: string | null;
  groups: Group[];
  /** Milliseconds since 1970. */
  createdAt: number;
  logicalBytes: number;
  storedBytes: number;
  height: number;
}

/** Consecutive entries of a run, oldest first. */
export interface CataloguePage {
  /** Its own; empty in those of before this field. */
  name: string;
  run: string;
  entries: readonly CatalogueEntry[];
}

/** Encodes a page. */
export function encodePage(hasher: Hasher, { name, run, entries }: CataloguePage): Uint8Array {
  return sealEnvelope(hasher, MAGIC.page, packRecord({ name, run, entries }));
}

/** Decodes and checks a page. */
export function decodePage(hasher: Hasher, bytes: Uint8Array, object: string): CataloguePage {
  const fields = unpackRecord(openEnvelope(hasher, MAGIC.page, bytes, object), object);
  const name = readOwnName(fields, object);
  return { name, run: fields.text('run'), entries: fields.records('entries').map(decodeEntry) };
}

function decodeEntry(fields: Fields): CatalogueEntry {
  return {
    id: fields.text('id'),
    manifest: fields.text('manifest'),
    kind: fields.oneOf('kind', ['files', 'state'] as const),
    step: fields.numberOrNull('step'),
    epoch: fields.numberOrNull('epoch'),
    label: fields.text('label'),
    metrics: fields.numbers('metrics'),
    meta: fields.textMap('meta'),
    parent: fields.textOrNull('parent'),
    groups: fields.texts('groups').filter((group): group is Group => GROUPS.includes(group as Group)),
    createdAt: fields.number('createdAt'),
    logicalBytes: fields.count('logicalBytes'),
    storedBytes: fields.count('storedBytes'),
    height: fields.count('height'),
  };
}
