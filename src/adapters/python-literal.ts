/**
 * Python literals as numpy writes them into headers: dicts, tuples, lists, strings, integers, True, False, None. Nothing
 * is evaluated, anything else is refused.
 */
import { corrupt } from '../errors.js';

export type PythonLiteral =
  | null
  | boolean
  | number
  | string
  | readonly PythonLiteral[]
  | ReadonlyMap<string, PythonLiteral>;

/** Nesting of a structured dtype; guards the call stack. */
const LITERAL_DEPTH_MAX = 32;

const TOKEN =
  /\s*(?:([[\](){},:])|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?[0-9]+)L?(?![\w.])|([A-Za-z_]+))/y;
const WORDS = new Map<string, null | boolean>([
  ['None', null],
  ['True', true],
  ['False', false],
]);

/** Parses a text that is one literal and nothing else. Offsets in errors count from `origin.offset`. */
export function parsePythonLiteral(text: string, origin: { object: string; offset: number }): PythonLiteral {
  const parser = new LiteralParser(text, origin);
  const value = parser.value(parser.next(), 0);
  parser.expectEnd();
  return value;
}

/** A bracket or comma, a string, or a finished value. */
type Token = { mark: string } | { value: PythonLiteral };

class LiteralParser {
  private readonly text: string;
  private readonly origin: { object: string; offset: number };
  private readonly token = new RegExp(TOKEN);
  private at = 0;

  constructor(text: string, origin: { object: string; offset: number }) {
    this.text = text;
    this.origin = origin;
  }

  private fail(): never {
    throw corrupt('bad-literal', 'no Python literal', this.origin.object, this.origin.offset + this.at);
  }

  next(): Token {
    this.token.lastIndex = this.at;
    const match = this.token.exec(this.text);
    if (match === null) return this.fail();
    const [, mark, single, double, integer, word] = match;
    if (mark !== undefined) return this.accept({ mark });
    if (integer !== undefined) return this.accept({ value: Number(integer) });
    if (word === undefined) return this.accept({ value: single ?? double });
    const value = WORDS.get(word);
    return value === undefined ? this.fail() : this.accept({ value });
  }

  private accept(token: Token): Token {
    this.at = this.token.lastIndex;
    return token;
  }

  expectEnd(): void {
    if (this.text.slice(this.at).trim() !== '') this.fail();
  }

  value(token: Token, depth: number): PythonLiteral {
    if (depth > LITERAL_DEPTH_MAX) this.fail();
    if ('value' in token) return token.value;
    if (token.mark === '{') return this.dict(depth);
    if (token.mark === '(') return this.sequence(')', depth);
    if (token.mark === '[') return this.sequence(']', depth);
    return this.fail();
  }

  private sequence(close: string, depth: number): PythonLiteral[] {
    const items: PythonLiteral[] = [];
    for (;;) {
      const token = this.next();
      if ('mark' in token && token.mark === close) return items;
      items.push(this.value(token, depth + 1));
      if (this.separator() === close) return items;
    }
  }

  private dict(depth: number): Map<string, PythonLiteral> {
    const entries = new Map<string, PythonLiteral>();
    for (;;) {
      const token = this.next();
      if ('mark' in token && token.mark === '}') return entries;
      const key = this.value(token, depth + 1);
      const colon = this.next();
      if (typeof key !== 'string' || entries.has(key) || !('mark' in colon) || colon.mark !== ':')
        this.fail();
      entries.set(key, this.value(this.next(), depth + 1));
      if (this.separator() === '}') return entries;
    }
  }

  private separator(): string {
    const token = this.next();
    if ('mark' in token && ')]},'.includes(token.mark)) return token.mark;
    return this.fail();
  }
}
