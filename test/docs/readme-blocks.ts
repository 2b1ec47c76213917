/** The examples in the README, in order. Asserts nothing itself. */
import { readFileSync } from 'node:fs';

export interface Command {
  /** What follows the `$ `. */
  line: string;
  /** From a comment `# exit N` at its end; 0 without one. */
  exitCode: number;
  /** The lines below it; `...` stands for any number of lines. */
  output: string[];
}

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** Returns the text of all blocks of a language. */
export function blocksOf(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, text]) => text,
  );
}

/** Returns the commands of all console blocks. */
export function commandsOf(): Command[] {
  const commands: Command[] = [];
  for (const line of blocksOf('console').join('').trimEnd().split('\n')) {
    const exitCode = Number(/# exit (\d+)$/.exec(line)?.[1] ?? 0);
    if (line.startsWith('$ ')) commands.push({ line: line.slice(2), exitCode, output: [] });
    else commands[commands.length - 1].output.push(line);
  }
  return commands;
}

/** Replaces what differs from run to run: ids, times, durations, folders, and sizes, which random ids change by a few bytes. */
export function normalised(line: string): string {
  return line
    .replace(/\b[0-9a-f]{32}\b|\b[0-9a-f]{10}\b/g, 'ID')
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'TIME')
    .replace(/\d+(\.\d+)? (B|KiB|MiB)\b/g, 'SIZE')
    .replace(/\d+(\.\d+)?x\b/g, 'RATIO')
    .replace(/\d+(\.\d+)? (s|ms)\b/g, 'DURATION')
    .replace(/ at \/\S+$/, ' at FOLDER')
    .replace(/("(storedBytes|seconds|beginMs|endMs)":)[\d.]+/g, '$1N')
    .replace(/ +/g, ' ')
    .trimEnd();
}

/** Returns true if the lines occur in this order, with anything where the README has `...`. */
export function isTrimmedFrom(shown: readonly string[], real: readonly string[]): boolean {
  if (shown.length === 0) return real.length === 0;
  const [first, ...rest] = shown;
  if (first !== '...')
    return real.length > 0 && normalised(first) === normalised(real[0]) && isTrimmedFrom(rest, real.slice(1));
  if (rest.length === 0) return true;
  return real.some((_, at) => isTrimmedFrom(rest, real.slice(at)));
}

/** Returns the rows of the first table below a heading, cell by cell, without its head. */
export function tableBelow(heading: string): string[][] {
  const section = readme.slice(readme.indexOf(`\n${heading}\n`) + heading.length + 2);
  const lines = section.slice(0, section.indexOf('\n## ')).split('\n');
  const rows = lines.filter((line) => line.startsWith('| ')).map((line) => line.slice(2, -2).split(' | '));
  return rows.slice(2);
}
