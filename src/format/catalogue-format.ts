/** Catalogue pages: what is on record of each live checkpoint of a run (FORMAT.md, "Catalogue page"). */
import { corrupt, ThetalogError } from '../errors.js';
import type { Hasher } from '../hash/index.js';
import { GROUPS, type Group } from '../tensor/index.js';
import { MAGIC, openEnvelopeAt, sealEnvelope } from './envelope.js';
import { type Fields, packRecord, readOwnName, unpackRecord } from './fields.js';
import { FORMAT_VERSION, PAGE_VERSION } from './limits.js';

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
  /** Those that had tensors when it was saved. */
  groups: Group[];
  /** Milliseconds since 1970. */
  createdAt: number;
  logicalBytes: number;
  storedBytes: number;
  height: number;
  /** Those of its groups that retention dropped: their tensors may be gone. */
  droppedGroups: Group[];
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
  const isReduced = entries.some(({ droppedGroups }) => droppedGroups.length > 0);
  const payload = packRecord({ name, run, entries: entries.map(recordOf) });
  return sealEnvelope(hasher, MAGIC.page, payload, isReduced ? PAGE_VERSION : FORMAT_VERSION);
}

/** Leaves the field out where nothing was dropped, as version 1 has it. */
function recordOf({ droppedGroups, ...entry }: CatalogueEntry): object {
  return droppedGroups.length > 0 ? { ...entry, droppedGroups } : entry;
}

/** Decodes and checks a page. */
export function decodePage(hasher: Hasher, bytes: Uint8Array, object: string): CataloguePage {
  const { version, payload, length } = openEnvelopeAt(hasher, MAGIC.page, bytes, object, PAGE_VERSION);
  if (length !== bytes.length) throw corrupt('trailing-bytes', 'has bytes after its end', object, length);
  const fields = unpackRecord(payload, object);
  const name = readOwnName(fields, object);
  const entries = fields.records('entries').map((entry) => decodeEntry(entry, object));
  if (version < PAGE_VERSION && entries.some(({ droppedGroups }) => droppedGroups.length > 0))
    throw corrupt('bad-field', 'drops groups, which its version has not', object);
  return { name, run: fields.text('run'), entries };
}

function decodeEntry(fields: Fields, object: string): CatalogueEntry {
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
    droppedGroups: fields.names().includes('droppedGroups') ? droppedGroupsOf(fields, object) : [],
  };
}

/** A group that is not known here cannot be told from those that are there. */
function droppedGroupsOf(fields: Fields, object: string): Group[] {
  return fields.texts('droppedGroups').map((name) => {
    const known = GROUPS.find((group) => group === name);
    if (known !== undefined) return known;
    const message = `${object}: a checkpoint has lost the group "${name}", which this build does not know`;
    throw new ThetalogError('unsupported', 'unknown-group', message, { object, hint: 'Upgrade thetalog.' });
  });
}
