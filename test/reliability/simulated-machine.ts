/** A machine with one simulated disk, on which a script runs; its file system calls may fail. */
import { createHash } from 'node:crypto';
import { type CallFault, FaultGate } from './call-faults.js';
import { type Expectation, expectationOf, expectSurvived } from './crash-oracle.js';
import type { CrashScript, JournalEntry, Session } from './crash-scripts.js';
import { interceptFileCalls } from './file-calls.js';
import { type DiskImage, SimulatedDisk } from './simulated-disk.js';
import { SimulatedFiles } from './simulated-files.js';

const MOUNT = '/simulated';
const LOCATION = `${MOUNT}/store`;
const FOLDER = `${MOUNT}/folder`;

/** What a run did: to the disk, and what it said about it. */
export interface ScriptRun {
  readonly files: SimulatedFiles;
  /** File system calls, counted. */
  readonly calls: number;
  /** Each with the number of disk events before it. */
  readonly journal: readonly { readonly entry: JournalEntry; readonly at: number }[];
}

/** A disk on which a script can begin. */
export interface PreparedDisk {
  readonly image: DiskImage;
  readonly expected: Expectation;
}

/** Runs a part of a script on a disk. */
export async function runOnMachine(
  part: (session: Session) => Promise<void>,
  image: DiskImage | undefined,
  seed: number,
  fault?: CallFault,
): Promise<ScriptRun> {
  const files = new SimulatedFiles(MOUNT, image);
  const journal: { entry: JournalEntry; at: number }[] = [];
  const failed = (call: { name: string; path: string }) => {
    if (call.name === 'sync' || call.name === 'datasync') files.loseWrites(call.path);
  };
  const gate = new FaultGate(fault, { failed });
  const release = interceptFileCalls(MOUNT, gate, files);
  const note = (entry: JournalEntry) => void journal.push({ entry, at: files.events.length });
  try {
    await part({ location: LOCATION, folder: FOLDER, seed, note });
  } finally {
    release();
  }
  return { files, calls: gate.count, journal };
}

/** Runs the preparation of a script. Everything that it wrote is durable. */
export async function prepareDisk(script: CrashScript): Promise<PreparedDisk> {
  const { files, journal } = await runOnMachine((session) => script.prepare(session), emptyImage(), 1);
  const image = imageAfter(files, emptyImage());
  return { image, expected: expectationOf(journal.map(({ entry }) => entry)) };
}

/** A disk with the user's folder and nothing else. */
function emptyImage(): DiskImage {
  const directories = new Map([
    [0, new Map([['folder', 1]])],
    [1, new Map<string, number>()],
  ]);
  return { key: 'empty', directories, files: new Map() };
}

/** What is on the disk if the power stays on. */
export function imageAfter(files: SimulatedFiles, before: DiskImage): DiskImage {
  const disk = new SimulatedDisk(before);
  for (const event of files.events) disk.apply(event);
  disk.syncAll();
  return disk.cut(() => 0);
}

/** Looks at disks; the same disk under the same expectation only once. */
export class DiskJudge {
  private readonly known = new Set<string>();

  /** How many different disks were opened. */
  get disks(): number {
    return this.known.size;
  }

  /** Opens what is on a disk and looks at everything (`expectSurvived`). */
  async expectSurvived(image: DiskImage, expected: Expectation): Promise<void> {
    const { created, must, may, hidden } = expected;
    const key = JSON.stringify([fingerprint(image), created, [...must], [...may], [...hidden]]);
    if (this.known.has(key)) return;
    this.known.add(key);
    await runOnMachine(() => expectSurvived(LOCATION, FOLDER, expected), image, 90);
  }
}

const fingerprints = new WeakMap<Uint8Array, string>();

function fingerprintOf(bytes: Uint8Array): string {
  const known = fingerprints.get(bytes) ?? createHash('md5').update(bytes).digest('base64');
  fingerprints.set(bytes, known);
  return known;
}

/** Of all paths and contents. Temporary files are never read: they count by their names without random digits. */
function fingerprint({ directories, files }: DiskImage): string {
  const lines: string[] = [];
  const visit = (node: number, path: string): void => {
    const bytes = files.get(node);
    const temporary = /^(.*\/tmp\/.*)\./.exec(path)?.[1];
    if (temporary !== undefined) lines.push(temporary);
    else lines.push(bytes === undefined ? path : `${path} ${fingerprintOf(bytes)}`);
    for (const [name, inner] of directories.get(node) ?? []) visit(inner, `${path}/${name}`);
  };
  visit(0, '');
  return createHash('md5').update(lines.sort().join('\n')).digest('base64');
}
