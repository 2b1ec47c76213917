/**
 * Mutable objects as files that never change: generation 7 of `root` is the file `root/00000000000000000007`, and the
 * highest generation is the value. Whoever creates generation n + 1 by link(2) has replaced generation n; the other
 * writers meet EEXIST.
 *
 * Create-if-absent stops fencing once generations are deleted: a writer that read generation 7, slept while 8 to 30
 * came and 8 to 22 were deleted, would create 8 again and believe that it won. Therefore a *boundary* goes first:
 * before anybody deletes generations <= B, the file `root/boundary.<B>` is durable. A writer lists the directory after
 * its link, and has lost if its generation is not above the highest boundary. For if its link succeeded because
 * generation n + 1 had been deleted, then a boundary >= n + 1 was there before the deletion, hence before the link,
 * hence in the list. Conversely, a generation above every boundary was never deleted, so its name was created once:
 * one winner. A true winner that slept until its generation was superseded and deleted also hears that it lost; it
 * reads the root to see whether its change stands.
 * The two highest boundaries are kept, so that one slow directory listing cannot miss all of them.
 */
import { readdir, unlink } from 'node:fs/promises';
import { corrupt, isThetalogError } from '../errors.js';
import { closeRead, openForReading, publish, READ_BYTES_MAX, readBytes } from './durable-file.js';
import { errnoOf, fileError, notAnObjectError } from './file-errors.js';
import type { Versioned } from './storage.js';
import { TEMPORARY_PREFIX } from './storage-key.js';
import type { StoreDirectory } from './store-directory.js';

/** How many generations stay, for readers that listed a moment ago and for people who look into a damaged store. */
const GENERATIONS_KEPT = 8;

/** Old generations are removed at every fourth put, as a removal costs two more syncs. */
const CLEANING_INTERVAL = 4;

/** A reader lists again if the generation it chose was removed meanwhile, which takes eight puts each time. */
const READ_ATTEMPTS_MAX = 50;

const DIGITS = 20;
/** At most 15 digits are significant, so that every generation is an exact number; other names are not ours. */
const GENERATION_NAME = /^0{5}\d{15}$/;
const BOUNDARY_NAME = /^boundary\.(0{5}\d{15})$/;
/** A generation or boundary that was being written under `tmp/`. */
const LEFTOVER_NAME = /^(?:boundary\.)?(0{5}\d{15})\./;

interface Listing {
  /** Ascending; those at or below the highest boundary are dead, whatever they contain. */
  generations: number[];
  /** Ascending. */
  boundaries: number[];
}

export class GenerationFiles {
  private readonly directory: StoreDirectory;
  /** The highest generation of each key whose directory entry is known to be durable. */
  private readonly durable = new Map<string, number>();

  constructor(directory: StoreDirectory) {
    this.directory = directory;
  }

  /** Reads the newest generation. What a reader saw is durable: a power cut does not take it back. */
  async read(key: string): Promise<Versioned | undefined> {
    for (let attempt = 1; attempt <= READ_ATTEMPTS_MAX; attempt += 1) {
      const listing = await this.list(key);
      const generation = currentOf(listing);
      if (generation === undefined) {
        if (listing.boundaries.length === 0) return undefined;
        continue;
      }
      const bytes = await this.readGeneration(key, generation);
      if (bytes === undefined) continue;
      await this.makeDurable(key, generation);
      return { bytes, version: String(generation) };
    }
    throw corrupt('generation-missing', 'all generations above the last boundary are missing', key);
  }

  /**
   * Creates the generation after `version`; undefined if it was not the newest any more. After a crash the new
   * generation stands whole or not at all. After an error it may stand: the caller reads again.
   */
  async replace(key: string, bytes: Uint8Array, version: string | undefined): Promise<string | undefined> {
    const current = currentOf(await this.list(key));
    if (current === undefined ? version !== undefined : version !== String(current)) return undefined;
    const next = (current ?? 0) + 1;
    const nextKey = generationKey(key, next);
    if (!(await publish(this.directory, nextKey, [bytes]))) return undefined;
    await this.directory.syncFor(nextKey);
    const after = await this.list(key);
    if (next <= boundaryOf(after)) {
      await this.remove(nextKey);
      return undefined;
    }
    this.durable.set(key, next);
    if (next % CLEANING_INTERVAL === 0)
      await this.clean(key, next - GENERATIONS_KEPT, after).catch(leaveForLater);
    return String(next);
  }

