/**
 * What goes to stdout and stderr. Results go to stdout: text, ids (`-q`) or newline-delimited JSON (`--json`). Warnings
 * and, in text mode, failures go to stderr.
 */
import { styleText } from 'node:util';
import { CommanderError } from 'commander';
import { ThetalogError, type Warning } from '../index.js';
import { printable } from './tables.js';

export interface OutputStream {
  write(text: string | Uint8Array, done?: () => void): boolean;
  isTTY?: boolean;
  columns?: number;
}

/** What a command line runs in: handed in by main.ts. */
export interface Host {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
}

/** One result in its three forms. */
export interface Rendering {
  /** One line each; the last object is the result. */
  json: readonly object[];
  /** Lines with `-q`: ids only, or nothing. */
  quiet: readonly string[];
  text: () => readonly string[];
}

export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan';

export class Output {
  readonly #host: Host;
  readonly json: boolean;
  readonly quiet: boolean;

  constructor(host: Host, modes: { json: boolean; quiet: boolean }) {
    this.#host = host;
    this.json = modes.json;
    this.quiet = modes.quiet;
  }

  print(rendering: Rendering): void {
    if (this.json) for (const value of rendering.json) this.#writeLine(JSON.stringify(value));
    else for (const line of this.quiet ? rendering.quiet : rendering.text()) this.#writeLine(line);
  }

  /** Writes bytes as they are; resolves when the stream has taken them. */
  printBytes(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#host.stdout.write(bytes, () => resolve());
    });
  }

  /** Prints a warning on stderr in every mode. */
  warn(warning: Warning): void {
    const { stderr } = this.#host;
    stderr.write(`${this.#style('yellow', 'warning:', stderr)} ${printable(faultText(warning))}\n`);
  }

  /** Prints whatever a command threw: an object on stdout with `--json`, otherwise lines on stderr. */
  fail(error: unknown): void {
    const failure = describe(error);
    if (this.json) {
      this.#writeLine(JSON.stringify({ error: failure }));
      return;
    }
    const stderr = this.#host.stderr;
    const place = failure.offset === null ? '' : ` (at byte ${failure.offset})`;
    const message = printableLines(failure.message) + place;
    stderr.write(`${this.#style('red', 'thetalog:', stderr)} ${message}\n`);
    if (failure.hint !== null) stderr.write(`hint: ${printableLines(failure.hint)}\n`);
    if (failure.kind === 'internal' && this.#host.env.THETALOG_DEBUG && error instanceof Error)
      stderr.write(`${error.stack}\n`);
  }

  /** Returns the text in a style if stdout is a terminal that wants colours. */
  style(style: Style, text: string): string {
    return this.#style(style, text, this.#host.stdout);
  }

  #style(style: Style, text: string, stream: OutputStream): string {
    const colours = stream.isTTY === true && !this.#host.env.NO_COLOR && this.#host.env.TERM !== 'dumb';
    return colours ? styleText(style, text, { validateStream: false }) : text;
  }

  #writeLine(line: string): void {
    this.#host.stdout.write(`${line}\n`);
  }
}

/** Returns what is wrong with which object, and where in it: messages do not always name the object themselves. */
export function faultText(fault: { object: string; offset: number | null; message: string }): string {
  const { object, offset, message } = fault;
  const named = message.startsWith(object) ? message : `${object}: ${message}`;
  return offset === null ? named : `${named} (at byte ${offset})`;
}

interface Failure {
  kind: string;
  code: string;
  message: string;
  object: string | null;
  offset: number | null;
  hint: string | null;
}

function describe(error: unknown): Failure {
  if (error instanceof ThetalogError) return error.toJSON();
  const place = { object: null, offset: null };
  if (error instanceof CommanderError) {
    const [message = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
    const suggestion = rest
      .join(' ')
      .trim()
      .replace(/^\((.*)\)$/, '$1');
    return { kind: 'invalid', code: 'usage', message, ...place, hint: suggestion || 'Run thetalog help.' };
  }
  const message = error instanceof Error ? error.message : String(error);
  const hint = 'This is a fault in thetalog; THETALOG_DEBUG=1 prints the stack.';
  return { kind: 'internal', code: 'internal', message: `internal error: ${message}`, ...place, hint };
}

function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
