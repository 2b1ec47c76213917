/**
 * A process that runs a script on many stores at once and is killed. Each store is held at another file system call, so that
 * one SIGKILL is the end at all of these points. What was acknowledged is written to a file as it happens.
 *
 * Arguments: script name, directory of the stores, then the call at which each store stops.
 */
import { appendFileSync } from 'node:fs';
import { FaultGate } from './call-faults.js';
import { CRASH_SCRIPTS } from './crash-scripts.js';
import { interceptFileCalls } from './file-calls.js';

const [name, directory, ...stops] = process.argv.slice(2);
const script = CRASH_SCRIPTS.find((candidate) => candidate.name === name);
if (script === undefined) throw new Error(`no script ${name}`);

let running = stops.length;
function ended(): void {
  running -= 1;
  if (running === 0) process.kill(process.pid, 'SIGKILL');
}

for (const [index, at] of stops.entries()) {
  const place = `${directory}/${index}`;
  interceptFileCalls(place, new FaultGate({ kind: 'hold', at: Number(at) }, { held: ended }));
  const note = (entry: unknown) =>
    appendFileSync(`${directory}/${index}.journal`, `${JSON.stringify(entry)}\n`);
  const session = { location: `${place}/store`, folder: `${place}/folder`, seed: 2, note };
  script.run(session).then(ended, (error: unknown) => {
    appendFileSync(`${directory}/${index}.journal`, `${JSON.stringify({ error: String(error) })}\n`);
    ended();
  });
}
// Promises that never settle do not keep a process alive.
setInterval(() => {}, 1000);
