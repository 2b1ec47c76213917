/** Decodes chunks and puts their bytes where they belong: into files, or into memory; or compares them with what is there. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { corrupt, isThetalogError } from '../errors.js';
import type { ChunkId } from '../hash/index.js';
import type { Kernels } from '../kernels/index.js';
import { type Cast, castElements } from './cast-elements.js';
import { type ChunkTools, DecodedChunks, type StoredRecord } from './chunk-jobs.js';
import { copyBytes } from './copy-bytes.js';
import { fileError, writeAll } from './file-parts.js';
import { targetError } from './target-error.js';

/**
 * Where bytes belong: a file that is there already, with the name to be used in messages, or one that must have them already;
 * memory that both sides use; or new memory, which the thread keeps for later jobs that have the same key, until it is handed over.
 */
export type RestoreTarget =
  | { readonly kind: 'file' | 'equal-file'; readonly path: string; readonly name: string }
  | { readonly kind: 'memory'; readonly bytes: Uint8Array }
  | { readonly kind: 'kept'; readonly key: number; readonly length: number };

/** Part of a chunk and where it belongs, in bytes. */
export interface RestorePart {
  readonly id: ChunkId;
  readonly from: number;
  readonly length: number;
  /** Number of the target. */
  readonly target: number;
  readonly position: number;
  /** Only into files: the part is whole elements, and the other type is what is written. */
  readonly cast?: Cast;
}

export interface RestoreJob {
  readonly kind: 'restore';
  /** Each after all that it reads. */
  readonly records: readonly StoredRecord[];
  readonly targets: readonly RestoreTarget[];
  readonly parts: readonly RestorePart[];
}

/** Asks a thread for memory that it keeps. */
export interface HandOverJob {
  readonly kind: 'hand-over';
  readonly keys: readonly number[];
}

export interface HandOverResult {
  /** In the order of the keys. */
  readonly memory: Uint8Array<ArrayBuffer>[];
}

/** Returns kept memory, which is forgotten here. Throws if some of it was never begun. */
export function handOver({ kept }: ChunkTools, { keys }: HandOverJob): HandOverResult {
  const memory = keys.flatMap((key) => kept.get(key) ?? []);
  for (const key of keys) kept.delete(key);
  if (memory.length < keys.length) throw new Error('Memory to be handed over is not there.');
  return { memory };
}

/**
 * Throws `corrupt` for damage, naming object and offset, and for a file that has other bytes; `unavailable` for a file that cannot be
 * written or read.
 */
export function restoreChunks(tools: ChunkTools, { records, targets, parts }: RestoreJob): void {
  const places = new OpenTargets(targets, tools);
  const partsOf = groupParts(parts);
  const uses = countUses(records);
  try {
    const decoded = new DecodedChunks(tools, records, true);
    for (const { entry } of records) {
      const raw = decoded.get(entry.id);
      for (const part of partsOf.get(entry.id) ?? []) places.write(part, raw);
      for (const id of [entry.id, ...entry.references]) {
        const left = (uses.get(id) ?? 1) - 1;
        uses.set(id, left);
        if (left === 0) decoded.release(id);
      }
    }
  } catch (error) {
    places.close();
    throw error;
  }
  const failure = places.close();
  if (failure !== undefined) throw failure;
}

function groupParts(parts: readonly RestorePart[]): Map<ChunkId, RestorePart[]> {
  const partsOf = new Map<ChunkId, RestorePart[]>();
  for (const part of parts) {
    const known = partsOf.get(part.id);
    if (known === undefined) partsOf.set(part.id, [part]);
    else known.push(part);
  }
  return partsOf;
}

/** How often each chunk is looked at: by its own turn, and by each that reads it. */
function countUses(records: readonly StoredRecord[]): Map<ChunkId, number> {
  const uses = new Map<ChunkId, number>();
  for (const { entry } of records) {
    for (const id of [entry.id, ...entry.references]) uses.set(id, (uses.get(id) ?? 0) + 1);
  }
  return uses;
}

