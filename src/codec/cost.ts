/**
 * Costs in bits, by which the encoder chooses. They come from integers and IEEE multiplications and additions alone, never
 * from Math.log2, whose last bit is up to the engine: the same input gives the same record everywhere.
 */

/** Arguments below this are looked up; larger ones are halved first, which costs less than 0.1 % of a bit. */
const TABLE_BITS = 12;
const FRACTION_BITS = 20;

/** log2(1 + index / 2^12): the fraction bit by bit, by squaring. */
function logarithmTable(): Float64Array {
  return Float64Array.from({ length: 2 ** TABLE_BITS }, (_, index) => {
    let rest = 1 + index / 2 ** TABLE_BITS;
    let logarithm = 0;
    for (let weight = 0.5, bit = 0; bit < FRACTION_BITS; bit++, weight /= 2) {
      rest *= rest;
      if (rest < 2) continue;
      rest /= 2;
      logarithm += weight;
    }
    return logarithm;
  });
}

export class CostModel {
  private readonly fractions = logarithmTable();

  /** Base-2 logarithm of a positive integer below 2^31. */
  log2(value: number): number {
    const exponent = 31 - Math.clz32(value);
    const top = exponent > TABLE_BITS ? value >>> (exponent - TABLE_BITS) : value << (TABLE_BITS - exponent);
    return exponent + this.fractions[top - 2 ** TABLE_BITS];
  }

  /** Order-0 entropy, in bits, of all symbols that a histogram (entries `[start, end)`) counts. */
  entropyBits(counts: Uint32Array, start = 0, end = start + 256): number {
    let total = 0;
    let bits = 0;
    for (let symbol = start; symbol < end; symbol++) {
      const count = counts[symbol];
      if (count === 0) continue;
      total += count;
      bits -= count * this.log2(count);
    }
    return total === 0 ? 0 : bits + total * this.log2(total);
  }
}
