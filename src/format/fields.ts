/** Records as MessagePack maps, and the checks that turn what was decoded into typed values. */
import { Packr } from 'msgpackr';
import { ThetalogError } from '../errors.js';
import { readMessagePack } from './message-pack.js';

const packr = new Packr({ useRecords: false, variableMapSize: true });

/** Encodes a plain record. */
export function packRecord(record: object): Uint8Array {
  const packed = packr.pack(record);
  return new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength).slice();
}

/** Decodes a record; anything but a map is `corrupt`. */
export function unpackRecord(payload: Uint8Array, object: string): Fields {
  return new Fields(readMessagePack(payload, object), object, '');
}

/**
 * Returns the name that an object says it has, or an empty text if it says none, as objects of the first release do. It must
 * be the one it was found under: checksums do not tell whether a whole object lies in the place of another.
 */
export function readOwnName(fields: Fields, object: string): string {
  if (!fields.names().includes('name')) return '';
  const name = fields.text('name');
  if (object.slice(object.lastIndexOf('/') + 1) === name) return name;
  const message = `${object}: holds ${name}, another object`;
  throw new ThetalogError('corrupt', 'wrong-object', message, { object });
}

/** Typed access to a decoded map; every getter throws `corrupt` naming the object and the field. */
export class Fields {
  private readonly record: Record<string, unknown>;
  private readonly object: string;
  private readonly path: string;

  constructor(value: unknown, object: string, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) {
      throw new ThetalogError('corrupt', 'bad-field', `${object}: ${path || 'the record'} is no map`, {
        object,
      });
    }
    this.record = value as Record<string, unknown>;
    this.object = object;
    this.path = path;
  }

  private fail(name: string, wanted: string): never {
    const message = `${this.object}: field ${this.path}${name} is not ${wanted}`;
    throw new ThetalogError('corrupt', 'bad-field', message, { object: this.object });
  }

  private value(name: string): unknown {
    return Object.hasOwn(this.record, name) ? this.record[name] : undefined;
  }

  text(name: string): string {
    const value = this.value(name);
    return typeof value === 'string' ? value : this.fail(name, 'a text');
  }

  textOrNull(name: string): string | null {
    return this.value(name) === null ? null : this.text(name);
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T {
    const value = this.value(name);
    return allowed.find((item) => item === value) ?? this.fail(name, `one of ${allowed.join(', ')}`);
  }

  /** A whole number from 0 to 2^53 - 1. */
  count(name: string): number {
    const value = this.value(name);
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
      ? value
      : this.fail(name, 'a whole number');
  }

  number(name: string): number {
    const value = this.value(name);
    return typeof value === 'number' ? value : this.fail(name, 'a number');
  }

  numberOrNull(name: string): number | null {
    return this.value(name) === null ? null : this.number(name);
  }

  bytes(name: string, length?: number): Uint8Array {
    const value = this.value(name);
    if (!(value instanceof Uint8Array) || (length !== undefined && value.length !== length)) {
      this.fail(name, length === undefined ? 'bytes' : `${length} bytes`);
    }
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }

  list(name: string): unknown[] {
    const value = this.value(name);
    return Array.isArray(value) ? value : this.fail(name, 'a list');
  }

  texts(name: string): string[] {
    return this.list(name).map((item) =>
      typeof item === 'string' ? item : this.fail(name, 'a list of texts'),
    );
  }

  records(name: string): Fields[] {
    return this.list(name).map(
      (item, index) => new Fields(item, this.object, `${this.path}${name}[${index}].`),
    );
  }

  map(name: string): Fields {
    return new Fields(this.value(name), this.object, `${this.path}${name}.`);
  }

  names(): string[] {
    return Object.keys(this.record);
  }

  /** A map field whose values are numbers. */
  numbers(name: string): Record<string, number> {
    const fields = this.map(name);
    return Object.fromEntries(fields.names().map((key) => [key, fields.number(key)]));
  }

  /** A map field whose values are texts. */
  textMap(name: string): Record<string, string> {
    const fields = this.map(name);
    return Object.fromEntries(fields.names().map((key) => [key, fields.text(key)]));
  }
}
