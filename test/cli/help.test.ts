/** Every command explains itself: a description, examples that parse, and the same end as all others. */
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import type { Host } from '../../src/cli/output.js';
import { createProgram } from '../../src/cli/program.js';
import { run } from './in-process.js';

/** Thrown where a command would begin its work. */
const PARSED = new Error('parsed');

const silent = { write: () => true };
const host: Host = {
  stdout: silent,
  stderr: silent,
  env: {},
  signal: new AbortController().signal,
  now: () => 0,
};

function program(): Command {
  const openSession = (): never => {
    throw PARSED;
  };
  return createProgram(host, { openSession, setExitCode: () => {} });
}

const commands = program().commands.filter((command) => !command.name().startsWith('__'));

/** The words of the thetalog commands of an example, as a shell would cut them. */
function commandLines(example: string): string[][] {
  return example
    .split(/\|\||&&|\||>/)
    .map((part) => [...part.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c))
    .map((words) => words.filter((word, at) => at > 0 || !/^[A-Z_]+=/.test(word)))
    .filter((words) => words[0] === 'thetalog')
    .map((words) => words.slice(1));
}

test.each(commands.map((command) => command.name()))('%s', async (name) => {
  const { code, stdout } = await run(['help', name]);
  expect(code).toBe(0);
  const [usage = '', , description = ''] = stdout.split('\n');
  expect(usage).toMatch(new RegExp(`^Usage: thetalog ${name}\\b`));
  expect(description).toMatch(/^[a-z].*[^.]$/);
  const [, examples = ''] = stdout.split('\nExamples:\n');
  expect(stdout).toContain('\nExit codes:\n  0 done');
  expect(stdout).toContain('\nEnvironment:\n  THETALOG_STORE');
  const lines = examples.split('\n\n')[0].split('\n');
  expect(lines.every((line) => line.startsWith('  $ '))).toBe(true);
  const parsed = lines.flatMap((line) => commandLines(line.slice('  $ '.length)));
  expect(parsed.some(([command]) => command === name)).toBe(true);
  for (const words of parsed) {
    const started = program().parseAsync(words, { from: 'user' });
    await expect(started, words.join(' ')).rejects.toBe(PARSED);
  }
});

test('an option that is not there, or a value that is wrong, does not parse', async () => {
  for (const words of [
    ['list', '--nope'],
    ['diff', 'a', 'b', '--by', 'size'],
    ['diff', 'a', 'b', '--group', 'x'],
  ])
    await expect(program().parseAsync(words, { from: 'user' })).rejects.not.toBe(PARSED);
});

test('the overview names every command under a topic', async () => {
  const { stdout } = await run(['help']);
  const topics = stdout.split('\nReferences (REF):')[0];
  for (const command of commands) expect(topics).toMatch(new RegExp(`^ {2}${command.name()}\\b`, 'm'));
  expect(topics).not.toContain('\nCommands:\n');
  expect(stdout).not.toContain('__complete');
});
