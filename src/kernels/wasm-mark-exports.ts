/** What the module exports for marks and steps; all numbers are pointers, lengths or what FORMAT.md calls them. */
export interface MarkExports {
  buildMarkTables(tables: number): void;
  markLanes16(raw: number, base: number, lanes: number, marks: number): void;
  encodeMarks16(
    raw: number,
    base: number,
    groups: number,
    bits: number,
    low: number,
    probabilities: number,
    states: number,
    tables: number,
    work: number,
    end: number,
  ): number;
  decodeMarks16(
    bytes: number,
    end: number,
    base: number,
    groups: number,
    bits: number,
    low: number,
    probabilities: number,
    states: number,
    tables: number,
    marks: number,
  ): number;
  gatherMarked16(lanes: number, marks: number, markBytes: number, tables: number, output: number): number;
  scatterMarked16(
    values: number,
    marks: number,
    markBytes: number,
    tables: number,
    base: number,
    raw: number,
  ): number;
  splitSteps16(
    raw: number,
    base: number,
    lanes: number,
    tables: number,
    changed: number,
    keys: number,
    sizes: number,
    signs: number,
  ): number;
  countSteps16(keys: number, sizes: number, count: number, bits: number, counts: number): void;
  encodeSteps(
    base: number,
    changed: number,
    lanes: number,
    keys: number,
    sizes: number,
    count: number,
    bits: number,
    exponentBits: number,
    low: number,
    levels: number,
    probabilities: number,
    states: number,
    tables: number,
    work: number,
    marks: number,
    moreKeys: number,
    end: number,
  ): number;
  decodeSteps(
    bytes: number,
    end: number,
    base: number,
    lanes: number,
    exponentBits: number,
    low: number,
    levels: number,
    probabilities: number,
    states: number,
    tables: number,
    work: number,
    marks: number,
    keys: number,
  ): number;
  stepBits(levels: number, work: number): number;
  writtenBits(): number;
  mergeSteps16(
    levels: number,
    work: number,
    bits: number,
    tables: number,
    sizes: number,
    more: number,
    raw: number,
  ): void;
}
