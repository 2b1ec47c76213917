/**
 * What a pickle says, as plain data. Nothing is called or imported: classes and functions are names, and what Python
 * would have built with them is a record of the call. int, float and long, tuple and list stay apart.
 */

/** A Python float; an int is a number, or a bigint beyond 2^53. */
export class PickleFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A class or function by name. */
export class PickleGlobal {
  readonly module: string;
  readonly name: string;

  constructor(module: string, name: string) {
    this.module = module;
    this.name = name;
  }

  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

export class PickleTuple {
  readonly items: readonly PickleValue[];

  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

export class PickleList {
  items: PickleValue[] = [];
}

/** A set or frozenset. */
export class PickleSet {
  items: PickleValue[] = [];
}

/** A dict, OrderedDict, defaultdict or Counter, in insertion order. Keys other than plain ones are told apart by identity. */
export class PickleDict {
  entries = new Map<PickleValue, PickleValue>();
  /** Attributes set on the dict itself, as torch does with `_metadata` on a state dict. */
  state: PickleValue | undefined;
}

/** An object that Python would have made by calling `callable` with `args`. */
export class PickleRecord {
  readonly callable: PickleValue;
  readonly args: PickleTuple;
  /** Offset in the file of the opcode that made it, for errors. */
  readonly offset: number;
  /** What `__setstate__` or `__dict__` would have got. */
  state: PickleValue | undefined;
  /** Filled when the object is a subclass of list or set. */
  items: PickleValue[] | undefined;
  /** Filled when the object is a subclass of dict. */
  entries: Map<PickleValue, PickleValue> | undefined;

  constructor(callable: PickleValue, args: PickleTuple, offset: number) {
    this.callable = callable;
    this.args = args;
    this.offset = offset;
  }
}

/** A reference to something outside the pickle: in torch, a storage. */
export class PickleReference {
  readonly id: PickleValue;
  readonly offset: number;

  constructor(id: PickleValue, offset: number) {
    this.id = id;
    this.offset = offset;
  }
}

/** Uint8Array: bytes, bytearray, and text that is too long to be a name or is no valid UTF-8. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleFloat
  | PickleGlobal
  | PickleTuple
  | PickleList
  | PickleSet
  | PickleDict
  | PickleRecord
  | PickleReference;

/** Returns the name of the class or function that a record would have called, or undefined. */
export function calledName(value: PickleValue): string | undefined {
  return value instanceof PickleRecord && value.callable instanceof PickleGlobal
    ? value.callable.path
    : undefined;
}

/** Returns the items of a tuple or list, or undefined. */
export function itemsOf(value: PickleValue | undefined): readonly PickleValue[] | undefined {
  return value instanceof PickleTuple || value instanceof PickleList ? value.items : undefined;
}

/** Returns the entries of a dict, also of an object of a dict subclass, or undefined. */
export function entriesOf(value: PickleValue | undefined): ReadonlyMap<PickleValue, PickleValue> | undefined {
  return value instanceof PickleDict || value instanceof PickleRecord ? value.entries : undefined;
}
