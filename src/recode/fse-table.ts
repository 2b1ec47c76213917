/** Tables of finite state entropy codes, read only: RFC 8878, section 4.1. */

/** What each state stands for, and where the next one is: `base` plus as many bits as `bits` says. */
export interface FseTable {
  log: number;
  symbols: Uint8Array;
  bits: Uint8Array;
  base: Uint16Array;
}

const LOG_MIN = 5;

/** Reads bits forward, the lowest first; beyond the end they are zeros. */
class ForwardBits {
  position = 0;
  private readonly bytes: Uint8Array;
  private readonly start: number;
  private readonly end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  /** Returns `count` bits, 16 at most, without going past them. */
  peek(count: number): number {
    let word = 0;
    const first = this.start + (this.position >>> 3);
    for (let at = 0; at < 3 && first + at < this.end; at++) word |= this.bytes[first + at] << (8 * at);
    return (word >>> (this.position & 7)) & ((1 << count) - 1);
  }

  take(count: number): number {
    const value = this.peek(count);
    this.position += count;
    return value;
  }

  get isBeyondEnd(): boolean {
    return this.position > 8 * (this.end - this.start);
  }
}

/**
 * Reads the counts that begin at `start` and makes their table; undefined for what is none, of an accuracy above `logMax`, or of
 * symbols above `symbolMax`. `used` are the bytes that the counts take.
 */
export function readFseTable(
  bytes: Uint8Array,
  start: number,
  end: number,
  symbolMax: number,
  logMax: number,
): { table: FseTable; used: number } | undefined {
  const bits = new ForwardBits(bytes, start, end);
  const log = bits.take(4) + LOG_MIN;
  if (log > logMax) return undefined;
  const counts: number[] = [];
  let remaining = (1 << log) + 1;
  while (remaining > 1 && counts.length <= symbolMax && !bits.isBeyondEnd) {
    const count = readCount(bits, remaining) - 1;
    counts.push(count);
    remaining -= Math.abs(count);
    for (let more = count === 0 ? 3 : 0; more === 3 && counts.length <= symbolMax; ) {
      more = bits.take(2);
      for (let zero = 0; zero < more; zero++) counts.push(0);
    }
  }
  if (remaining !== 1 || counts.length > symbolMax + 1 || bits.isBeyondEnd) return undefined;
  return { table: fseTable(counts, log), used: (bits.position + 7) >>> 3 };
}

/** Reads a value from 0 to `remaining`: the small ones of what does not fill a power of two take a bit less. */
function readCount(bits: ForwardBits, remaining: number): number {
  const width = 32 - Math.clz32(remaining);
  const threshold = 1 << (width - 1);
  const short = 2 * threshold - 1 - remaining;
  const low = bits.peek(width - 1);
  if (low < short) return bits.take(width - 1);
  const value = bits.take(width);
  return value >= threshold ? value - short : value;
}

/** Returns the table of counts that add up to 2^log; -1 counts as one state, at the end of the table. */
export function fseTable(counts: readonly number[], log: number): FseTable {
  const size = 1 << log;
  const symbols = new Uint8Array(size);
  const next = counts.map((count) => Math.max(1, count));
  let high = size - 1;
  for (const [symbol, count] of counts.entries()) if (count === -1) symbols[high--] = symbol;
  const step = (size >> 1) + (size >> 3) + 3;
  let place = 0;
  for (const [symbol, count] of counts.entries()) {
    for (let times = 0; times < count; times++) {
      symbols[place] = symbol;
      do place = (place + step) & (size - 1);
      while (place > high);
    }
  }
  const table: FseTable = { log, symbols, bits: new Uint8Array(size), base: new Uint16Array(size) };
  for (let state = 0; state < size; state++) {
    const order = next[symbols[state]]++;
    const bits = log - (31 - Math.clz32(order));
    table.bits[state] = bits;
    table.base[state] = (order << bits) - size;
  }
  return table;
}

/** Returns the table in which one symbol takes no bits. */
export function constantTable(symbol: number): FseTable {
  return { log: 0, symbols: Uint8Array.of(symbol), bits: new Uint8Array(1), base: new Uint16Array(1) };
}
