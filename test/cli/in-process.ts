/** Runs command lines in this process: faster than spawning, and terminal, clock and signal can be chosen. */
import type { Host, OutputStream } from '../../src/cli/output.js';
import { runCommandLine } from '../../src/cli/program.js';
import type { Outcome } from './command-line.js';

interface RunOptions {
  env?: Record<string, string>;
  tty?: boolean;
  signal?: AbortSignal;
  now?: () => number;
}

class Recorder implements OutputStream {
  readonly isTTY: boolean;
  readonly pieces: Buffer[] = [];

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string | Uint8Array, done?: () => void): boolean {
    this.pieces.push(Buffer.from(text));
    done?.();
    return true;
  }
}

/** Runs one command line; the clock stands still unless one is given. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const stdout = new Recorder(options.tty === true);
  const stderr = new Recorder(options.tty === true);
  const host: Host = {
    stdout,
    stderr,
    env: options.env ?? {},
    signal: options.signal ?? new AbortController().signal,
    now: options.now ?? (() => 0),
  };
  const code = await runCommandLine(args, host);
  const bytes = Buffer.concat(stdout.pieces);
  return { code, stdout: bytes.toString(), stderr: Buffer.concat(stderr.pieces).toString(), bytes };
}
