import type { Command } from 'commander';
import { type CheckpointInfo, type Store, ThetalogError } from '../../index.js';
import { connectedLineage, drawLineage, type LineageRow } from '../lineage-graph.js';
import type { Output } from '../output.js';
import type { CommandHost } from '../session.js';
import { checkpointSummary, marksText, metricsText } from '../summaries.js';
import { printable, shortId } from '../tables.js';
import { formatBytes, formatTime } from '../units.js';

interface LogFlags {
  graph?: boolean;
}

const EXAMPLES = `
Without --graph: the checkpoint and its ancestors, across runs, newest first.
With --graph: everything that shares an ancestor with it; without REF, all runs. "*" is a checkpoint, ":" a gap where
forgotten ones were, "o" a forgotten one that nothing in its run is known to lie before.

Examples:
  $ thetalog log finetune
  $ thetalog log --graph
  $ thetalog log v1 --graph`;

export function addLogCommand(program: Command, host: CommandHost): void {
  program
    .command('log')
    .description('show the lineage of a checkpoint')
    .argument('[ref]', 'the checkpoint or run')
    .option('--graph', 'draw forks')
    .addHelpText('after', EXAMPLES)
    .action(async (ref: string | undefined, flags: LogFlags, command: Command) => {
      const session = host.openSession(command);
      const rows = await session.withStore((store) =>
        flags.graph === true ? graphRows(store, ref) : ancestorRows(store, ref),
      );
      const checkpoints = rows.flatMap((row) => row.checkpoint ?? []);
      session.output.print({
        json: checkpoints.map(checkpointSummary),
        quiet: checkpoints.map((checkpoint) => checkpoint.id),
        text: () => rows.map((row) => rowText(row, session.output)),
      });
    });
}

async function graphRows(store: Store, ref: string | undefined): Promise<LineageRow[]> {
  const all = await store.list();
  if (ref === undefined) return drawLineage(all);
  const [start] = await store.log(ref);
  return start === undefined ? [] : drawLineage(connectedLineage(all, start.id));
}

async function ancestorRows(store: Store, ref: string | undefined): Promise<LineageRow[]> {
  if (ref === undefined)
    throw new ThetalogError('invalid', 'no-ref', 'No checkpoint is named.', {
      hint: 'Name a run or another REF, or draw all runs with --graph.',
    });
  return drawLineage(await store.log(ref));
}

function rowText(row: LineageRow, output: Output): string {
  if (row.checkpoint !== undefined) return `${row.graph} ${checkpointText(row.checkpoint, output)}`;
  if (row.forgottenId !== undefined)
    return `${row.graph} ${output.style('dim', `${shortId(row.forgottenId)}  (forgotten)`)}`;
  return row.graph;
}

function checkpointText(checkpoint: CheckpointInfo, output: Output): string {
  const marks = marksText(checkpoint);
  const metrics = metricsText(checkpoint.metrics);
  return [
    output.style('yellow', shortId(checkpoint.id)),
    printable(checkpoint.run),
    ...(checkpoint.step === null ? [] : [`step ${checkpoint.step}`]),
    ...(metrics === '' ? [] : [printable(metrics)]),
    output.style('dim', `${formatTime(checkpoint.createdAt)}  ${formatBytes(checkpoint.storedBytes)}`),
    ...(marks === '' ? [] : [output.style('green', `(${printable(marks)})`)]),
  ].join('  ');
}
