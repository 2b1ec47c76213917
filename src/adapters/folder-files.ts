import type { RandomAccess } from './adapter.js';
import { BoundedSource } from './bounded-source.js';

type Parse<T> = (file: RandomAccess) => Promise<T>;

/**
 * The files of one folder of a checkpoint: in some formats one of them says what the others hold. Each is parsed once,
 * however many files ask for it.
 */
export class FolderFiles {
  private readonly files: ReadonlyMap<string, RandomAccess>;
  private readonly parsed = new Map<string, Map<Parse<unknown>, Promise<unknown>>>();
  private readonly opened: BoundedSource[] = [];

  /** By name, without the folder. */
  constructor(files: ReadonlyMap<string, RandomAccess> = new Map()) {
    this.files = files;
  }

  /** Names of all files, in no order that means anything. */
  names(): string[] {
    return [...this.files.keys()];
  }

  /** Returns the size of a file in bytes; undefined if there is none of this name. */
  sizeOf(name: string): number | undefined {
    return this.files.get(name)?.size;
  }

  /** Returns what `parse`, the same function for all who ask, makes of a file; undefined if there is none of this name. */
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
