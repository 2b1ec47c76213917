import type { Command } from 'commander';
import type { CompactResult, GcResult } from '../../index.js';
import type { CommandHost } from '../session.js';
import { formatBytes, formatCount } from '../units.js';

interface DryRunFlags {
  dryRun?: boolean;
}

const GC_EXAMPLES = `
Deletes what no checkpoint, tag or pin needs. Saves and restores may go on meanwhile.

Examples:
  $ thetalog gc --dry-run
  $ thetalog gc`;

const COMPACT_EXAMPLES = `
Shortens delta chains, encodes chunks better and merges packs; no restored byte changes. Run gc afterwards to
free what it leaves behind.

Examples:
  $ thetalog compact pretrain --dry-run
  $ thetalog compact && thetalog gc`;

export function addGcCommand(program: Command, host: CommandHost): void {
  program
    .command('gc')
    .description('delete what no checkpoint needs any more')
    .option('-n, --dry-run', 'only say what would be deleted')
    .addHelpText('after', GC_EXAMPLES)
    .action(async (flags: DryRunFlags, command: Command) => {
      const session = host.openSession(command);
      const options = { dryRun: flags.dryRun === true, ...session.operation() };
      const result = await session.withStore((store) => store.gc(options));
      session.output.print({ json: [result], quiet: [], text: () => gcLines(result) });
    });
}

export function addCompactCommand(program: Command, host: CommandHost): void {
  program
    .command('compact')
    .description('shorten delta chains and encode them better')
    .argument('[run]', 'only this run')
    .option('-n, --dry-run', 'only say what would be done')
    .addHelpText('after', COMPACT_EXAMPLES)
    .action(async (run: string | undefined, flags: DryRunFlags, command: Command) => {
      const session = host.openSession(command);
      const scope = run === undefined ? {} : { run };
      const options = { ...scope, dryRun: flags.dryRun === true, ...session.operation() };
      const result = await session.withStore((store) => store.compact(options));
      session.output.print({ json: [result], quiet: [], text: () => compactLines(result) });
    });
}

function gcLines(result: GcResult): string[] {
  const verb = result.dryRun ? 'would delete' : 'deleted';
  const sizes = `${formatBytes(result.storedBytesBefore)} -> ${formatBytes(result.storedBytesAfter)}`;
  const objects = formatCount(result.objects, 'unreferenced object');
  const lines = [`${verb} ${objects}, ${formatBytes(result.bytes)}; stored ${sizes}`];
  if (result.skippedObjects > 0)
    lines.push(`left alone ${formatCount(result.skippedObjects, 'object')} that a running save may own`);
  return lines;
}

function compactLines(result: CompactResult): string[] {
  const would = result.dryRun ? 'would ' : '';
  const [encode, copy] = result.dryRun ? ['encode', 'copy'] : ['encoded', 'copied'];
  const encoded = `${would}${encode} ${formatCount(result.chunksEncoded, 'chunk')} anew`;
  const copied = `${copy} ${formatCount(result.chunksCopied, 'chunk')} as they are`;
  const lines = [
    `${encoded}, ${copied}, for ${formatCount(result.checkpoints, 'checkpoint')}`,
    `longest chain ${result.maxHeightBefore} -> ${result.maxHeightAfter}`,
    `live chunk data ${formatBytes(result.liveBytesBefore)} -> ${formatBytes(result.liveBytesAfter)}`,
  ];
  if (!result.dryRun && result.chunksEncoded + result.chunksCopied > 0)
    lines.push('run thetalog gc to free what is left behind');
  return lines;
}
