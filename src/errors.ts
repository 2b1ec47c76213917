/**
 * The errors of thetalog. Kinds are few and follow what the caller does next; the message is for people and is not API.
 * Programming mistakes are plain `Error`s.
 */

/**
 * What the caller does next:
 * - `invalid`: fix the argument or the state handed in.
 * - `not-found`: choose another ref, checkpoint or tensor.
 * - `conflict`: reload and try again, or pass the flag that allows it.
 * - `corrupt`: stored or imported bytes are damaged; run `check`, restore something else. Never retry blindly.
 * - `unsupported`: a newer format, an unknown codec, a store this build cannot use safely.
 * - `unavailable`: the storage failed or is full; retry later or elsewhere.
 * - `aborted`: the caller's AbortSignal fired.
 */
export type ErrorKind =
  | 'invalid'
  | 'not-found'
  | 'conflict'
  | 'corrupt'
  | 'unsupported'
  | 'unavailable'
  | 'aborted';

/** Where an error happened and what to do about it. */
export interface ErrorDetails {
  /** The object at fault: a storage key, a file path, a ref or a path inside a state. */
  object?: string;
  /** Byte offset inside that object. */
  offset?: number;
  /** What the user can do about it, one short sentence. */
  hint?: string;
  cause?: unknown;
}

/** The only error class that thetalog throws on purpose. */
export class ThetalogError extends Error {
  override readonly name = 'ThetalogError';
  readonly kind: ErrorKind;
  /** Stable machine-readable code, for example `pack-checksum`. */
  readonly code: string;
  readonly object: string | undefined;
  readonly offset: number | undefined;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.code = code;
    this.object = details.object;
    this.offset = details.offset;
    this.hint = details.hint;
  }

  /** Plain form for `--json` and for crossing worker or process boundaries. */
  toJSON(): {
    kind: ErrorKind;
    code: string;
    message: string;
    object: string | null;
    offset: number | null;
    hint: string | null;
  } {
    return {
      kind: this.kind,
      code: this.code,
      message: this.message,
      object: this.object ?? null,
      offset: this.offset ?? null,
      hint: this.hint ?? null,
    };
  }
}

/** Returns true for a ThetalogError, of one of the given kinds if any are given. */
export function isThetalogError(error: unknown, ...kinds: ErrorKind[]): error is ThetalogError {
  return error instanceof ThetalogError && (kinds.length === 0 || kinds.includes(error.kind));
}

/** Shorthand for damaged bytes: what is wrong, in which object, at which offset. */
export function corrupt(code: string, message: string, object: string, offset?: number): ThetalogError {
  return new ThetalogError('corrupt', code, `${object}: ${message}`, { object, offset });
}

/** Throws the `aborted` error once the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw new ThetalogError('aborted', 'aborted', 'The operation was aborted.', { cause: signal.reason });
}
