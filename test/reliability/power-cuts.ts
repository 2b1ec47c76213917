/** Power cuts on a simulated disk, between any two changes of it: what was not synced is torn, reordered or lost. */
import { expectationOf } from './crash-oracle.js';
import type { CrashScript } from './crash-scripts.js';
import { seededRandom } from './seeded-random.js';
import { SimulatedDisk } from './simulated-disk.js';
import { DiskJudge, prepareDisk, runOnMachine, type ScriptRun } from './simulated-machine.js';

export interface PowerCuts {
  readonly cuts: number;
  /** Different disks that were left, each opened and looked at. */
  readonly disks: number;
}

/** Runs a script once and cuts the power about `cuts` times, spread over all moments of it. */
export async function cutPower(script: CrashScript, cuts: number): Promise<PowerCuts> {
  const { image, expected } = await prepareDisk(script);
  const run = await runOnMachine((session) => script.run(session), image, 2);
  const { events } = run.files;
  const random = seededRandom(cuts);
  const judge = new DiskJudge();
  const disk = new SimulatedDisk(image);
  const each = Math.ceil(cuts / (events.length + 1));
  for (let at = 0; ; at++) {
    const after = expectationOf(journalUntil(run, at), expected);
    for (let cut = 0; cut < each; cut++) {
      const left = disk.cut(random);
      try {
        await judge.expectSurvived(left, after);
      } catch (error) {
        const message = `${script.name}, power cut after ${at} of ${events.length} changes: ${String(error)}`;
        throw new Error(message, { cause: error });
      }
    }
    if (at === events.length) return { cuts: each * (at + 1), disks: judge.disks };
    disk.apply(events[at]);
  }
}

/** What was begun before the change number `at` was made, and what was acknowledged by then. */
function journalUntil({ journal }: ScriptRun, at: number) {
  return journal.filter((line) => line.at <= at).map(({ entry }) => entry);
}
