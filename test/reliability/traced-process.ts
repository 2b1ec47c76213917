/**
 * A process that runs a script once it is told to begin, so that a tracer can attach to it before. It ends with the script.
 *
 * Arguments: script name, directory of the store and the user's folder, file of the journal.
 */
import { journalIn, scriptNamed, sessionIn, writeFailure } from './prepared-script.js';

const [name, place, journal] = process.argv.slice(2);
const script = scriptNamed(name);

process.stdin.once('data', () => {
  process.stdin.destroy();
  script.run(sessionIn(place, 2, journalIn(journal))).catch((error: unknown) => writeFailure(journal, error));
});
