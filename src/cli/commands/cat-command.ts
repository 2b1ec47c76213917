import type { Command } from 'commander';
import { ThetalogError } from '../../index.js';
import type { CommandHost } from '../session.js';
import { printable } from '../tables.js';
import { nestedValues, previewLines, summarizeTensor, WHOLE_ELEMENTS_MAX } from '../tensor-preview.js';

interface CatFlags {
  raw?: boolean;
}

const EXAMPLES = `
Tensors of more than ${WHOLE_ELEMENTS_MAX} elements are abbreviated as numpy does; with --json they are summed up.
In JSON, NaN, infinities and integers beyond 2^53 are strings, complex numbers are pairs.

Examples:
  $ thetalog cat pretrain model.layers.0.weight
  $ thetalog cat pretrain model.layers.0.weight --raw > weight.bin`;

export function addCatCommand(program: Command, host: CommandHost): void {
  program
    .command('cat')
    .description('print the values of one tensor')
    .argument('<ref>', 'the checkpoint')
    .argument('<tensor>', 'its name, as show prints it')
    .option('--raw', 'write its bytes: contiguous, row-major, little-endian')
    .addHelpText('after', EXAMPLES)
    .action(async (ref: string, name: string, flags: CatFlags, command: Command) => {
      const session = host.openSession(command);
      const raw = flags.raw === true;
      if (raw && session.output.json)
        throw new ThetalogError('invalid', 'raw-and-json', '--raw and --json exclude each other.');
      const tensor = await session.withStore((store) => store.readTensor(ref, name));
      if (raw) {
        await session.output.printBytes(tensor.data);
        return;
      }
      const { dtype, shape } = tensor;
      const elements = shape.reduce((product, size) => product * size, 1);
      const values = () =>
        elements > WHOLE_ELEMENTS_MAX
          ? { summary: summarizeTensor(tensor) }
          : { values: nestedValues(tensor) };
      const lines = () => previewLines(tensor);
      session.output.print({
        json: session.output.json ? [{ name, dtype, shape, ...values() }] : [],
        quiet: session.output.quiet ? lines() : [],
        text: () => [
          session.output.style('bold', `${printable(name)} ${dtype} [${shape.join(', ')}]`),
          ...lines(),
        ],
      });
    });
}
