/** What could stand at the end of a command line: asked for by the shells' scripts at each press of TAB. */
import type { Argument, Command, Option } from 'commander';
import { type CheckpointInfo, openStore } from '../index.js';
import { shortId } from './tables.js';
import { formatCount } from './units.js';

export interface Candidate {
  value: string;
  description: string;
}

/** Candidates, or that the shell is to look for files or folders itself. */
export type Completion = readonly Candidate[] | 'files' | 'folders';

/** What a word stands for. */
type Kind = 'command' | 'ref' | 'run' | 'tag' | 'file' | 'folder' | 'other';

/** By the names that the help gives to values. */
const KINDS: Readonly<Record<string, Kind>> = {
  command: 'command',
  ref: 'ref',
  a: 'ref',
  b: 'ref',
  run: 'run',
  tag: 'tag',
  file: 'file',
  path: 'file',
  dir: 'folder',
  'dir|url': 'folder',
  store: 'folder',
};

/** Steps offered of each run: the latest. */
const STEPS_MAX = 20;

/** What a word can be, and what it is chosen from if that is a short list. */
interface Value {
  kind: Kind;
  choices: readonly string[];
}

/** What is said by the words before the last one. */
interface Before {
  command: Command;
  /** Positional words of the command. */
  positions: number;
  /** The option that the last word is the value of. */
  option: Option | undefined;
  store: string | undefined;
}

/** Completes the last of the words after `thetalog`; a store that cannot be read has no candidates. */
export async function complete(
  program: Command,
  words: readonly string[],
  environment: string | undefined,
): Promise<Completion> {
  const last = words.at(-1) ?? '';
  const { command, positions, option, store } = readWords(program, words.slice(0, -1));
  const location = store ?? environment;
  if (option !== undefined) return completeValue(program, optionValue(option), last, location);
  const joined = /^(--[a-z-]+)=(.*)$/s.exec(last);
  if (joined !== null) {
    const [, flag, text] = joined;
    const named = findOption(command, flag);
    const found = named === undefined ? [] : await completeValue(program, optionValue(named), text, location);
    return typeof found === 'string'
      ? []
      : found.map(({ value, ...rest }) => ({ value: `${flag}=${value}`, ...rest }));
  }
  if (last.startsWith('-')) return startingWith(optionsOf(command), last);
  if (command === program) return startingWith(commandsOf(program), last);
  const argument = command.registeredArguments[positions] ?? variadic(command);
  return argument === undefined ? [] : completeValue(program, argumentValue(argument), last, location);
}

function readWords(program: Command, words: readonly string[]): Before {
  const before: Before = { command: program, positions: 0, option: undefined, store: undefined };
  for (const word of words) {
    const { option, command } = before;
    before.option = undefined;
    if (option !== undefined) {
      if (option.long === '--store') before.store = word;
    } else if (word.startsWith('--store=')) before.store = word.slice('--store='.length);
    else if (word.startsWith('-')) {
      const named = findOption(command, word);
      if (named?.required === true) before.option = named;
    } else if (command === program) before.command = findCommand(program, word) ?? program;
    else before.positions++;
  }
  return before;
}

async function completeValue(
  program: Command,
  { kind, choices }: Value,
  last: string,
  location: string | undefined,
): Promise<Completion> {
  if (choices.length > 0) return startingWith(choices.map(plain), last);
  if (kind === 'command') return startingWith(commandsOf(program), last);
  if (kind === 'file') return 'files';
  if (kind === 'folder') return 'folders';
  if (kind === 'other' || location === undefined) return [];
  const checkpoints = await listCheckpoints(location);
  if (kind === 'run') return startingWith(runsOf(checkpoints), last);
  if (kind === 'tag') return startingWith(tagsOf(checkpoints), last);
  const selectors = last.includes('@') ? selectorsOf(checkpoints) : [];
  return startingWith([...runsOf(checkpoints), ...tagsOf(checkpoints), ...selectors], last);
}

async function listCheckpoints(location: string): Promise<CheckpointInfo[]> {
  try {
    return await (await openStore(location, { workers: 0 })).list();
  } catch {
    // A shell has no place for messages at this point.
    return [];
  }
}

function runsOf(checkpoints: readonly CheckpointInfo[]): Candidate[] {
  const counts = new Map<string, number>();
  for (const { run } of checkpoints) counts.set(run, (counts.get(run) ?? 0) + 1);
  return [...counts].map(([value, count]) => ({ value, description: formatCount(count, 'checkpoint') }));
}

function tagsOf(checkpoints: readonly CheckpointInfo[]): Candidate[] {
  return checkpoints.flatMap(({ tags, id, run }) =>
    tags.map((value) => ({ value, description: `tag of ${shortId(id)} (${run})` })),
  );
}

/** `RUN@latest`, `RUN@step:N` for the latest steps, and `RUN@best:METRIC`. */
function selectorsOf(checkpoints: readonly CheckpointInfo[]): Candidate[] {
  const byRun = new Map<string, CheckpointInfo[]>();
  for (const checkpoint of checkpoints)
    byRun.set(checkpoint.run, [...(byRun.get(checkpoint.run) ?? []), checkpoint]);
  return [...byRun].flatMap(([run, saved]) => {
    const steps = saved.flatMap(({ step }) => (step === null ? [] : [step])).slice(-STEPS_MAX);
    const metrics = new Set(saved.flatMap((checkpoint) => Object.keys(checkpoint.metrics)));
    const selectors = ['latest', ...[...new Set(steps)].map((step) => `step:${step}`)];
    return [...selectors, ...[...metrics].map((name) => `best:${name}`)].map((text) =>
      plain(`${run}@${text}`),
    );
  });
}

function commandsOf(program: Command): Candidate[] {
  const { visibleCommands } = visible(program);
  return visibleCommands.map((command) => ({ value: command.name(), description: command.description() }));
}

/** Long options, the global ones included; each only once. */
function optionsOf(command: Command): Candidate[] {
  const help = command.createHelp();
  const all = [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)];
  const candidates = all.map(({ long, short, description }) => ({ value: long ?? short ?? '', description }));
  return [...new Map(candidates.map((candidate) => [candidate.value, candidate])).values()];
}

function visible(command: Command): { visibleCommands: Command[] } {
  return { visibleCommands: command.createHelp().visibleCommands(command) };
}

function findCommand(program: Command, name: string): Command | undefined {
  return visible(program).visibleCommands.find(
    (command) => command.name() === name || command.aliases().includes(name),
  );
}

function findOption(command: Command, flag: string): Option | undefined {
  const all = [...command.options, ...(command.parent?.options ?? [])];
  return all.find(({ long, short }) => long === flag || short === flag);
}

function variadic(command: Command): Argument | undefined {
  const last = command.registeredArguments.at(-1);
  return last?.variadic === true ? last : undefined;
}

function argumentValue(argument: Argument): Value {
  return { kind: KINDS[argument.name()] ?? 'other', choices: argument.argChoices ?? [] };
}

/** `--run` takes the name of a run, although that may be a new one. */
function optionValue({ flags, long, argChoices }: Option): Value {
  const name = /[<[](.+?)(\.\.\.)?[>\]]/.exec(flags)?.[1] ?? '';
  return { kind: long === '--run' ? 'run' : (KINDS[name] ?? 'other'), choices: argChoices ?? [] };
}

function plain(value: string): Candidate {
  return { value, description: '' };
}

function startingWith(candidates: readonly Candidate[], start: string): Candidate[] {
  return candidates.filter(({ value }) => value.startsWith(start));
}
