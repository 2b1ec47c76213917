#!/usr/bin/env node
/** The `thetalog` executable: hands the process to the program. */
import { EXIT_CODES, EXIT_INTERNAL } from './exit-codes.js';
import { runCommandLine } from './program.js';

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
