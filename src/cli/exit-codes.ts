/** The only place where outcomes become exit codes. */
import { CommanderError } from 'commander';
import { type ErrorKind, isThetalogError } from '../index.js';

export const EXIT_OK = 0;
export const EXIT_INTERNAL = 1;
export const EXIT_USAGE = 2;

/** Exit code of each kind of error; anything else is an internal error. */
export const EXIT_CODES: Readonly<Record<ErrorKind, number>> = {
  invalid: EXIT_USAGE,
  'not-found': 3,
  conflict: 4,
  corrupt: 5,
  unsupported: 6,
  unavailable: 7,
  aborted: 130,
};

/** Returns the exit code for whatever a command threw. Commander throws for `--help` and `--version`, too. */
export function exitCodeOf(error: unknown): number {
  if (isThetalogError(error)) return EXIT_CODES[error.kind];
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
  return EXIT_INTERNAL;
}
