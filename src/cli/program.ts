/** The command tree, and running one command line from arguments to exit code. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { isThetalogError, ThetalogError } from '../index.js';
import { addBenchCommand } from './commands/bench-command.js';
import { addCatCommand } from './commands/cat-command.js';
import { addCheckCommand } from './commands/check-command.js';
import { addCompletionCommands } from './commands/completion-command.js';
import { addDiffCommand } from './commands/diff-command.js';
import { addEstimateCommand } from './commands/estimate-command.js';
import { addExportCommand } from './commands/export-command.js';
import { addForgetCommand } from './commands/forget-command.js';
import { addCompactCommand, addGcCommand } from './commands/housekeeping-commands.js';
import { addImportCommand } from './commands/import-command.js';
import { addInitCommand } from './commands/init-command.js';
import { addListCommand } from './commands/list-command.js';
import { addLogCommand } from './commands/log-command.js';
import { addPlotCommand } from './commands/plot-command.js';
import { addReferenceCommands } from './commands/reference-commands.js';
import { addRepairCommand } from './commands/repair-command.js';
import { addRestoreCommand } from './commands/restore-command.js';
import { addSaveCommand } from './commands/save-command.js';
import { addShowCommand } from './commands/show-command.js';
import { addStatsCommand } from './commands/stats-command.js';
import { addWatchCommand } from './commands/watch-command.js';
import { EXIT_OK, exitCodeOf } from './exit-codes.js';
import { type Host, Output } from './output.js';
import { type CommandHost, Session } from './session.js';

const PROGRAM_HELP = `
References (REF):
  RUN                     its latest checkpoint, like RUN@latest
  RUN@step:1200           the newest checkpoint of that step
  RUN@best:loss[:max]     the checkpoint of the lowest (highest) metric
  RUN@latest~2            follows parents, two back
  TAG or ID               a tag, or the first digits of an id

Examples:
  $ thetalog init ./store
  $ thetalog save step-1200.pth --store ./store --run pretrain --step 1200 --metric loss=2.31
  $ export THETALOG_STORE=./store
  $ thetalog list
  $ thetalog restore pretrain@best:loss --out ./resume

thetalog help COMMAND has the options and examples of a command.`;

/** Below the help of every command, as man pages end. */
const HELP_END = `
Exit codes:
  0 done  1 internal error  2 wrong usage  3 not found  4 conflict  5 damaged
  6 unsupported  7 storage unavailable or full  130 aborted

Environment:
  THETALOG_STORE    the store of every command that is given none by --store
  THETALOG_DEBUG=1  print the stack of an internal error
  NO_COLOR=1        no colours on a terminal`;

/** Runs one command line and returns its exit code; everything it has to say has been written by then. */
export async function runCommandLine(argv: readonly string[], host: Host): Promise<number> {
  let exitCode = EXIT_OK;
  const program = createProgram(host, {
    openSession: (command) => new Session(command, host),
    setExitCode: (code) => {
      exitCode = code;
    },
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (thrown) {
    const error = asAborted(thrown, host.signal);
    if (!isHelp(error)) new Output(host, outputModes(argv)).fail(error);
    return exitCodeOf(error);
  }
}

/** Returns the commands, ready to parse one command line. */
export function createProgram({ stdout, stderr }: Host, commandHost: CommandHost): Command {
  const program = new Command('thetalog')
    .description('Keeps every checkpoint of a training run, bit-exactly, in a fraction of the bytes.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .option('--store <dir|url>', 'the store; default: THETALOG_STORE')
    .option('--json', 'print newline-delimited JSON; the last object is the result')
    .option('-q, --quiet', 'print ids only, or nothing; no progress')
    .helpOption('-h, --help', 'print help')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      // Errors are printed once, by runCommandLine, as text or JSON.
      outputError: () => {},
    })
    .exitOverride()
    .addHelpText('after', PROGRAM_HELP)
    .addHelpText('afterAll', HELP_END);
  program.commandsGroup('Checkpoints:');
  addInitCommand(program, commandHost);
  addSaveCommand(program, commandHost);
  addWatchCommand(program, commandHost);
  addEstimateCommand(program, commandHost);
  addRestoreCommand(program, commandHost);
  addExportCommand(program, commandHost);
  addImportCommand(program, commandHost);
  program.commandsGroup('Looking:');
  addListCommand(program, commandHost);
  addLogCommand(program, commandHost);
  addShowCommand(program, commandHost);
  addStatsCommand(program, commandHost);
  addDiffCommand(program, commandHost);
  addCatCommand(program, commandHost);
  addPlotCommand(program, commandHost);
  program.commandsGroup('Names and lineage:');
  addReferenceCommands(program, commandHost);
  program.commandsGroup('Housekeeping:');
  addCheckCommand(program, commandHost);
  addRepairCommand(program, commandHost);
  addForgetCommand(program, commandHost);
  addGcCommand(program, commandHost);
  addCompactCommand(program, commandHost);
  program.commandsGroup('This program:');
  addBenchCommand(program, commandHost);
  addCompletionCommands(program, commandHost);
  program.helpCommand('help [command]', 'print the help of a command');
  return program;
}

/** Commander has printed the help or the version itself. */
function isHelp(error: unknown): boolean {
  return error instanceof CommanderError && /^commander\.(help|helpDisplayed|version)$/.test(error.code);
}

/** Whatever breaks after the signal fired is the abort the user asked for. */
function asAborted(error: unknown, signal: AbortSignal): unknown {
  if (!signal.aborted || isThetalogError(error, 'aborted')) return error;
  return new ThetalogError('aborted', 'aborted', 'The operation was aborted.', { cause: error });
}

/** The modes of a command line that could not be parsed. */
function outputModes(argv: readonly string[]): { json: boolean; quiet: boolean } {
  const end = argv.indexOf('--');
  return { json: argv.slice(0, end < 0 ? argv.length : end).includes('--json'), quiet: false };
}

function packageVersion(): string {
  const description: unknown = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  if (typeof description === 'object' && description !== null && 'version' in description)
    return String(description.version);
  return 'unknown';
}
