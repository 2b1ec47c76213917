import type { Command } from 'commander';
import { createStore, ThetalogError } from '../../index.js';
import { parseCount } from '../arguments.js';
import type { CommandHost } from '../session.js';
import { printable } from '../tables.js';

interface InitFlags {
  chunkElements?: number;
}

const EXAMPLES = `
Examples:
  $ thetalog init ./store
  $ THETALOG_STORE=./store thetalog init`;

export function addInitCommand(program: Command, host: CommandHost): void {
  program
    .command('init')
    .description('make a new, empty store')
    .argument('[store]', 'where; default: --store or THETALOG_STORE')
    .option('--chunk-elements <n>', 'elements of one chunk, fixed for ever (default: 262144)', parseCount)
    .addHelpText('after', EXAMPLES)
    .action(async (place: string | undefined, flags: InitFlags, command: Command) => {
      const session = host.openSession(command);
      const named = command.optsWithGlobals<{ store?: string }>().store;
      if (place !== undefined && named !== undefined && place !== named)
        throw new ThetalogError('invalid', 'two-stores', 'Two different stores are named; name one.');
      const location = place ?? session.location();
      const { chunkElements } = flags;
      const store = await createStore(location, chunkElements === undefined ? {} : { chunkElements });
      const result = { id: store.id, location: store.location };
      session.output.print({
        json: [result],
        quiet: [result.id],
        text: () => [`made store ${result.id} at ${printable(result.location)}`],
      });
    });
}
