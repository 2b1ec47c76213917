#!/usr/bin/env node
/** The `thetalog` executable: hands the process to the program. */
import { setFlagsFromString } from 'node:v8';
import { EXIT_CODES, EXIT_INTERNAL } from './exit-codes.js';
import { runCommandLine } from './program.js';

/**
 * V8 optimizes a function once it has run through so many bytes of its code, 132 KiB by default. A command ends before much of that
 * pays, on three threads at once: 0.2 to 0.3 s of processor time less for saves and restores of 1 GiB (of 2.4 to 2.9). Kernels are
 * compiled in any case. Other versions of V8 have other tiers, and say so on stderr where they do not know a flag.
 */
const INTERRUPT_BUDGET = 1_000_000;
if (process.versions.v8.startsWith('11.')) setFlagsFromString(`--interrupt-budget=${INTERRUPT_BUDGET}`);

const controller = new AbortController();

/** The first signal asks the operation to stop cleanly, the second does not wait for it. Afterwards there is nothing to ask. */
function onSignal(): void {
  if (controller.signal.aborted) process.exit(EXIT_CODES.aborted);
  controller.abort();
}

/** The reader of a pipe may leave early (`| head`): what it does not want is dropped, the operation goes on. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

process.on('SIGINT', onSignal);
process.on('SIGTERM', onSignal);
process.stdout.on('error', ignoreClosedPipe);
process.stderr.on('error', ignoreClosedPipe);

runCommandLine(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: controller.signal,
  now: () => performance.now(),
})
  .then(
    (exitCode) => {
      process.exitCode = exitCode;
    },
    (error: unknown) => {
      process.stderr.write(`thetalog: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exitCode = EXIT_INTERNAL;
    },
  )
  .finally(() => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  });
