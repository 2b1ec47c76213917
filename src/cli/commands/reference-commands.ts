import type { Command } from 'commander';
import type { CheckpointInfo, Store } from '../../index.js';
import type { CommandHost, Session } from '../session.js';
import { checkpointName, checkpointSummary } from '../summaries.js';
import { printable } from '../tables.js';

/** Adds tag, untag, pin, unpin and fork: all they change is who refers to a checkpoint. */
export function addReferenceCommands(program: Command, host: CommandHost): void {
  addTagCommands(program, host);
  addPinCommands(program, host);
  addForkCommand(program, host);
}

function addTagCommands(program: Command, host: CommandHost): void {
  program
    .command('tag')
    .description('name a checkpoint; forget keeps it')
    .argument('<ref>', 'the checkpoint')
    .argument('<name>', 'the tag')
    .addHelpText('after', example('tag pretrain@best:loss v1'))
    .action(async (ref: string, name: string, _flags: object, command: Command) => {
      await changeCheckpoint(
        host.openSession(command),
        (store) => store.tag(ref, name),
        (checkpoint) => `tagged ${checkpointName(checkpoint)} as ${printable(name)}`,
      );
    });
  program
    .command('untag')
    .description('remove a tag')
    .argument('<tag>', 'its name')
    .addHelpText('after', example('untag v1'))
    .action(async (name: string, _flags: object, command: Command) => {
      const session = host.openSession(command);
      await session.withStore((store) => store.untag(name));
      session.output.print({
        json: [{ untagged: name }],
        quiet: [],
        text: () => [`removed tag ${printable(name)}`],
      });
    });
}

function addPinCommands(program: Command, host: CommandHost): void {
  program
    .command('pin')
    .description('protect a checkpoint from forget')
    .argument('<ref>', 'the checkpoint')
    .addHelpText('after', example('pin pretrain@step:1200'))
    .action(async (ref: string, _flags: object, command: Command) => {
      await changeCheckpoint(
        host.openSession(command),
        (store) => store.pin(ref),
        (checkpoint) => `pinned ${checkpointName(checkpoint)}`,
      );
    });
  program
    .command('unpin')
    .description('stop protecting a checkpoint')
    .argument('<ref>', 'the checkpoint')
    .addHelpText('after', example('unpin pretrain@step:1200'))
    .action(async (ref: string, _flags: object, command: Command) => {
      await changeCheckpoint(
        host.openSession(command),
        (store) => store.unpin(ref),
        (checkpoint) => `unpinned ${checkpointName(checkpoint)}`,
      );
    });
}

function addForkCommand(program: Command, host: CommandHost): void {
  program
    .command('fork')
    .description('start a new run from a checkpoint; storage is shared')
    .argument('<ref>', 'the checkpoint to start from')
    .requiredOption('--run <name>', 'the new run')
    .addHelpText('after', example('fork pretrain@best:loss --run finetune'))
    .action(async (ref: string, flags: { run: string }, command: Command) => {
      await changeCheckpoint(
        host.openSession(command),
        (store) => store.fork(ref, flags.run),
        (checkpoint) => `forked: ${checkpointName(checkpoint)}`,
      );
    });
}

async function changeCheckpoint(
  session: Session,
  change: (store: Store) => Promise<CheckpointInfo>,
  text: (checkpoint: CheckpointInfo) => string,
): Promise<void> {
  const checkpoint = await session.withStore(change);
  session.output.print({
    json: [checkpointSummary(checkpoint)],
    quiet: [checkpoint.id],
    text: () => [text(checkpoint)],
  });
}

function example(commandLine: string): string {
  return `\nExamples:\n  $ thetalog ${commandLine}`;
}
