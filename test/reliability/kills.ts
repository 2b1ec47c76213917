/** Real processes that end by SIGKILL at any file system call, and what is left of their stores. */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildModule } from './built-modules.js';
import { expectationOf, expectSurvived } from './crash-oracle.js';
import type { CrashScript } from './crash-scripts.js';
import { type PreparedScript, prepareScript, readJournal } from './prepared-script.js';
import { scratchDirectory } from './scratch-folder.js';

/** Stores that one process has under way. */
const STORES_PER_PROCESS = 25;

/** Ends a process at `points` file system calls of a script, as evenly spread as can be; returns how many were tried. */
export async function killAtCalls(script: CrashScript, points: number): Promise<number> {
  const scratch = scratchDirectory();
  try {
    const program = buildModule(join(import.meta.dirname, 'killed-process.ts'), join(scratch, 'program'));
    const prepared = await prepareScript(script, scratch);
    const stops = Array.from({ length: points }, (_, index) => 1 + (index % prepared.calls));
    if (points < prepared.calls)
      for (let index = 0; index < points; index++)
        stops[index] = 1 + Math.floor((index * prepared.calls) / points);
    for (let from = 0; from < points; from += STORES_PER_PROCESS)
      await killOnce(script, program, prepared, stops.slice(from, from + STORES_PER_PROCESS), scratch);
    return points;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function killOnce(
  script: CrashScript,
  program: string,
  { template, expected }: PreparedScript,
  stops: readonly number[],
  scratch: string,
): Promise<void> {
  const directory = mkdtempSync(join(scratch, 'round-'));
  for (const index of stops.keys()) cpSync(template, `${directory}/${index}`, { recursive: true });
  await endOf(program, [script.name, directory, ...stops.map(String)]);
  for (const [index, at] of stops.entries()) {
    const place = `${directory}/${index}`;
    try {
      const after = expectationOf(readJournal(`${place}.journal`), expected);
      await expectSurvived(`${place}/store`, `${place}/folder`, after);
    } catch (error) {
      throw new Error(`${script.name}, killed at call ${at}: ${String(error)}`, { cause: error });
    }
  }
  rmSync(directory, { recursive: true });
}

/** Resolves once the process was killed; any other end is an error. */
function endOf(program: string, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (text) => {
      errors += text;
    });
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve();
      else reject(new Error(`the process ended with ${code} ${signal}: ${errors}`));
    });
  });
}
