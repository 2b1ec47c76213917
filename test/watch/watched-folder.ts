/** A folder that a program writes to by a clock that tests turn, and a watch over it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type {
  Storage,
  Store,
  TakenCheckpoint,
  WatchOptions,
  WatchProblem,
  WatchResult,
} from '../../src/index.js';
import { MemoryStorage, openStore } from '../../src/index.js';
import { createStore } from '../../src/lifecycle/store.js';
import { TestEnvironment } from '../engine/make-store.js';
import { scratchFolder } from '../reliability/scratch-folder.js';

/** Time passes only while somebody sleeps; what is due meanwhile is done then. */
export class Timeline extends TestEnvironment {
  private due: { at: number; action: () => unknown }[] = [];
  private readonly start = this.clock;

  /** Does something so many seconds after the start. */
  at(seconds: number, action: () => unknown): void {
    this.due.push({ at: this.start + seconds * 1000, action });
    this.due.sort((a, b) => a.at - b.at);
  }

  get seconds(): number {
    return (this.clock - this.start) / 1000;
  }

  override async sleep(milliseconds = 0): Promise<void> {
    const end = this.clock + milliseconds;
    for (let next = this.due[0]; next !== undefined && next.at <= end; next = this.due[0]) {
      this.due.shift();
      this.clock = Math.max(this.clock, next.at);
      await next.action();
    }
    this.clock = end;
  }
}

export interface Seen {
  result: WatchResult;
  taken: (TakenCheckpoint & { at: number })[];
  problems: WatchProblem[];
}

export class WatchedFolder {
  readonly path = scratchFolder();
  readonly time = new Timeline();
  store: Store;
  private readonly storage: Storage;

  private constructor(storage: Storage, store: Store, time: Timeline) {
    this.storage = storage;
    this.store = store;
    this.time = time;
  }

  static async make(storage: Storage = new MemoryStorage()): Promise<WatchedFolder> {
    const time = new Timeline();
    const store = await createStore(storage, { chunkElements: 1024, environment: time, workers: 0 });
    return new WatchedFolder(storage, store, time);
  }

  /** Writes a file below the folder; a number is what its weights are made of. */
  async write(name: string, content: number | string | Uint8Array = 1): Promise<void> {
    const path = join(this.path, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, typeof content === 'number' ? weights(content) : content);
  }

  /** Looks after the folder until the given second, or once. */
  async watch(options: Partial<WatchOptions> & { until?: number } = {}): Promise<Seen> {
    const { until, ...given } = options;
    const controller = new AbortController();
    if (until !== undefined) this.time.at(until, () => controller.abort());
    const taken: Seen['taken'] = [];
    const problems: WatchProblem[] = [];
    const result = await this.store.watch(this.path, {
      run: 'r',
      once: until === undefined,
      settleMs: 3000,
      intervalMs: 1000,
      signal: controller.signal,
      onCheckpoint: (checkpoint) => taken.push({ ...checkpoint, at: this.time.seconds }),
      onProblem: (problem) => problems.push(problem),
      ...given,
    });
    return { result, taken, problems };
  }

  /** Opens the store anew, as another process does that knows nothing. */
  async restart(): Promise<void> {
    await this.store.close();
    this.store = await openStore(this.storage, { environment: this.time, workers: 0 });
  }

  /** What the run has, oldest first. */
  async stored(): Promise<{ source: string | undefined; step: number | null }[]> {
    const all = await this.store.list();
    return all.map(({ meta, step }) => ({ source: meta['watch.source'], step }));
  }
}

/** Returns a safetensors file of some chunks. */
export function weights(seed: number, elements = 3000): Uint8Array {
  const values = Float32Array.from({ length: elements }, (_, index) => Math.sin(index * 0.37) + seed * 1e-3);
  const header = { w: { dtype: 'F32', shape: [elements], data_offsets: [0, elements * 4] } };
  const text = new TextEncoder().encode(JSON.stringify(header).padEnd(96, ' '));
  const bytes = new Uint8Array(8 + text.length + elements * 4);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(new Uint8Array(values.buffer), 8 + text.length);
  return bytes;
}
