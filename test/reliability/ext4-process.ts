/**
 * A process with mounts of its own (unshare --mount) that cuts the power of an ext4 while scripts run on it, and looks at what
 * is left. However it ends, the system takes its mounts and loop devices with it; it ends when its input does.
 *
 * Arguments: script name, number of cuts, an empty directory, path of cut-power.py. Prints one line of JSON, an Ext4Cuts.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, cpSync, existsSync, fsyncSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectationOf, expectSurvived } from './crash-oracle.js';
import { Ext4Disk } from './ext4-disk.js';
import { type PreparedScript, prepareScript, readJournal, scriptNamed } from './prepared-script.js';
import { seededRandom } from './seeded-random.js';

const [name, cuts, directory, cutPower] = process.argv.slice(2);
/** About what a few calls take, so that the power also goes in the midst of one. */
const DELAY_MS_MAX = 3;
const STEPS_PER_MS = 100;

process.stdin.on('end', () => process.exit(1)).resume();
const children = new Set<ChildProcess>();
let mounted: Ext4Disk | undefined;
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  mounted?.release();
  rmSync(directory, { recursive: true, force: true });
});

/** Undefined where it cannot be mounted or cut, and an answer with the reason. */
async function workingDisk(): Promise<Ext4Disk | string> {
  try {
    const disk = new Ext4Disk(directory, cutPower);
    mounted = disk;
    disk.keep();
    disk.attach();
    const [synced, lost] = [join(disk.mount, 'synced'), join(disk.mount, 'lost')];
    writeFileSync(synced, 'synced');
    const file = openSync(synced, 'r');
    fsyncSync(file);
    closeSync(file);
    writeFileSync(lost, 'lost');
    await disk.cut(0);
    disk.detach();
    disk.attach();
    const works = existsSync(synced) && !existsSync(lost);
    disk.detach();
    disk.reset();
    return works ? disk : 'a cut of the power loses nothing here';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function cutOften(disk: Ext4Disk): Promise<void> {
  const prepared = await prepareScript(scriptNamed(name), directory);
  disk.attach();
  cpSync(prepared.template, disk.mount, { recursive: true });
  disk.detach();
  disk.keep();
  const random = seededRandom(prepared.calls);
  const total = Number(cuts);
  const moments = Array.from(
    { length: total },
    (_, index) => 1 + Math.floor((index * (prepared.calls + 1)) / total),
  );
  let next = startProcess(disk, moments[0], 0);
  for (const [index, at] of moments.entries()) {
    const current = next;
    if (index + 1 < total) next = startProcess(disk, moments[index + 1], index + 1);
    const delayMs = random(DELAY_MS_MAX * STEPS_PER_MS) / STEPS_PER_MS;
    try {
      await cutOnce(disk, current, delayMs, prepared);
    } catch (error) {
      const message = `${name}, power cut ${delayMs} ms after call ${at} of ${prepared.calls}: ${String(error)}`;
      throw new Error(message, { cause: error });
    }
  }
}

interface Running {
  readonly child: ChildProcess;
  readonly journal: string;
}

/** It waits until it is told to begin, as a process takes longer to start than to run a script. */
function startProcess(disk: Ext4Disk, at: number, index: number): Running {
  const journal = join(directory, `journal-${index}`);
  const program = join(import.meta.dirname, 'powerless-process.js');
  const child = spawn(process.execPath, [program, name, disk.mount, journal, String(at)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.add(child);
  child.on('close', () => children.delete(child));
  return { child, journal };
}

async function cutOnce(
  disk: Ext4Disk,
  { child, journal }: Running,
  delayMs: number,
  { expected }: PreparedScript,
): Promise<void> {
  disk.reset();
  disk.attach();
  const ended = once(child, 'close');
  child.stdin?.write('begin\n');
  if (child.stdout !== null) await Promise.race([once(child.stdout, 'data'), ended]);
  await disk.cut(delayMs);
  child.kill('SIGKILL');
  await ended;
  disk.detach();
  disk.attach();
  const after = expectationOf(readJournal(journal), expected);
  await expectSurvived(join(disk.mount, 'store'), join(disk.mount, 'folder'), after);
  disk.detach();
  rmSync(journal, { force: true });
}

const disk = await workingDisk();
if (typeof disk !== 'string') await cutOften(disk);
console.log(JSON.stringify(typeof disk === 'string' ? { untried: disk } : { cuts: Number(cuts) }));
process.exit(0);
