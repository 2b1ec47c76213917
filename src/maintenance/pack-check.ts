/** Checks a pack without decoding its records: frame, footer, and that the index segments say what the footer says. */
import type { StoreContext } from '../checkpoints/index.js';
import { corrupt, ThetalogError } from '../errors.js';
import {
  type ChunkEntry,
  checkPackHeader,
  decodeFooterCopy,
  decodePackFooter,
  decodePackTrailer,
  decodeRecordsStart,
  objectKey,
  PACK_HEAD_BYTES,
  PACK_HEADER_BYTES,
  PACK_TRAILER_BYTES,
} from '../format/index.js';
import { asDamage } from './damage-log.js';
import type { Inventory } from './inventory.js';

/** What is wrong with a pack: with the whole of it, or with what the segments say of the record at an offset. */
export interface PackFaults {
  whole: ThetalogError[];
  records: { offset: number; error: ThetalogError }[];
}

/** Checks one pack against the entries that segments have for it. */
export async function checkPack(
  context: StoreContext,
  inventory: Inventory,
  pack: string,
  claimed: readonly ChunkEntry[],
): Promise<PackFaults> {
  const object = objectKey('packs', pack);
  const whole: ThetalogError[] = [];
  const records: PackFaults['records'] = [];
  try {
    checkPackHeader(await inventory.read(object, { offset: 0, length: PACK_HEADER_BYTES }), object);
  } catch (error) {
    whole.push(asDamage(error));
  }
  if (whole.some((error) => error.code === 'missing-object')) return { whole, records };
  const { entries, faults } = await readPackTable(context, inventory, pack, object);
  whole.push(...faults);
  const byOffset = new Map(entries.map((entry) => [entry.offset, entry]));
  for (const entry of entries.length === 0 ? [] : claimed) {
    const difference = differenceOf(entry, byOffset.get(entry.offset));
    if (difference === undefined) continue;
    const message = `the footer and an index segment disagree on the ${difference} of chunk ${entry.id}`;
    records.push({
      offset: entry.offset,
      error: corrupt('index-mismatch', message, object, entry.offset),
    });
  }
  return { whole, records };
}

/** Reads the chunk table of a pack: its footer or, if that is damaged, the copy; says what is wrong with either. */
export async function readPackTable(
  context: StoreContext,
  inventory: Inventory,
  pack: string,
  object: string,
): Promise<{ entries: ChunkEntry[]; faults: ThetalogError[] }> {
  let entries: ChunkEntry[];
  try {
    entries = await readFooter(context, inventory, pack, object);
  } catch (error) {
    const faults = [await withRemedy(context, inventory, pack, asDamage(error))];
    const copied = await readFooterCopy(context, inventory, pack, object).catch(asDamage);
    return { entries: Array.isArray(copied) ? copied : [], faults };
  }
  if (entries.at(0)?.offset === PACK_HEADER_BYTES) return { entries, faults: [] };
  const copy = await readFooterCopy(context, inventory, pack, object).catch(asDamage);
  if (!Array.isArray(copy)) return { entries, faults: [copy] };
  const isSame =
    copy.length === entries.length &&
    copy.every((entry, at) => differenceOf(entry, entries[at]) === undefined);
  const mismatch = corrupt('index-mismatch', 'the footer and its copy disagree', object, PACK_HEADER_BYTES);
  return { entries, faults: isSame ? [] : [mismatch] };
}

/** Says of damage of a pack's footer whether repair has a copy of it. */
export async function withRemedy(
  context: StoreContext,
  inventory: Inventory,
  pack: string,
  error: ThetalogError,
): Promise<ThetalogError> {
  const key = objectKey('packs', pack);
  if (!Array.isArray(await readFooterCopy(context, inventory, pack, key).catch(asDamage))) return error;
  const { kind, code, object, offset, cause } = error;
  const message = `${error.message}; repair rebuilds the index of this pack from the copy at its start`;
  return new ThetalogError(kind, code, message, { object, offset, cause });
}

/** Reads the chunk table at the end of a pack. */
async function readFooter(
  context: StoreContext,
  inventory: Inventory,
  pack: string,
  object: string,
): Promise<ChunkEntry[]> {
  const size = inventory.size(object);
  if (size < PACK_HEADER_BYTES + PACK_TRAILER_BYTES) throw corrupt('truncated', 'is too short', object, size);
  const trailerOffset = size - PACK_TRAILER_BYTES;
  const trailer = await inventory.read(object, { offset: trailerOffset, length: PACK_TRAILER_BYTES });
  const { offset, length } = decodePackTrailer(trailer, size, object);
  const footer = await inventory.read(object, { offset, length });
  try {
    return [...decodePackFooter(context.hasher, footer, offset, pack, object)];
  } catch (error) {
    const { kind, code, message } = asDamage(error);
    throw new ThetalogError(kind, code, message, { object, offset, cause: error });
  }
}

/** Reads the copy of the footer at the start of a pack; `corrupt` if there is none. */
async function readFooterCopy(
  context: StoreContext,
  inventory: Inventory,
  pack: string,
  object: string,
): Promise<ChunkEntry[]> {
  const end = await readRecordsStart(inventory, object);
  try {
    if (end > inventory.size(object))
      throw corrupt('truncated', 'ends inside the copy of its footer', object);
    const range = { offset: PACK_HEADER_BYTES, length: end - PACK_HEADER_BYTES };
    return [...decodeFooterCopy(context.hasher, await inventory.read(object, range), pack, object)];
  } catch (error) {
    const { kind, code, message } = asDamage(error);
    throw new ThetalogError(kind, code, message, { object, offset: PACK_HEADER_BYTES, cause: error });
  }
}

/** Returns where the records of a pack start. */
export async function readRecordsStart(inventory: Inventory, object: string): Promise<number> {
  return decodeRecordsStart(await inventory.read(object, { offset: 0, length: PACK_HEAD_BYTES }), object);
}

/** Names the first field in which a segment's entry differs from the footer's. */
function differenceOf(claimed: ChunkEntry, found: ChunkEntry | undefined): string | undefined {
  if (found === undefined) return 'offset';
  const fields = ['id', 'length', 'rawLength', 'height', 'checksum'] as const;
  const field = fields.find((name) => claimed[name] !== found[name]);
  if (field !== undefined) return field;
  return claimed.references.join() === found.references.join() ? undefined : 'references';
}
