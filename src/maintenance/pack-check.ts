/** Checks a pack without decoding its records: frame, footer, and that the index segments say what the footer says. */
import type { StoreContext } from '../checkpoints/index.js';
import { corrupt, ThetalogError } from '../errors.js';
import {
  type ChunkEntry,
  checkPackHeader,
  decodePackFooter,
  decodePackTrailer,
  objectKey,
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
  try {
    const footer = await readFooter(context, inventory, pack, object);
    const byOffset = new Map(footer.map((entry) => [entry.offset, entry]));
    for (const entry of claimed) {
      const difference = differenceOf(entry, byOffset.get(entry.offset));
      if (difference === undefined) continue;
      const message = `the footer and an index segment disagree on the ${difference} of chunk ${entry.id}`;
      records.push({
        offset: entry.offset,
        error: corrupt('index-mismatch', message, object, entry.offset),
      });
    }
  } catch (error) {
    whole.push(asDamage(error));
  }
  return { whole, records };
}

/** Reads the chunk table at the end of a pack. */
export async function readFooter(
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

/** Names the first field in which a segment's entry differs from the footer's. */
function differenceOf(claimed: ChunkEntry, found: ChunkEntry | undefined): string | undefined {
  if (found === undefined) return 'offset';
  const fields = ['id', 'length', 'rawLength', 'height', 'checksum'] as const;
  const field = fields.find((name) => claimed[name] !== found[name]);
  if (field !== undefined) return field;
  return claimed.references.join() === found.references.join() ? undefined : 'references';
}
