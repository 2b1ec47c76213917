/**
 * A process that runs a script on many stores at once and is killed. Each store is held at another file system call, so that
 * one SIGKILL is the end at all of these points. What was acknowledged is written to a file as it happens.
 *
 * Arguments: script name, directory of the stores, then the call at which each store stops.
 */
import { FaultGate } from './call-faults.js';
import { interceptFileCalls } from './file-calls.js';
import { journalIn, scriptNamed, sessionIn, writeFailure } from './prepared-script.js';

const [name, directory, ...stops] = process.argv.slice(2);
const script = scriptNamed(name);

let running = stops.length;
function ended(): void {
  running -= 1;
  if (running === 0) process.kill(process.pid, 'SIGKILL');
}

for (const [index, at] of stops.entries()) {
  const place = `${directory}/${index}`;
  const journal = `${place}.journal`;
  interceptFileCalls(place, new FaultGate({ kind: 'hold', at: Number(at) }, { held: ended }));
  script.run(sessionIn(place, 2, journalIn(journal))).then(ended, (error: unknown) => {
    writeFailure(journal, error);
    ended();
  });
}
// Promises that never settle do not keep a process alive.
setInterval(() => {}, 1000);
