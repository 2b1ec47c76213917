/** Costs in bits, by which the encoder chooses: computed as kernels do, so that the same input gives the same record everywhere. */
import { type Kernels, tabledLog2 } from '../kernels/index.js';

export class CostModel {
  private readonly logarithms: Float64Array;

  constructor({ logarithms }: Kernels) {
    this.logarithms = logarithms;
  }

  /** Base-2 logarithm of a positive integer below 2^31. */
  log2(value: number): number {
    return tabledLog2(this.logarithms, value);
  }

  /** Order-0 entropy, in bits, of all symbols that a histogram (entries `[start, end)`) counts. */
  entropyBits(counts: Uint32Array, start: number, end: number): number {
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
