/**
 * JSON as the safetensors specification wants it read: no duplicate key at any depth, valid UTF-8, and every value with
 * its offset, so that an error can name the byte. JSON.parse keeps the last of two equal keys and knows no offsets.
 */
import { corrupt } from '../errors.js';

/** A number as it was written; the reader of a field decides what spelling it accepts. */
export interface JsonNumber {
  readonly literal: string;
}

export interface JsonMember {
  readonly value: JsonValue;
  /** Offset of the key in the object that is named in errors. */
  readonly offset: number;
}

export type JsonObject = ReadonlyMap<string, JsonMember>;
export type JsonValue = null | boolean | string | JsonNumber | readonly JsonValue[] | JsonObject;

/** Nesting that a header may have; guards the call stack. The reference reader (serde_json) allows 128. */
const JSON_DEPTH_MAX = 64;

/** Values of one text. 500,000 tensors have ten each; guards memory against 100 MB of `{},{},{},`. */
const JSON_VALUES_MAX = 5_000_000;

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;
const WORDS = new Map<string, null | boolean>([
  ['null', null],
  ['true', true],
  ['false', false],
]);

/** Returns true for a JSON object, as against the other values. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}

/** Returns true for a JSON number. */
export function isJsonNumber(value: JsonValue | undefined): value is JsonNumber {
  return typeof value === 'object' && value !== null && 'literal' in value;
}

/** Dimensions of one tensor; a list of commas alone must not become millions of numbers in one shape. */
const DIMENSIONS_MAX = 64;

/** Returns a list of whole numbers, such as a shape; undefined for anything else. */
export function sizesOf(value: JsonValue | undefined): number[] | undefined {
  if (!Array.isArray(value) || value.length > DIMENSIONS_MAX) return undefined;
  const sizes: number[] = [];
  for (const item of value as readonly JsonValue[]) {
    const size = isJsonNumber(item) && /^[0-9]+$/.test(item.literal) ? Number(item.literal) : Number.NaN;
    if (!Number.isSafeInteger(size)) return undefined;
    sizes.push(size);
  }
  return sizes;
}

/** Where the bytes of a JSON text come from, for errors. */
export interface JsonOrigin {
  object: string;
  /** Offset of the first byte in the object. */
  offset: number;
}

/** Parses one value and returns it with the index of the first byte after it. */
export function parseJsonValue(bytes: Uint8Array, origin: JsonOrigin): { value: JsonValue; end: number } {
  const parser = new JsonParser(bytes, origin);
  const value = parser.value(0);
  return { value, end: parser.at };
}

class JsonParser {
  at = 0;
  private valuesLeft = JSON_VALUES_MAX;
  private readonly bytes: Uint8Array;
  private readonly origin: JsonOrigin;
  private readonly decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

  constructor(bytes: Uint8Array, origin: JsonOrigin) {
    this.bytes = bytes;
    this.origin = origin;
  }

  private fail(code: string, message: string, at = this.at): never {
    throw corrupt(code, message, this.origin.object, this.origin.offset + at);
  }

  private skipSpace(): number {
    const { bytes } = this;
    let byte = bytes[this.at];
    while (byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++this.at];
    if (byte === undefined) this.fail('bad-json', 'the JSON text ends too early');
    return byte;
  }

  private expect(wanted: number): void {
    if (this.skipSpace() !== wanted) this.fail('bad-json', `expected "${String.fromCharCode(wanted)}"`);
    this.at++;
  }

  value(depth: number): JsonValue {
    if (depth > JSON_DEPTH_MAX) this.fail('bad-json', `nested deeper than ${JSON_DEPTH_MAX} levels`);
    if (this.valuesLeft-- === 0) this.fail('json-limit', `more than ${JSON_VALUES_MAX} values`);
    const first = this.skipSpace();
    if (first === OPEN_BRACE) return this.object(depth);
    if (first === OPEN_BRACKET) return this.array(depth);
    if (first === QUOTE) return this.string();
    return this.literal();
  }

  private object(depth: number): JsonObject {
    const members = new Map<string, JsonMember>();
    this.at++;
    if (this.skipSpace() === CLOSE_BRACE) {
      this.at++;
      return members;
    }
    for (;;) {
      if (this.skipSpace() !== QUOTE) this.fail('bad-json', 'expected a key');
      const keyAt = this.at;
      const key = this.string();
      if (members.has(key)) this.fail('duplicate-key', `the key ${JSON.stringify(key)} occurs twice`, keyAt);
      this.expect(COLON);
      members.set(key, { value: this.value(depth + 1), offset: this.origin.offset + keyAt });
      const next = this.skipSpace();
      if (next === CLOSE_BRACE) break;
      if (next !== COMMA) this.fail('bad-json', 'expected "," or "}"');
      this.at++;
    }
    this.at++;
    return members;
  }

  private array(depth: number): JsonValue[] {
    const items: JsonValue[] = [];
    this.at++;
    if (this.skipSpace() === CLOSE_BRACKET) {
      this.at++;
      return items;
    }
    for (;;) {
      items.push(this.value(depth + 1));
      const next = this.skipSpace();
      if (next === CLOSE_BRACKET) break;
      if (next !== COMMA) this.fail('bad-json', 'expected "," or "]"');
      this.at++;
    }
    this.at++;
    return items;
  }

  private literal(): JsonValue {
    const start = this.at;
    let end = start;
    while (isLiteralByte(this.bytes[end])) end++;
    const text = String.fromCharCode(...this.bytes.subarray(start, Math.min(end, start + 64)));
    const word = WORDS.get(text);
    if (word === undefined && (end - start > 64 || !NUMBER.test(text)))
      this.fail('bad-json', `no JSON value: ${JSON.stringify(text)}`);
    if (word === undefined && !Number.isFinite(Number(text)))
      this.fail('bad-json', `a number that no double holds: ${text}`);
    this.at = end;
    return word === undefined ? { literal: text } : word;
  }

  private string(): string {
    const start = ++this.at;
    let escaped = false;
    for (;;) {
      const byte = this.bytes[this.at];
      if (byte === undefined) this.fail('bad-json', 'a string does not end', start - 1);
      if (byte === QUOTE) break;
      if (byte < SPACE) this.fail('bad-json', 'a control character in a string');
      if (byte === BACKSLASH) {
        escaped = true;
        this.at++;
      }
      this.at++;
    }
    const text = this.decode(start, this.at);
    this.at++;
    return escaped ? this.unescape(text, start) : text;
  }

  private decode(start: number, end: number): string {
    try {
      return this.decoder.decode(this.bytes.subarray(start, end));
    } catch {
      return this.fail('bad-utf8', 'a string is not valid UTF-8', start);
    }
  }

  /** JSON.parse knows the escapes; what it lets pass, half of a surrogate pair, is no text. */
  private unescape(text: string, start: number): string {
    try {
      const plain: unknown = JSON.parse(`"${text}"`);
      if (typeof plain === 'string' && !/[\ud800-\udfff]/u.test(plain)) return plain;
    } catch {
      // Reported below with its offset.
    }
    return this.fail('bad-json', 'a bad escape in a string', start);
  }
}

function isLiteralByte(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  const letter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
  return letter || (byte >= 0x30 && byte <= 0x39) || byte === 0x2b || byte === 0x2d || byte === 0x2e;
}
