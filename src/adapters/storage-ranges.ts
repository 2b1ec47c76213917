/** The ranges of torch's storages, found by where in them tensors begin. */
import { dtypeInfo } from '../tensor/index.js';
import type { TensorRange } from './adapter.js';
import type { TensorUse } from './torch-tensors.js';

export class StorageRanges {
  /** By storage and element. */
  private readonly byPlace = new Map<string, TensorRange>();

  /** The ranges that a storage was cut into, in order, without gaps. */
  add(storage: string, ranges: readonly TensorRange[]): void {
    for (const range of ranges) {
      const start = (range.offset - ranges[0].offset) / dtypeInfo(range.dtype).bytes;
      this.byPlace.set(`${storage}@${start}`, range);
    }
  }

  get all(): TensorRange[] {
    return [...this.byPlace.values()];
  }

  get size(): number {
    return this.byPlace.size;
  }

  /** The range that a tensor is in, and its first element there: its own, or that of the whole storage. */
  holding({ storage, offset }: TensorUse): { range: TensorRange; offset: number } | undefined {
    const own = this.byPlace.get(`${storage.key}@${offset}`);
    if (own !== undefined) return { range: own, offset: 0 };
    const whole = this.byPlace.get(`${storage.key}@0`);
    return whole === undefined ? undefined : { range: whole, offset };
  }
}
