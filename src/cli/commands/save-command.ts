import type { Command } from 'commander';
import type { SaveFilesOptions, SaveResult } from '../../index.js';
import { collectMeta, collectMetric, parseEpoch, parseFactor, parseStep } from '../arguments.js';
import { explanationLines } from '../save-table.js';
import type { CommandHost } from '../session.js';
import { savedLine } from '../summaries.js';

export interface SaveFlags extends Omit<SaveFilesOptions, 'metrics' | 'signal' | 'onProgress'> {
  metric?: Record<string, number>;
}

const EXAMPLES = `
Files come back as DIR/basename, folders as DIR/basename/...; all paths make one checkpoint.
A damaged or unknown file is stored byte for byte, with a warning; --strict refuses it (exit 5).
In a label, formats are those of Python: {step:06d}, {val/loss:.2f}, {lr:e}; a name that is not there is refused (exit 2).

Examples:
  $ thetalog save step-1200.pth --run pretrain --step 1200 --metric loss=2.31
  $ thetalog save step-1200.pth --run pretrain --metric loss=2.31 --label 'step={step:06d}-loss={loss:.2f}'
  $ thetalog save checkpoint-500/ --run finetune --parent pretrain@best:loss --meta lr=1e-5`;

export function addSaveCommand(program: Command, host: CommandHost): void {
  const command = program
    .command('save')
    .description('save files and folders as one checkpoint')
    .argument('<path...>', 'files (safetensors, torch, npy, anything else) and folders');
  addSaveOptions(command)
    .option('--strict', 'refuse damaged files')
    .addHelpText('after', EXAMPLES)
    .action(async (paths: string[], flags: SaveFlags, command: Command) => {
      const session = host.openSession(command);
      const options = { ...saveOptionsOf(flags), ...session.operation() };
      const result = await session.withStore((store) => store.saveFiles(paths, options));
      for (const warning of result.warnings) session.output.warn(warning);
      session.output.print({ json: [result], quiet: [result.id], text: () => savedLines(result) });
    });
}

/** Adds the options of every command that makes a checkpoint. */
export function addSaveOptions(command: Command): Command {
  return command
    .requiredOption('--run <name>', 'the run: letters, digits, dot, dash, underscore')
    .option('--step <n>', 'training step; default: the one found in the files', parseStep)
    .option('--epoch <n>', 'training epoch', parseEpoch)
    .option('--metric <name=number>', 'a metric such as loss; may be repeated', collectMetric)
    .option('--meta <name=text>', 'a note; may be repeated', collectMeta)
    .option('--label <template>', 'label: {step}, {epoch}, {run}, metrics and notes; default: step-N')
    .option('--parent <ref>', "what it was resumed from; default: the run's latest checkpoint")
    .option(
      '--max-restore-factor <n>',
      'work of a restore against that of a full checkpoint (default: 8)',
      parseFactor,
    )
    .option('--max-height <n>', 'longest delta chain (default: 16)', parseStep)
    .option('--explain', 'say what each part was predicted from, and what it cost');
}

/** Returns what the library takes. */
export function saveOptionsOf({ metric: metrics, ...given }: SaveFlags): SaveFilesOptions {
  return { ...given, ...(metrics === undefined ? {} : { metrics }) };
}

/** Returns what is said of a new checkpoint. */
export function savedLines(result: SaveResult): string[] {
  return [savedLine(result), ...(result.explain === undefined ? [] : explanationLines(result.explain))];
}
