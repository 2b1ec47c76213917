/**
 * A process that runs a script on a disk whose power goes: when it is told to begin, and a line of its own says that the call
 * was reached, or the end. It is killed after that.
 *
 * Arguments: script name, directory of the store, file of the journal, the call.
 */
import { writeSync } from 'node:fs';
import { FaultGate } from './call-faults.js';
import { interceptFileCalls } from './file-calls.js';
import { journalIn, scriptNamed, sessionIn, writeFailure } from './prepared-script.js';

const STDOUT = 1;

const [name, place, journal, at] = process.argv.slice(2);
const script = scriptNamed(name);

let told = false;
function reached(): void {
  if (!told) writeSync(STDOUT, 'reached\n');
  told = true;
}

const gate: FaultGate = new FaultGate(undefined, {
  counted: () => void (gate.count === Number(at) && reached()),
});
interceptFileCalls(place, gate);
process.stdin.on('end', () => process.exit(1));
process.stdin.once('data', () => {
  script
    .run(sessionIn(place, 2, journalIn(journal)))
    .catch((error: unknown) => writeFailure(journal, error))
    .finally(reached);
});
