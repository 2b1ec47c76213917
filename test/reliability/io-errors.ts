/** Every file system call of a script fails: with or without effect, once or for ever, or does half of what it should. */
import { ok } from 'node:assert/strict';
import { type CallFault, ERRNOS, type FaultKind } from './call-faults.js';
import { expectationOf } from './crash-oracle.js';
import type { CrashScript } from './crash-scripts.js';
import { seededRandom } from './seeded-random.js';
import { type Random, SimulatedDisk } from './simulated-disk.js';
import { DiskJudge, imageAfter, type PreparedDisk, prepareDisk, runOnMachine } from './simulated-machine.js';

export interface FaultShape {
  readonly kind: FaultKind;
  readonly sticky: boolean;
}

export const FAILING_ONCE: FaultShape = { kind: 'before', sticky: false };
export const FAILING_FOR_EVER: FaultShape = { kind: 'before', sticky: true };
export const LOSING_AN_ANSWER: FaultShape = { kind: 'lost answer', sticky: false };
export const DOING_HALF: FaultShape = { kind: 'short', sticky: true };

/**
 * Fails each call of a script, again and again with other errors until `faultsMin` faults were tried; after a third of them
 * the power goes, too. Returns how many were tried.
 */
export async function failEveryCall(
  script: CrashScript,
  shape: FaultShape,
  { stride = 1, faultsMin = 1 }: { stride?: number; faultsMin?: number } = {},
): Promise<number> {
  const prepared = await prepareDisk(script);
  const { calls } = await runOnMachine((session) => script.run(session), prepared.image, 2);
  const random = seededRandom(script.name.length);
  const judge = new DiskJudge();
  let cases = 0;
  for (let round = 0; cases < faultsMin; round++) {
    for (let at = 1; at <= calls; at += stride) {
      const errno = ERRNOS[(at + round) % ERRNOS.length];
      await tryFault(script, prepared, { ...shape, at, errno }, random, judge);
      cases += 1;
    }
  }
  return cases;
}

async function tryFault(
  script: CrashScript,
  { image, expected }: PreparedDisk,
  fault: CallFault,
  random: Random,
  judge: DiskJudge,
): Promise<void> {
  try {
    const { files, journal } = await runOnMachine((session) => script.run(session), image, 2, fault);
    ok(files.openFiles <= KEPT_OPEN, `${files.openFiles} files are still open`);
    const disk = new SimulatedDisk(image);
    for (const event of files.events) disk.apply(event);
    const left = random(3) === 0 ? disk.cut(random) : imageAfter(files, image);
    const entries = journal.map(({ entry }) => entry);
    await judge.expectSurvived(left, expectationOf(entries, expected));
  } catch (error) {
    throw new Error(`${script.name}, ${JSON.stringify(fault)}: ${String(error)}`, { cause: error });
  }
}

/** Files that a storage may keep open between reads. */
const KEPT_OPEN = 32;
