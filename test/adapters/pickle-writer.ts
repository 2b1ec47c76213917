/** Writes pickles of protocol 2 opcode by opcode, the way CPython's pickler does for what torch saves. */
import { ByteWriter } from '../../src/bytes/index.js';

export class PyFloat {
  constructor(readonly value: number) {}
}

export class PyTuple {
  readonly items: readonly PyValue[];
  constructor(...items: PyValue[]) {
    this.items = items;
  }
}

/** A class or function. */
export class PyGlobal {
  constructor(
    readonly module: string,
    readonly name: string,
  ) {}
}

/** An object made by calling `callable`, with an optional state; `newObject` writes NEWOBJ instead of REDUCE. */
export class PyCall {
  constructor(
    readonly callable: PyGlobal,
    readonly args: PyTuple,
    readonly state?: PyValue,
    readonly newObject = false,
  ) {}
}

/** A persistent id. */
export class PyReference {
  constructor(readonly id: PyTuple) {}
}

/** Opcodes as they are. */
export class PyRaw {
  constructor(readonly bytes: Uint8Array) {}
}

/** Plain objects and Maps are dicts, numbers are ints, arrays are lists. */
export type PyValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PyFloat
  | PyTuple
  | PyGlobal
  | PyCall
  | PyReference
  | PyRaw
  | readonly PyValue[]
  | ReadonlyMap<PyValue, PyValue>
  | { readonly [key: string]: PyValue };

export interface PickleStyle {
  /** false: repeat every text instead of fetching it from the memo, as after a resume. */
  shareTexts?: boolean;
}

const encoder = new TextEncoder();

export function writePickle(value: PyValue, style: PickleStyle = {}): Uint8Array {
  const writer = new PickleWriter(style.shareTexts ?? true);
  writer.code(0x80, 2);
  writer.value(value);
  writer.code('.');
  return writer.out.finish();
}

class PickleWriter {
  readonly out = new ByteWriter();
  private readonly memo = new Map<unknown, number>();
  private readonly shareTexts: boolean;
  private memoCount = 0;

  constructor(shareTexts: boolean) {
    this.shareTexts = shareTexts;
  }

  code(...codes: (string | number)[]): void {
    for (const code of codes) this.out.u8(typeof code === 'number' ? code : code.charCodeAt(0));
  }

  private remember(value: unknown): void {
    const index = this.memoCount++;
    this.memo.set(value, index);
    if (index < 256) this.code('q', index);
    else this.wide('r', index);
  }

  private recalls(value: unknown): boolean {
    const index = this.memo.get(value);
    if (index === undefined) return false;
    if (index < 256) this.code('h', index);
    else this.wide('j', index);
    return true;
  }

  value(value: PyValue): void {
    if (value === null) this.code('N');
    else if (typeof value === 'boolean') this.code(value ? 0x88 : 0x89);
    else if (typeof value === 'number') this.integer(value);
    else if (typeof value === 'bigint') this.long(value);
    else if (typeof value === 'string') this.text(value);
    else if (value instanceof PyRaw) this.out.bytes(value.bytes);
    else if (value instanceof PyFloat) this.float(value.value);
    else if (!this.recalls(value)) this.object(value);
  }

  private wide(code: string, value: number): void {
    this.code(code);
    this.out.u32(value);
  }

  private integer(value: number): void {
    if (value >= 0 && value < 256) this.code('K', value);
    else if (value >= 0 && value < 65536) this.code('M', value % 256, value >> 8);
    else if (value === (value | 0)) this.wide('J', value >>> 0);
    else this.long(BigInt(value));
  }

  private long(value: bigint): void {
    const bytes: number[] = [];
    for (let rest = value; ; rest >>= 8n) {
      bytes.push(Number(rest & 0xffn));
      if (rest >> 7n === 0n || rest >> 7n === -1n) break;
    }
    this.code(0x8a, bytes.length, ...bytes);
  }

  private float(value: number): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value);
    this.code('G', ...bytes);
  }

  private text(value: string): void {
    if (this.shareTexts && this.recalls(value)) return;
    const bytes = encoder.encode(value);
    this.code('X');
    this.out.u32(bytes.length);
    this.out.bytes(bytes);
    this.remember(value);
  }

  private object(value: Exclude<PyValue, null | boolean | number | bigint | string>): void {
    if (value instanceof PyTuple) this.tuple(value);
    else if (value instanceof PyGlobal) this.global(value);
    else if (value instanceof PyCall) this.call(value);
    else if (value instanceof PyReference) {
      this.value(value.id);
      this.code('Q');
    } else if (Array.isArray(value)) this.list(value);
    else this.dict(value instanceof Map ? value : new Map(Object.entries(value)), value);
  }

  private tuple(value: PyTuple): void {
    const { length } = value.items;
    if (length === 0) {
      this.code(')');
      return;
    }
    if (length > 3) this.code('(');
    for (const item of value.items) this.value(item);
    this.code(length > 3 ? 't' : 0x84 + length);
    this.remember(value);
  }

  private global(value: PyGlobal): void {
    if (this.recalls(`${value.module} ${value.name}`)) return;
    this.code('c');
    this.out.bytes(encoder.encode(`${value.module}\n${value.name}\n`));
    this.remember(`${value.module} ${value.name}`);
  }

  private call(value: PyCall): void {
    this.value(value.callable);
    this.value(value.args);
    this.code(value.newObject ? 0x81 : 'R');
    this.remember(value);
    if (value.state === undefined) return;
    this.value(value.state);
    this.code('b');
  }

  private list(value: readonly PyValue[]): void {
    this.code(']');
    this.remember(value);
    if (value.length === 0) return;
    this.code('(');
    for (const item of value) this.value(item);
    this.code('e');
  }

  private dict(entries: ReadonlyMap<PyValue, PyValue>, identity: unknown): void {
    this.code('}');
    this.remember(identity);
    if (entries.size === 0) return;
    this.code('(');
    for (const [key, item] of entries) {
      this.value(key);
      this.value(item);
    }
    this.code('u');
  }
}
