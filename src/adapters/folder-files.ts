import type { Folder, RandomAccess } from './adapter.js';
import { BoundedSource } from './bounded-source.js';

type Parse<T> = (file: RandomAccess) => Promise<T>;

/** The folder of a file as adapters see it, and what its files threw. */
export class FolderFiles implements Folder {
  private readonly files: ReadonlyMap<string, RandomAccess>;
  private readonly parsed = new Map<string, Map<Parse<unknown>, Promise<unknown>>>();
  private readonly opened: BoundedSource[] = [];

  /** By name, without the folder. */
  constructor(files: ReadonlyMap<string, RandomAccess> = new Map()) {
    this.files = files;
  }

  names(): string[] {
    return [...this.files.keys()];
  }

  sizeOf(name: string): number | undefined {
    return this.files.get(name)?.size;
  }

  async parse<T>(name: string, parse: Parse<T>): Promise<T | undefined> {
    const file = this.files.get(name);
    if (file === undefined) return undefined;
    const known = this.parsed.get(name) ?? new Map<Parse<unknown>, Promise<unknown>>();
    this.parsed.set(name, known);
    const done = known.get(parse) as Promise<T> | undefined;
    if (done !== undefined) return done;
    const bounded = new BoundedSource(file);
    this.opened.push(bounded);
    const result = parse(bounded);
    known.set(parse, result);
    return result;
  }

  /** Returns whether a file itself threw this, not a parser. */
  threw(error: unknown): boolean {
    return this.opened.some(({ failure }) => failure !== undefined && failure === error);
  }
}
