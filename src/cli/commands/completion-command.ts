import { Argument, type Command } from 'commander';
import { complete } from '../completion.js';
import { COMPLETION_SCRIPTS, type Shell } from '../completion-scripts.js';
import type { CommandHost } from '../session.js';

const EXAMPLES = `
Completes commands, options, files, and from the store runs, tags and references. To have it in every shell:
  bash  echo 'source <(thetalog completion bash)' >> ~/.bashrc
  zsh   thetalog completion zsh > a file named _thetalog in a folder of $fpath, or as for bash after compinit
  fish  thetalog completion fish > ~/.config/fish/completions/thetalog.fish

Examples:
  $ thetalog completion bash
  $ thetalog completion zsh > _thetalog`;

/** Adds completion, which prints the script of a shell, and what that script asks at each press of TAB. */
export function addCompletionCommands(program: Command, host: CommandHost): void {
  program
    .command('completion')
    .description('print what makes a shell complete commands and references')
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(COMPLETION_SCRIPTS)))
    .addHelpText('after', EXAMPLES)
    .action((shell: Shell, _flags: object, command: Command) => {
      const script = COMPLETION_SCRIPTS[shell];
      const lines = script.trimEnd().split('\n');
      host.openSession(command).output.print({ json: [{ shell, script }], quiet: lines, text: () => lines });
    });
  program
    .command('__complete', { hidden: true })
    .argument('[word...]')
    .action(async (words: string[], _flags: object, command: Command) => {
      const session = host.openSession(command);
      const found = await complete(program, words, session.namedLocation);
      const lines =
        typeof found === 'string'
          ? [`:${found}`]
          : found.map(({ value, description }) => `${value}\t${description}`.trimEnd());
      session.output.print({ json: [{ found }], quiet: lines, text: () => lines });
    });
}
