/** A store on which a crash script can begin, and what it may expect of it; journals that a process leaves when it dies. */
import { appendFileSync, cpSync, existsSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { FaultGate } from './call-faults.js';
import { type Expectation, expectationOf } from './crash-oracle.js';
import { CRASH_SCRIPTS, type CrashScript, type JournalEntry, type Session } from './crash-scripts.js';
import { interceptFileCalls } from './file-calls.js';

export interface PreparedScript {
  /** A directory with the store and the user's folder. */
  readonly template: string;
  readonly expected: Expectation;
  /** File system calls of the script. */
  readonly calls: number;
}

/** A session on the store in a directory; the user's folder is beside it. */
export function sessionIn(place: string, seed: number, note: Session['note']): Session {
  return { location: `${place}/store`, folder: `${place}/folder`, seed, note };
}

export function scriptNamed(name: string): CrashScript {
  const script = CRASH_SCRIPTS.find((candidate) => candidate.name === name);
  if (script === undefined) throw new Error(`no script ${name}`);
  return script;
}

/** Runs the preparation of a script in a directory of `scratch`, and the script on a copy to count its calls. */
export async function prepareScript(script: CrashScript, scratch: string): Promise<PreparedScript> {
  const template = join(scratch, 'template');
  mkdirSync(join(template, 'folder'), { recursive: true });
  const journal: JournalEntry[] = [];
  await script.prepare(sessionIn(template, 1, (entry) => void journal.push(entry)));
  const rehearsal = join(scratch, 'rehearsal');
  cpSync(template, rehearsal, { recursive: true });
  const gate = new FaultGate();
  const release = interceptFileCalls(rehearsal, gate);
  await script.run(sessionIn(rehearsal, 2, () => {}));
  release();
  return { template, expected: expectationOf(journal), calls: gate.count };
}

/**
 * Writes a journal as it happens: only the process dies, so what was written need not be synced. By pwrite(2), which at the end
 * of a file that is appended to does the same as write(2), and which no object is written by.
 */
export function journalIn(path: string): Session['note'] {
  const file = openSync(path, 'a');
  return (entry) => void writeSync(file, `${JSON.stringify(entry)}\n`, 0);
}

/** The script of a process ended by an error that none of its verbs may have. */
export function writeFailure(path: string, error: unknown): void {
  appendFileSync(path, `${JSON.stringify({ error: String(error) })}\n`);
}

export function readJournal(path: string): JournalEntry[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      const entry = JSON.parse(line);
      if (entry.error !== undefined) throw new Error(entry.error);
      return entry;
    });
}
