/** The sequences of a block: how its literals and copies of what came before follow one another. RFC 8878, section 3.1.1.3.2. */
import { BackwardBits } from './backward-bits.js';
import { constantTable, type FseTable, fseTable, readFseTable } from './fse-table.js';

/** One kind of the three codes of a sequence. */
interface CodeKind {
  symbolMax: number;
  logMax: number;
  /** The table of blocks that bring none. */
  standard: FseTable;
}

// The counts of the standard tables: RFC 8878, section 3.1.1.3.2.2.
const LITERAL_LENGTHS: CodeKind = {
  symbolMax: 35,
  logMax: 9,
  standard: fseTable(
    [
      4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1,
      -1, -1,
    ],
    6,
  ),
};
const OFFSETS: CodeKind = {
  symbolMax: 31,
  logMax: 8,
  standard: fseTable(
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1],
    5,
  ),
};
const MATCH_LENGTHS: CodeKind = {
  symbolMax: 52,
  logMax: 9,
  standard: fseTable(
    [
      1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
      1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
    ],
    6,
  ),
};

/** Extra bits by code; where they begin follows from them: codes cover the numbers one after another. */
const LITERAL_BITS = [...zeros(16), 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const MATCH_BITS = [...zeros(32), 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const LITERAL_BASE = basesOf(LITERAL_BITS, 0);
const MATCH_BASE = basesOf(MATCH_BITS, 3);

function zeros(count: number): number[] {
  return new Array<number>(count).fill(0);
}

function basesOf(bits: readonly number[], first: number): number[] {
  let base = first;
  return bits.map((count) => {
    base += 2 ** count;
    return base - 2 ** count;
  });
}

/** The tables of the block before, which the next may use again. */
export interface SequenceTables {
  literals?: FseTable;
  offsets?: FseTable;
  matches?: FseTable;
}

/** Decoded sequences, reused from block to block. */
export class Sequences {
  count = 0;
  literals = new Int32Array(0);
  matches = new Int32Array(0);
  /** As they are written: up to 3 one of the last three offsets, else the offset plus 3. */
  offsets = new Int32Array(0);
  /** Bytes that are copied, all together. */
  matchBytes = 0;

  /** Reads `bytes[start, end)`; returns false for what are no sequences. */
  read(bytes: Uint8Array, start: number, end: number, tables: SequenceTables): boolean {
    this.count = 0;
    this.matchBytes = 0;
    if (start >= end) return false;
    const first = bytes[start];
    const wide = first < 128 ? 1 : first < 255 ? 2 : 3;
    if (start + wide > end) return false;
    const count =
      wide === 1
        ? first
        : wide === 2
          ? ((first - 128) << 8) + bytes[start + 1]
          : bytes[start + 1] + (bytes[start + 2] << 8) + 0x7f00;
    if (count === 0) return start + 1 === end;
    const at = start + wide;
    const modes = at < end ? bytes[at] : 3;
    if ((modes & 3) !== 0) return false;
    const tablesEnd = readTables(bytes, at + 1, end, modes, tables);
    if (tablesEnd === undefined) return false;
    this.makeRoom(count);
    return this.decode(new BackwardBits(bytes, tablesEnd, end), tables);
  }

  private makeRoom(count: number): void {
    this.count = count;
    if (count <= this.literals.length) return;
    this.literals = new Int32Array(count);
    this.matches = new Int32Array(count);
    this.offsets = new Int32Array(count);
  }

  private decode(bits: BackwardBits, { literals, offsets, matches }: SequenceTables): boolean {
    if (literals === undefined || offsets === undefined || matches === undefined || bits.left < 0)
      return false;
    let literalState = bits.read(literals.log);
    let offsetState = bits.read(offsets.log);
    let matchState = bits.read(matches.log);
    for (let index = 0; index < this.count; index++) {
      const literalCode = literals.symbols[literalState];
      const matchCode = matches.symbols[matchState];
      const offsetCode = offsets.symbols[offsetState];
      // Larger ones are of windows that nothing here reads.
      if (offsetCode > 30) return false;
      this.offsets[index] = 2 ** offsetCode + bits.read(offsetCode);
      this.matches[index] = MATCH_BASE[matchCode] + bits.read(MATCH_BITS[matchCode]);
      this.literals[index] = LITERAL_BASE[literalCode] + bits.read(LITERAL_BITS[literalCode]);
      this.matchBytes += this.matches[index];
      if (bits.left < 0) return false;
      if (index + 1 === this.count) break;
      literalState = literals.base[literalState] + bits.read(literals.bits[literalState]);
      matchState = matches.base[matchState] + bits.read(matches.bits[matchState]);
      offsetState = offsets.base[offsetState] + bits.read(offsets.bits[offsetState]);
    }
    return bits.left === 0;
  }
}

/** Sets the tables of a block; returns where they end, undefined for what are none. */
function readTables(
  bytes: Uint8Array,
  start: number,
  end: number,
  modes: number,
  tables: SequenceTables,
): number | undefined {
  let at = start;
  const read = (kind: CodeKind, mode: number, last: FseTable | undefined): FseTable | undefined => {
    if (mode === 0) return kind.standard;
    if (mode === 3) return last;
    if (mode === 1) {
      if (at >= end || bytes[at] > kind.symbolMax) return undefined;
      return constantTable(bytes[at++]);
    }
    const found = readFseTable(bytes, at, end, kind.symbolMax, kind.logMax);
    at += found?.used ?? 0;
    return found?.table;
  };
  tables.literals = read(LITERAL_LENGTHS, modes >> 6, tables.literals);
  tables.offsets = tables.literals && read(OFFSETS, (modes >> 4) & 3, tables.offsets);
  tables.matches = tables.offsets && read(MATCH_LENGTHS, (modes >> 2) & 3, tables.matches);
  return tables.matches && at;
}
