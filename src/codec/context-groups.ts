/**
 * Tables of a context coder: FORMAT.md, "Classes". Exponents that are neighbours and behave alike share a table; how
 * they are grouped is found by merging neighbours for as long as that makes tables and data smaller.
 */
import type { ByteReader, ByteWriter } from '../bytes/index.js';
import { CONTEXT_GROUPS_MAX, type ContextTables } from '../kernels/index.js';
import type { CostModel } from './cost.js';
import { estimatedBits, fitFrequencies, readFrequencies } from './frequency-table.js';

const SYMBOLS = 256;
const CONTEXTS = 256;

/** Bits of the first exponent of a group. */
const START_BITS = 8;

/** Neighbouring exponents with one table. */
interface Group {
  /** Its first exponent; the last one is that before the next group. */
  readonly start: number;
  readonly counts: Uint32Array;
  readonly bits: number;
}

export interface FittedTables {
  readonly tables: ContextTables;
  /** The groups and their tables, as they are stored. */
  readonly write: (writer: ByteWriter) => void;
  readonly tableBytes: number;
}

function united(first: Group, second: Group, cost: CostModel): Group {
  const counts = first.counts.slice();
  for (let symbol = 0; symbol < SYMBOLS; symbol++) counts[symbol] += second.counts[symbol];
  return { start: first.start, counts, bits: START_BITS + estimatedBits(counts, cost) };
}

/** Merges the neighbours that gain most, or lose least, until no merge gains and the groups are few enough. */
function mergedGroups(groups: Group[], cost: CostModel): Group[] {
  const unions = groups.slice(1).map((group, index) => united(groups[index], group, cost));
  while (groups.length > 1) {
    let best = 0;
    let bestGain = Number.NEGATIVE_INFINITY;
    unions.forEach((union, index) => {
      const gain = groups[index].bits + groups[index + 1].bits - union.bits;
      if (gain <= bestGain) return;
      best = index;
      bestGain = gain;
    });
    if (bestGain <= 0 && groups.length <= CONTEXT_GROUPS_MAX) break;
    const [union] = unions.splice(best, 1);
    groups.splice(best, 2, union);
    if (best > 0) unions[best - 1] = united(groups[best - 1], union, cost);
    if (best < unions.length) unions[best] = united(union, groups[best + 1], cost);
  }
  return groups;
}

/** A table needs two values; a group with one gets a second that never occurs. */
function atLeastTwo(counts: Uint32Array): Uint32Array {
  let values = 0;
  for (let symbol = 0; symbol < SYMBOLS; symbol++) if (counts[symbol] > 0) values++;
  if (values > 1) return counts;
  const padded = counts.slice();
  padded[padded[0] === 0 ? 0 : 2]++;
  return padded;
}

/** Returns the cheapest tables for `counts`, 256 for each of 256 exponents, of which at least one is not 0. */
export function fitContexts(counts: Uint32Array, cost: CostModel): FittedTables | undefined {
  const groups: Group[] = [];
  for (let exponent = 0; exponent < CONTEXTS; exponent++) {
    const row = counts.subarray(exponent * SYMBOLS, (exponent + 1) * SYMBOLS);
    if (isEmpty(row)) continue;
    groups.push({ start: exponent, counts: row, bits: START_BITS + estimatedBits(row, cost) });
  }
  const merged = mergedGroups(groups, cost);
  const fitted = merged.flatMap((group) => fitFrequencies(atLeastTwo(group.counts), cost) ?? []);
  if (fitted.length === 0 || fitted.length < merged.length) return undefined;
  const frequencies = new Uint16Array(SYMBOLS * fitted.length);
  fitted.forEach((table, index) => {
    frequencies.set(table.frequencies, SYMBOLS * index);
  });
  const starts = merged.map(({ start }) => start);
  return {
    tables: { groups: groupsOf(starts), frequencies },
    write(writer) {
      writer.u8(fitted.length);
      for (const start of starts.slice(1)) writer.u8(start);
      for (const { bytes } of fitted) writer.bytes(bytes);
    },
    tableBytes: fitted.reduce((sum, { bytes }) => sum + 1 + bytes.length, 0),
  };
}

function isEmpty(counts: Uint32Array): boolean {
  for (let symbol = 0; symbol < SYMBOLS; symbol += 4) {
    if ((counts[symbol] | counts[symbol + 1] | counts[symbol + 2] | counts[symbol + 3]) !== 0) return false;
  }
  return true;
}

/** The table of each exponent; those below the first group belong to it. */
function groupsOf(starts: readonly number[]): Uint8Array {
  const groups = new Uint8Array(CONTEXTS);
  starts.forEach((start, index) => {
    if (index > 0) groups.fill(index, start);
  });
  return groups;
}

/** Reads groups and tables; throws `corrupt` for what no encoder writes. */
export function readContexts(reader: ByteReader): ContextTables {
  const offset = reader.offset;
  const count = reader.u8();
  if (count < 1 || count > CONTEXT_GROUPS_MAX) reader.fail('record-table', `${count} tables`, offset);
  const starts = [0];
  for (let index = 1; index < count; index++) {
    const start = reader.u8();
    if (start <= starts[index - 1])
      reader.fail('record-table', 'exponents of tables are out of order', offset);
    starts.push(start);
  }
  const frequencies = new Uint16Array(SYMBOLS * count);
  for (let index = 0; index < count; index++) frequencies.set(readFrequencies(reader), SYMBOLS * index);
  return { groups: groupsOf(starts), frequencies };
}
