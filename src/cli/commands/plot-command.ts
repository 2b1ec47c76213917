import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { type CheckpointInfo, ThetalogError } from '../../index.js';
import { drawStepChart, type Panel } from '../drawing/step-chart.js';
import type { CommandHost } from '../session.js';
import { checkpointName } from '../summaries.js';
import { printable } from '../tables.js';
import { formatBytes, formatCount, UNIT_STEP } from '../units.js';

interface PlotFlags {
  metric?: string[];
  svg: string;
}

const METRIC_DIGITS = 6;

const EXAMPLES = `
One panel for each metric, then the bytes that saving each checkpoint added. Checkpoints without a step are left out.

Examples:
  $ thetalog plot pretrain --metric loss --svg loss.svg
  $ thetalog plot pretrain --metric loss --metric accuracy --svg run.svg`;

export function addPlotCommand(program: Command, host: CommandHost): void {
  program
    .command('plot')
    .description('draw metrics and stored bytes of a run over its steps')
    .argument('<run>', 'the run')
    .option('--metric <name>', 'a metric; may be repeated', (name: string, before: string[] = []) => [
      ...before,
      name,
    ])
    .requiredOption('--svg <file>', 'the file to write')
    .addHelpText('after', EXAMPLES)
    .action(async (run: string, { metric: metrics = [], svg }: PlotFlags, command: Command) => {
      const session = host.openSession(command);
      const listed = await session.withStore((store) => store.list({ run }));
      const checkpoints = listed.filter(({ step }) => step !== null).sort((a, b) => stepOf(a) - stepOf(b));
      assertDrawable(run, checkpoints, metrics);
      const panels = [...metrics.map((name) => metricPanel(checkpoints, name)), bytesPanel(checkpoints)];
      const what = [...metrics, 'stored bytes'].join(', ');
      const description = `${what} of ${formatCount(checkpoints.length, 'checkpoint')} over steps.`;
      await writeFile(svg, drawStepChart({ title: `${run}: ${what}`, description, xTitle: 'step', panels }));
      session.output.print({
        json: [{ svg, run, metrics, checkpoints: checkpoints.length }],
        quiet: [],
        text: () => [
          `drew ${printable(svg)}: ${printable(what)} of ${formatCount(checkpoints.length, 'checkpoint')}`,
        ],
      });
    });
}

function assertDrawable(
  run: string,
  checkpoints: readonly CheckpointInfo[],
  metrics: readonly string[],
): void {
  if (checkpoints.length === 0)
    throw new ThetalogError('invalid', 'no-steps', `No checkpoint of run "${run}" has a step.`, {
      object: run,
    });
  const known = [...new Set(checkpoints.flatMap((checkpoint) => Object.keys(checkpoint.metrics)))];
  const missing = metrics.find((name) => !known.includes(name));
  if (missing === undefined) return;
  throw new ThetalogError(
    'not-found',
    'no-such-metric',
    `No checkpoint of run "${run}" has the metric "${missing}".`,
    {
      object: missing,
      hint: `Metrics on record: ${known.slice(0, 8).join(', ') || 'none'}.`,
    },
  );
}

function metricPanel(checkpoints: readonly CheckpointInfo[], name: string): Panel {
  const valueText = (value: number): string => String(Number(value.toPrecision(METRIC_DIGITS)));
  const points = checkpoints.flatMap((checkpoint) => {
    const y = checkpoint.metrics[name];
    if (y === undefined) return [];
    return [{ x: stepOf(checkpoint), y, text: `${checkpointName(checkpoint)}: ${name} ${valueText(y)}` }];
  });
  return { title: name, kind: 'line', points, valueText, unit: 1 };
}

function bytesPanel(checkpoints: readonly CheckpointInfo[]): Panel {
  const points = checkpoints.map((checkpoint) => ({
    x: stepOf(checkpoint),
    y: checkpoint.storedBytes,
    text: `${checkpointName(checkpoint)}: ${formatBytes(checkpoint.storedBytes)}`,
  }));
  const most = points.reduce((greatest, { y }) => Math.max(greatest, y), 1);
  const unit = UNIT_STEP ** Math.floor(Math.log(most) / Math.log(UNIT_STEP));
  return { title: 'stored by each save', kind: 'bars', points, valueText: formatBytes, unit };
}

function stepOf({ step }: CheckpointInfo): number {
  return step ?? 0;
}
