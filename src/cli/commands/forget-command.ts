import type { Command } from 'commander';
import {
  type ForgetResult,
  type Group,
  type KeepPolicy,
  keep,
  type Store,
  type StoreStats,
  ThetalogError,
} from '../../index.js';
import {
  collectBest,
  collectKeptGroups,
  collectSteps,
  type KeptGroups,
  parseCount,
  parseSeconds,
} from '../arguments.js';
import type { Output } from '../output.js';
import type { CommandHost, Session } from '../session.js';
import { type Column, shortId, tableLines } from '../tables.js';
import { formatBytes, formatCount } from '../units.js';

interface ForgetFlags {
  keepLast?: number;
  keepBest?: KeepPolicy[];
  keepEvery?: number;
  keepEverySeconds?: number;
  keepSteps?: number[];
  keepLogSpaced?: boolean;
  keepGroups?: KeptGroups[];
  dryRun?: boolean;
}

/** What to forget: the named checkpoints, or those of a run (of all runs) that no policy keeps. */
type Selection = { refs: string[]; keepGroups?: Group[] } | { run?: string; keep: KeepPolicy[] };

const COLUMNS: readonly Column[] = [
  { title: 'ID' },
  { title: 'RUN' },
  { title: 'STEP', align: 'right' },
  { title: 'DECISION' },
  { title: 'REASONS' },
];

const EXAMPLES = `
A checkpoint that any policy wants stays; tagged and pinned ones stay, too. A metric that is missing or NaN is
never best, of equal ones the newest is. Of checkpoints of the same step, only the newest counts as that step.
With --keep-groups a checkpoint that no other policy wants whole keeps only these groups, for ever.
Forgetting frees nothing by itself: run gc, and compact for bytes that other checkpoints are still built on.

Examples:
  $ thetalog forget pretrain --keep-last 3 --keep-best 2:loss:min --keep-every 1000 --dry-run
  $ thetalog forget pretrain --keep-last 1 --keep-every-seconds 2h --keep-steps 0,512 --keep-log-spaced
  $ thetalog forget pretrain --keep-last 5 --keep-groups model:last=50 --keep-groups model,rng:every-seconds=1d
  $ thetalog forget pretrain@step:100 --keep-groups model
  $ thetalog forget pretrain@step:100 4f0c2a91bd`;

export function addForgetCommand(program: Command, host: CommandHost): void {
  program
    .command('forget')
    .description('remove checkpoints from the list, by name or by policy')
    .argument('[ref...]', 'checkpoints; with --keep-* options: one run, or none for all runs')
    .option('--keep-last <n>', 'keep the latest n of each run', parseCount)
    .option('--keep-best <n:metric:min|max>', 'keep the n best by a metric; may be repeated', collectBest)
    .option('--keep-every <n>', 'keep the steps divisible by n', parseCount)
    .option('--keep-every-seconds <time>', 'keep one every 90s, 30m, 2h, 1d', parseSeconds)
    .option('--keep-steps <n,...>', 'keep these steps; may be repeated', collectSteps)
    .option('--keep-log-spaced', 'keep the lowest step from each power of two to the next')
    .option(
      '--keep-groups <groups[:rule]>',
      'keep only these groups of what a rule keeps (model:last=50, model,rng:best=2:loss), or of the checkpoints named',
      collectKeptGroups,
    )
    .option('-n, --dry-run', 'only say what would be forgotten')
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], flags: ForgetFlags, command: Command) => {
      const session = host.openSession(command);
      const selection = selectionOf(names, flags);
      const { result, before, after } = await session.withStore((store) =>
        forgetAndMeasure(store, selection, flags.dryRun === true, session),
      );
      const forgotten = result.decisions.filter((decision) => decision.forget);
      session.output.print({
        json: [result],
        quiet: forgotten.map((decision) => decision.id),
        text: () => [
          ...decisionLines(result, session.output),
          summaryLine(result),
          ...(before && after && result.decisions.some(isChange) ? [reclaimableLine(before, after)] : []),
        ],
      });
    });
}

