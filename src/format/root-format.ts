/** The root: the one object that changes, always by compare-and-set (FORMAT.md, "Root"). */
import type { Hasher } from '../hash/index.js';
import { MAGIC, openEnvelope, sealEnvelope } from './envelope.js';
import { type Fields, packRecord, unpackRecord } from './fields.js';

/** A catalogue page that a run refers to, oldest entries first. */
export interface PageReference {
  name: string;
  /** Entries in the page. */
  count: number;
}

export interface RunRecord {
  pages: PageReference[];
}

/** Where a tag or pin points: a checkpoint and the run whose catalogue holds it. */
export interface Mark {
  id: string;
  run: string;
}

export interface Root {
  /** Counts the writes of the root. */
  generation: number;
  /** Random id of the write that made this generation: tells a writer whose answer was lost that it won. */
  writeId: string;
  /** Raised by each condemnation; a writer that finds another one than it began with checks its objects again. */
  gcEpoch: number;
  runs: Map<string, RunRecord>;
  tags: Map<string, Mark>;
  pins: Mark[];
  /** Keys of objects that gc is about to delete; nothing that is committed may need them. */
  condemned: string[];
}

/** Returns the root of an empty store. */
export function emptyRoot(writeId: string): Root {
  return { generation: 0, writeId, gcEpoch: 0, runs: new Map(), tags: new Map(), pins: [], condemned: [] };
}

/** Encodes the root. */
export function encodeRoot(hasher: Hasher, root: Root): Uint8Array {
  const record = {
    generation: root.generation,
    writeId: root.writeId,
    gcEpoch: root.gcEpoch,
    runs: [...root.runs].map(([name, run]) => ({ name, pages: run.pages })),
    tags: [...root.tags].map(([name, mark]) => ({ name, id: mark.id, run: mark.run })),
    pins: root.pins.map((mark) => ({ id: mark.id, run: mark.run })),
    condemned: root.condemned,
  };
  return sealEnvelope(hasher, MAGIC.root, packRecord(record));
}

/** Decodes and checks the root. */
export function decodeRoot(hasher: Hasher, bytes: Uint8Array, object: string): Root {
  const fields = unpackRecord(openEnvelope(hasher, MAGIC.root, bytes, object), object);
  return {
    generation: fields.count('generation'),
    writeId: fields.text('writeId'),
    gcEpoch: fields.count('gcEpoch'),
    runs: new Map(fields.records('runs').map((run) => [run.text('name'), { pages: decodePages(run) }])),
    tags: new Map(fields.records('tags').map((tag) => [tag.text('name'), decodeMark(tag)])),
    pins: fields.records('pins').map(decodeMark),
    condemned: fields.texts('condemned'),
  };
}

function decodePages(run: Fields): PageReference[] {
  return run.records('pages').map((page) => ({ name: page.text('name'), count: page.count('count') }));
}

function decodeMark(fields: Fields): Mark {
  return { id: fields.text('id'), run: fields.text('run') };
}
