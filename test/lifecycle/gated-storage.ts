/** A storage whose commits wait at a gate, so that a test says when a save becomes durable, or whether it fails. Asserts nothing. */
import { MemoryStorage, ThetalogError } from '../../src/index.js';

export class GatedStorage extends MemoryStorage {
  private gate: Promise<void> = Promise.resolve();
  private openGate: () => void = () => {};
  private commits = 0;
  private failing: readonly number[] = [];

  /** Commits wait from now on. */
  shut(): void {
    this.gate = new Promise((resolve) => {
      this.openGate = resolve;
    });
  }

  /** Lets all that wait go on. */
  open(): void {
    this.openGate();
  }

  /** These of the next commits, counted from 1, fail as if the storage were away. */
  fail(...commits: number[]): void {
    this.commits = 0;
    this.failing = commits;
  }

  override async putIfMatch(
    key: string,
    bytes: Uint8Array,
    version: string | undefined,
  ): Promise<string | undefined> {
    await this.gate;
    this.commits += 1;
    if (this.failing.includes(this.commits)) {
      throw new ThetalogError('unavailable', 'away', `${key}: the storage is away`);
    }
    return super.putIfMatch(key, bytes, version);
  }
}
