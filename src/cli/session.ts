/** What one command works with: its output, its store, its progress and the signal that stops it. */
import type { Command } from 'commander';
import { type OperationOptions, openStore, type Store, ThetalogError } from '../index.js';
import { type Host, Output } from './output.js';
import { type ProgressForm, ProgressReporter } from './progress.js';

/** Options that every command takes, before or after its name. */
export interface GlobalFlags {
  store?: string;
  json?: boolean;
  quiet?: boolean;
}

/** What a command needs to add itself to the program. */
export interface CommandHost {
  openSession(command: Command): Session;
  /** For a result that is no failure of the command and yet no success. */
  setExitCode(code: number): void;
}

export class Session {
  readonly output: Output;
  readonly #host: Host;
  readonly #progress: ProgressReporter;
  readonly #location: string | undefined;

  constructor(command: Command, host: Host) {
    const flags = command.optsWithGlobals<GlobalFlags>();
    this.output = new Output(host, { json: flags.json === true, quiet: flags.quiet === true });
    this.#host = host;
    this.#location = flags.store || host.env.THETALOG_STORE || undefined;
    const form = progressForm(this.output, host);
    this.#progress = new ProgressReporter(form, form === 'json' ? host.stdout : host.stderr, host.now);
  }

  /** Where the store is, if one is named. */
  get namedLocation(): string | undefined {
    return this.#location;
  }

  /** Where the store is; naming none is wrong usage. */
  location(): string {
    if (this.#location !== undefined) return this.#location;
    throw new ThetalogError('invalid', 'no-store', 'No store is named.', {
      hint: 'Pass --store DIR or set THETALOG_STORE.',
    });
  }

  /** Signal and progress for an operation that may take long. */
  operation(): Required<OperationOptions> {
    return {
      signal: this.#host.signal,
      onProgress: (progress) => this.#progress.report(progress),
    };
  }

  /** Takes progress off the screen, so that a line can be printed. */
  hideProgress(): void {
    this.#progress.finish();
  }

  /** Opens the store for one action; afterwards progress is off the screen. */
  async withStore<T>(action: (store: Store) => Promise<T>): Promise<T> {
    const store = await openStore(this.location());
    try {
      return await action(store);
    } finally {
      this.#progress.finish();
    }
  }
}

function progressForm(output: Output, host: Host): ProgressForm {
  if (output.quiet) return 'none';
  if (output.json) return 'json';
  return host.stderr.isTTY === true && host.env.TERM !== 'dumb' ? 'line' : 'plain';
}
