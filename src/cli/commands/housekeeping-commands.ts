import type { Command } from 'commander';
import type { CompactReason, CompactResult, GcResult } from '../../index.js';
import { parseFactor, parseStep } from '../arguments.js';
import type { CommandHost } from '../session.js';
import { formatBytes, formatCount } from '../units.js';

interface DryRunFlags {
  dryRun?: boolean;
}

interface CompactFlags extends DryRunFlags {
  maxRestoreFactor?: number;
  maxHeight?: number;
  fullHeads?: boolean;
}

const GC_EXAMPLES = `
Deletes what no checkpoint, tag or pin needs. Saves and restores may go on meanwhile. Works on a full disk, as forget does.

Examples:
  $ thetalog gc --dry-run
  $ thetalog gc`;

const COMPACT_EXAMPLES = `
Stores the latest checkpoint of each run and those tagged or pinned in full, so that they are restored fastest;
bases chunks on checkpoints that are still there; merges packs. No restored byte changes, and the store grows
by those full copies at most. Run gc afterwards to free what it leaves behind.

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
    .option(
      '--max-restore-factor <n>',
      'work of a restore against that of a full checkpoint (default: 8)',
      parseFactor,
    )
    .option('--max-height <n>', 'longest delta chain to leave; 0: all in full', parseStep)
    .option(
      '--full-heads',
      'store heads in full even where groups were dropped and that makes the store grow',
    )
    .option('--no-full-heads', 'store nothing in full that is a delta')
    .option('-n, --dry-run', 'only say what would be done')
    .addHelpText('after', COMPACT_EXAMPLES)
    .action(async (run: string | undefined, flags: CompactFlags, command: Command) => {
      const session = host.openSession(command);
      const scope = run === undefined ? {} : { run };
      const options = { ...scope, ...flags, ...session.operation() };
      const result = await session.withStore((store) => store.compact(options));
      session.output.print({ json: [result], quiet: [], text: () => compactLines(result) });
    });
}

function gcLines(result: GcResult): string[] {
  const verb = result.dryRun ? 'would delete' : 'deleted';
  const sizes = `${formatBytes(result.storedBytesBefore)} -> ${formatBytes(result.storedBytesAfter)}`;
  const objects = formatCount(result.objects, 'unreferenced object');
  const lines = [`${verb} ${objects}, ${formatBytes(result.bytes)}; stored ${sizes}`];
  if (result.dryRun) {
    for (const { kind, objects: count, bytes } of result.kinds)
      lines.push(`  ${kind}: ${formatCount(count, 'object')}, ${formatBytes(bytes)}`);
  }
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
    `slowest restore ${factor(result.restoreFactorBefore)} -> ${factor(result.restoreFactorAfter)} x a full one`,
    `live chunk data ${formatBytes(result.liveBytesBefore)} -> ${formatBytes(result.liveBytesAfter)}, ${formatBytes(result.shorteningBytes)} of it to restore faster`,
  ];
  if (result.dryRun) lines.push(...planLines(result));
  if (!result.dryRun && result.chunksEncoded + result.chunksCopied > 0)
    lines.push('run thetalog gc to free what is left behind');
  return lines;
}

const REASONS: Record<CompactReason, string> = {
  head: 'heads, tagged and pinned checkpoints in full',
  ghost: 'no longer built on forgotten checkpoints',
  'restore-budget': 'within the restore budget',
  'max-height': 'within the longest chain asked for',
  pivot: 'early ones in full, now differences from a later one',
  pack: 'out of packs that are mostly dead, or small',
};

/** The plan of a dry run: what moves for which reason, and what that changes about which checkpoint. */
function planLines({ reasons, changed }: CompactResult): string[] {
  const moved = reasons.map(({ reason, chunks, bytesBefore, bytesAfter }) => {
    const sizes = `${formatBytes(bytesBefore)} -> ${formatBytes(bytesAfter)}`;
    return `  ${formatCount(chunks, 'chunk')}, ${sizes}: ${REASONS[reason]}`;
  });
  const shorter = changed.map((one) => {
    const chain = `longest chain ${one.maxHeightBefore} -> ${one.maxHeightAfter}`;
    const restore = `restore ${factor(one.restoreFactorBefore)} -> ${factor(one.restoreFactorAfter)}`;
    const step = one.step === null ? '' : `, step ${one.step}`;
    return `  ${one.id.slice(0, 10)} (${one.run}${step}): ${chain}, ${restore}`;
  });
  return [...moved, ...shorter];
}

function factor(value: number): string {
  return value.toFixed(1);
}