  /** Removes the generations up to `boundary`, after they were declared dead, and boundaries that say less. */
  private async clean(key: string, boundary: number, listing: Listing): Promise<void> {
    if (boundary < 1) return;
    const boundaryKey = `${key}/boundary.${digits(boundary)}`;
    await publish(this.directory, boundaryKey, []);
    await this.directory.syncFor(boundaryKey);
    for (const generation of listing.generations)
      if (generation <= boundary) await this.remove(generationKey(key, generation));
    const newest = listing.boundaries.at(-1) ?? 0;
    for (const older of listing.boundaries)
      if (older < Math.min(newest, boundary)) await this.remove(`${key}/boundary.${digits(older)}`);
    await this.removeLeftovers(boundary);
  }

  /** Removes temporary files of writers that were killed; a live one among them could only lose now. */
  private async removeLeftovers(boundary: number): Promise<void> {
    for (const name of await this.names(TEMPORARY_PREFIX.slice(0, -1))) {
      const generation = LEFTOVER_NAME.exec(name)?.[1];
      if (generation !== undefined && Number(generation) <= boundary)
        await this.remove(`${TEMPORARY_PREFIX}${name}`);
    }
  }

  private async list(key: string): Promise<Listing> {
    const listing: Listing = { generations: [], boundaries: [] };
    for (const name of await this.names(key)) {
      const boundary = BOUNDARY_NAME.exec(name)?.[1];
      if (boundary !== undefined) listing.boundaries.push(Number(boundary));
      else if (GENERATION_NAME.test(name)) listing.generations.push(Number(name));
    }
    const ascending = (a: number, b: number): number => a - b;
    listing.generations.sort(ascending);
    listing.boundaries.sort(ascending);
    return listing;
  }

  private async names(key: string): Promise<string[]> {
    if (!(await this.directory.reaches(`${key}/`))) return [];
    try {
      return await readdir(this.directory.pathOf(key));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw fileError(error, key, 'list');
    }
  }

  private async readGeneration(key: string, generation: number): Promise<Uint8Array | undefined> {
    const fileKey = generationKey(key, generation);
    const file = await openForReading(this.directory.pathOf(fileKey), fileKey);
    if (file === undefined) return undefined;
    try {
      const stats = await file.stat();
      if (!stats.isFile() || stats.size > READ_BYTES_MAX) throw notAnObjectError(fileKey, 'read');
      return await readBytes(file, 0, stats.size);
    } catch (error) {
      throw fileError(error, fileKey, 'read');
    } finally {
      await closeRead(file);
    }
  }

  /**
   * Syncs the directory on behalf of a writer that may not have come so far, once per generation. Where nothing can
   * be written, nothing can be taken back either.
   */
  private async makeDurable(key: string, generation: number): Promise<void> {
    if (generation <= (this.durable.get(key) ?? 0)) return;
    try {
      await this.directory.syncFor(generationKey(key, generation));
      this.durable.set(key, generation);
    } catch (error) {
      if (!(isThetalogError(error, 'unavailable') && error.code === 'storage-denied')) throw error;
    }
  }

  private async remove(key: string): Promise<void> {
    try {
      await unlink(this.directory.pathOf(key));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw fileError(error, key, 'delete');
    }
  }
}

function currentOf(listing: Listing): number | undefined {
  const newest = listing.generations.at(-1);
  return newest !== undefined && newest > boundaryOf(listing) ? newest : undefined;
}

function boundaryOf({ boundaries }: Listing): number {
  return boundaries.at(-1) ?? 0;
}

function generationKey(key: string, generation: number): string {
  return `${key}/${digits(generation)}`;
}

function digits(generation: number): string {
  return String(generation).padStart(DIGITS, '0');
}

/** The put before the cleaning is done and acknowledged; the next cleaning lists afresh and removes what is left. */
function leaveForLater(): void {}
