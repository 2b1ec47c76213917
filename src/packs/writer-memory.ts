/** Memory that the saves of a store use one after the other: left to the collector, that of several would pile up. */
import { PackMemory } from './pack-writer.js';

/** How much of the memory for encoded groups stays from save to save: what is under way at once on a few threads. */
const OUTPUT_BYTES_MAX = 32 * 2 ** 20;

export class WriterMemory {
  readonly packs = new PackMemory();
  private readonly outputs: Uint8Array[] = [];
  private outputBytes = 0;

  /** Returns memory with any content for the records of a group; it may be handed to another thread. */
  takeOutput(length: number): Uint8Array {
    const output = this.outputs.pop();
    this.outputBytes -= output?.length ?? 0;
    return output !== undefined && output.length >= length ? output : new Uint8Array(length);
  }

  giveOutput(output: Uint8Array): void {
    if (output.length === 0 || this.outputBytes + output.length > OUTPUT_BYTES_MAX) return;
    this.outputs.push(output);
    this.outputBytes += output.length;
  }
}