function selectionOf(names: readonly string[], flags: ForgetFlags): Selection {
  const policies = policiesOf(flags);
  if (policies.length === 0) {
    const keepGroups = (flags.keepGroups ?? []).flatMap(({ groups }) => groups);
    if (names.length > 0) return { refs: [...names], ...(keepGroups.length > 0 ? { keepGroups } : {}) };
    throw new ThetalogError('invalid', 'no-policy', 'Neither checkpoints nor a policy are named.', {
      hint: 'Name checkpoints, or say what to keep: --keep-last, --keep-best, --keep-every, … (see --help).',
    });
  }
  const [run, ...more] = names;
  if (more.length > 0)
    throw new ThetalogError(
      'invalid',
      'several-runs',
      'With --keep-* options at most one run can be named.',
      {
        hint: 'Name one run, or none for all runs.',
      },
    );
  return run === undefined ? { keep: policies } : { run, keep: policies };
}

function policiesOf(flags: ForgetFlags): KeepPolicy[] {
  const { keepLast, keepBest, keepEvery, keepEverySeconds, keepSteps, keepLogSpaced } = flags;
  return [
    ...(keepLast === undefined ? [] : [keep.last(keepLast)]),
    ...(keepBest ?? []),
    ...(keepEvery === undefined ? [] : [keep.every(keepEvery)]),
    ...(keepEverySeconds === undefined ? [] : [keep.everySeconds(keepEverySeconds)]),
    ...(keepSteps === undefined ? [] : [keep.steps(keepSteps)]),
    ...(keepLogSpaced === true ? [keep.logSpaced()] : []),
    ...(flags.keepGroups ?? []).flatMap(({ policy }) => policy ?? []),
  ];
}

/** Sizes are only worth their time where somebody reads them. */
async function forgetAndMeasure(store: Store, selection: Selection, dryRun: boolean, session: Session) {
  const measured = !dryRun && !session.output.json && !session.output.quiet;
  const before = measured ? await store.stats() : undefined;
  const result = await store.forget({ ...selection, dryRun, ...session.operation() });
  const after = measured ? await store.stats() : undefined;
  return { result, before, after };
}

function decisionLines({ decisions, dryRun }: ForgetResult, output: Output): string[] {
  if (decisions.length === 0) return [];
  const forget = dryRun ? 'would forget' : 'forgotten';
  const keep = dryRun ? 'would keep' : 'kept';
  const rows = decisions.map((decision) => [
    shortId(decision.id),
    decision.run,
    decision.step === null ? '' : String(decision.step),
    decision.forget ? forget : decision.dropGroups.length > 0 ? dropText(decision.dropGroups, dryRun) : keep,
    decision.reasons.join(', '),
  ]);
  const [titles = '', ...lines] = tableLines(COLUMNS, rows);
  return [output.style('bold', titles), ...lines];
}

function isChange({ forget, dropGroups }: ForgetResult['decisions'][number]): boolean {
  return forget || dropGroups.length > 0;
}

function dropText(groups: readonly Group[], dryRun: boolean): string {
  return `${dryRun ? 'would drop' : 'dropped'} ${groups.join(', ')}`;
}

function summaryLine({ decisions, dryRun }: ForgetResult): string {
  const forgotten = decisions.filter((decision) => decision.forget).length;
  const reduced = decisions.filter(({ dropGroups }) => dropGroups.length > 0).length;
  const drops = reduced > 0 ? `, ${dryRun ? 'drop' : 'dropped'} groups of ${reduced} of them` : '';
  const verb = dryRun ? 'would forget' : 'forgot';
  const kept = decisions.length - forgotten;
  return `${verb} ${formatCount(forgotten, 'checkpoint')}${kept > 0 ? `, ${dryRun ? 'keep' : 'kept'} ${kept}` : ''}${drops}`;
}

function reclaimableLine(before: StoreStats, after: StoreStats): string {
  const change = `${formatBytes(before.reclaimableBytes)} -> ${formatBytes(after.reclaimableBytes)}`;
  return `stored ${formatBytes(after.storedBytes)}, of which reclaimable by gc and compact: ${change}`;
}
