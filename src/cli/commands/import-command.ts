import type { Command } from 'commander';
import type { CommandHost } from '../session.js';
import { addSaveOptions, type SaveFlags, savedLines, saveOptionsOf } from './save-command.js';

const EXAMPLES = `
The tensors become one checkpoint, however they are distributed over files: shards of other sizes change nothing. A folder
stands for the model that readers find in it: model.safetensors, else the shards that its index names, else all of its
safetensors files. Other files in it are left out: thetalog save keeps files and folders byte for byte, import keeps
tensors only. They are named model.NAME (an export knows the names it came from), restored by run.restore as a state, and
written again by thetalog export.

Examples:
  $ thetalog import ./Llama-3.2-1B --run finetune
  $ thetalog import model-00001-of-00002.safetensors model-00002-of-00002.safetensors --run finetune --step 0`;

export function addImportCommand(program: Command, host: CommandHost): void {
  const command = program
    .command('import')
    .description('save the tensors of safetensors files as one checkpoint')
    .argument('<path...>', 'safetensors files, an index of shards, or folders of them');
  addSaveOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (paths: string[], flags: SaveFlags, command: Command) => {
      const session = host.openSession(command);
      const options = { ...saveOptionsOf(flags), ...session.operation() };
      const result = await session.withStore((store) => store.import(paths, options));
      for (const warning of result.warnings) session.output.warn(warning);
      session.output.print({ json: [result], quiet: [result.id], text: () => savedLines(result) });
    });
}
