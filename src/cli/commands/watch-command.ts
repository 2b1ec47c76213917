import type { Command } from 'commander';
import type { TakenCheckpoint, WatchOptions, WatchProblem, WatchResult } from '../../index.js';
import { collectGlob, parseMilliseconds } from '../arguments.js';
import { EXIT_CODES } from '../exit-codes.js';
import type { CommandHost, Session } from '../session.js';
import { savedLine } from '../summaries.js';
import { printable } from '../tables.js';
import { formatBytes, formatCount, formatRatio } from '../units.js';

interface WatchFlags
  extends Pick<WatchOptions, 'run' | 'once' | 'include' | 'exclude' | 'groupByStep' | 'marker'> {
  settle?: number;
  interval?: number;
  removeSourceFiles?: boolean;
}

const EXAMPLES = `
A checkpoint is a file or folder that is named like one (step-100.pth, checkpoint-100/, epoch=3-step=1200.ckpt, 100/); hidden and temporary
names are not. It is taken in once nothing of it has changed for a while and no process has it open for writing, never when it is cut off;
then it is read back from the store and compared with its files. One that is overwritten is a new checkpoint.
What was taken in is known from the store: the program may be killed and started again at any time.
Ctrl-C and SIGTERM end it: exit 0 between two checkpoints, 130 if one was under way, of which nothing stays.
With --once, the exit code is that of the first checkpoint that could not be taken in: 4 still written, 5 cut off or damaged.

Examples:
  $ thetalog watch ./checkpoints --run pretrain
  $ thetalog watch ./checkpoints --run pretrain --once
  $ thetalog watch ./checkpoints --run pretrain --include 'step-*' --exclude '*best*' --settle 10s
  $ thetalog watch ./checkpoints --run pretrain --marker _SUCCESS --remove-source-files`;

export function addWatchCommand(program: Command, host: CommandHost): void {
  program
    .command('watch')
    .description('take in the checkpoints that a program leaves in a folder')
    .argument('<dir>', 'the folder that the program writes its checkpoints to')
    .requiredOption('--run <name>', 'the run: letters, digits, dot, dash, underscore')
    .option('--once', 'take in what is there, in the order of steps, and end')
    .option('--include <glob>', 'only entries of such names; may be repeated', collectGlob)
    .option('--exclude <glob>', 'no entries of such names; may be repeated', collectGlob)
    .option('--group-by-step', 'entries of one step are one checkpoint: model_100.pt, optimizer_100.pt')
    .option('--settle <time>', 'how long nothing of it may have changed (default: 3s)', parseMilliseconds)
    .option('--interval <time>', 'between two looks at the folder (default: 2s)', parseMilliseconds)
    .option(
      '--marker <name>',
      'a file in it, or its extension beside it, says that it is whole: _SUCCESS, done',
    )
    .option('--remove-source-files', 'delete what is stored, once it was read back and found equal')
    .addHelpText('after', EXAMPLES)
    .action(async (folder: string, flags: WatchFlags, command: Command) => {
      const session = host.openSession(command);
      const { settle: settleMs, interval: intervalMs, ...given } = flags;
      const result = await session.withStore((store) =>
        store.watch(folder, {
          ...given,
          settleMs,
          intervalMs,
          ...session.operation(),
          onCheckpoint: (taken) => printTaken(session, taken),
          onProblem: (problem) => printProblem(session, problem),
        }),
      );
      session.output.print({ json: [result], quiet: [], text: () => [resultLine(result)] });
      const [first] = result.problems;
      if (flags.once === true && first !== undefined) host.setExitCode(EXIT_CODES[first.error.kind]);
    });
}

function printTaken(session: Session, taken: TakenCheckpoint): void {
  const { output } = session;
  session.hideProgress();
  for (const warning of taken.warnings) output.warn(warning);
  output.print({ json: [taken], quiet: [taken.id], text: () => [takenLine(taken)] });
}

function takenLine(taken: TakenCheckpoint): string {
  const { source, verified, removed } = taken;
  const unequal = verified ? '' : ' (its files changed before they could be compared)';
  return `${printable(source)}: ${savedLine(taken)}${unequal}${removed ? ', removed' : ''}`;
}

const RETRIES: Readonly<Record<WatchProblem['retry'], string>> = {
  later: 'tried again later',
  'when-changed': 'tried again when it changes',
  never: '',
};

function printProblem(session: Session, { source, error, retry }: WatchProblem): void {
  const { output } = session;
  session.hideProgress();
  if (output.json) output.print({ json: [{ problem: { source, retry, error } }], quiet: [], text: () => [] });
  else {
    const { code, message, object = source, offset = null, hint } = error;
    const note = RETRIES[retry] === '' ? '' : ` (${RETRIES[retry]})`;
    output.warn({
      code,
      message: `${message}${note}${hint === undefined ? '' : `; hint: ${hint}`}`,
      object,
      offset,
    });
  }
}

function resultLine({ taken, present, missed, problems, logicalBytes, storedBytes }: WatchResult): string {
  const parts = [
    `${formatCount(taken, 'checkpoint')} taken in`,
    ...(taken === 0
      ? []
      : [
          `${formatBytes(logicalBytes)}, stored ${formatBytes(storedBytes)} (${formatRatio(logicalBytes, storedBytes)})`,
        ]),
    ...(present === 0 ? [] : [`${present} stored before`]),
    ...(missed === 0 ? [] : [`${missed} deleted too early`]),
    ...(problems.length === 0 ? [] : [`${problems.length} not taken in`]),
  ];
  return parts.join(', ');
}