/** Files that a job holds open: many small ones may lie in one. */
const FILES_OPEN_MAX = 16;

/** Files are opened when they are written to; of too many the one that was opened first is closed. */
class OpenTargets {
  private readonly targets: readonly RestoreTarget[];
  private readonly files = new Map<number, number>();
  private readonly kernels: Kernels;
  private readonly kept: Map<number, Uint8Array<ArrayBuffer>>;

  constructor(targets: readonly RestoreTarget[], { kernels, kept }: ChunkTools) {
    this.targets = targets;
    this.kernels = kernels;
    this.kept = kept;
    for (const target of targets)
      if (target.kind === 'kept' && !kept.has(target.key))
        kept.set(target.key, new Uint8Array(target.length));
  }

  write({ from, length, target: at, position, cast }: RestorePart, raw: Uint8Array): void {
    const bytes = raw.subarray(from, from + length);
    const target = this.targets[at];
    if (target.kind === 'memory') copyBytes(target.bytes.subarray(position, position + length), bytes);
    else if (target.kind === 'kept') this.kept.get(target.key)?.set(bytes, position);
    else {
      const { arena } = this.kernels;
      const mark = arena.mark();
      const written = cast === undefined ? bytes : castElements(this.kernels, bytes, cast);
      this.reachFile(at, target, written, position);
      arena.release(mark);
    }
  }

  /** Returns what went wrong. */
  close(): Error | undefined {
    const failures = [...this.files.keys()].map((at) => this.closeFile(at));
    return failures.find((failure) => failure !== undefined);
  }

  private makeRoom(at: number): void {
    const [first] = this.files.keys();
    if (this.files.has(at) || this.files.size < FILES_OPEN_MAX) return;
    const failure = this.closeFile(first);
    if (failure !== undefined) throw failure;
  }

  /** Returns what went wrong: close(2) is where some file systems report that a write failed. */
  private closeFile(at: number): Error | undefined {
    const file = this.files.get(at);
    this.files.delete(at);
    try {
      if (file !== undefined) closeSync(file);
    } catch (cause) {
      return targetError(this.nameOf(at), cause);
    }
  }

  private nameOf(at: number): string {
    const target = this.targets[at];
    return 'name' in target ? target.name : '';
  }

  private reachFile(at: number, target: FileTarget, bytes: Uint8Array, position: number): void {
    const { kind, path, name } = target;
    this.makeRoom(at);
    try {
      const flags = kind === 'file' ? constants.O_WRONLY | constants.O_NOFOLLOW : constants.O_RDONLY;
      const file = this.files.get(at) ?? openSync(path, flags);
      this.files.set(at, file);
      if (kind === 'file') writeAll(file, bytes, position);
      else assertEqual(file, bytes, position, name);
    } catch (cause) {
      if (isThetalogError(cause)) throw cause;
      throw kind === 'file' ? targetError(name, cause) : fileError(name, cause);
    }
  }
}

type FileTarget = Extract<RestoreTarget, { path: string }>;

/** Bytes compared at a time: they stay in the cache. */
const COMPARED_BYTES = 256 * 1024;
/** One for each thread: threads collect garbage so rarely that new ones for each part made 2.9 GB in 100 checkpoints of 100 MB. */
let comparedWindow: Buffer | undefined;

function assertEqual(file: number, bytes: Uint8Array, position: number, name: string): void {
  comparedWindow ??= Buffer.allocUnsafeSlow(COMPARED_BYTES);
  const window = comparedWindow;
  for (let done = 0; done < bytes.length; ) {
    const read = readSync(file, window, 0, Math.min(window.length, bytes.length - done), position + done);
    if (read === 0 || window.compare(bytes, done, done + read, 0, read) !== 0)
      throw corrupt('other-bytes', 'what was stored of it decodes to other bytes', name, position + done);
    done += read;
  }
}
