/** What the figures depend on: the machine, and what else it did meanwhile. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';

/** Statfs numbers of common file systems (Linux, include/uapi/linux/magic.h). */
const FILE_SYSTEMS = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0x794c7630, 'overlayfs'],
  [0x6969, 'nfs'],
  [0x2fc12fc1, 'zfs'],
]);

/** Clock ticks of /proc in a second: USER_HZ, the same on every Linux architecture that Node runs on. */
const TICKS = 100;

/** Foreign work, in cores, above which a run is flagged. */
const FOREIGN_CORES_MAX = 0.5;

/** Describes the machine; `folder` is where files are written. */
export function machine(folder) {
  const number = folder === undefined ? undefined : statfsSync(folder).type;
  return {
    node: process.version,
    v8: process.versions.v8,
    platform: `${process.platform} ${process.arch}`,
    system: release(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    fileSystem:
      number === undefined ? undefined : (FILE_SYSTEMS.get(number) ?? `type 0x${number.toString(16)}`),
    zstd: zstdVersion(),
  };
}

/** Version of the zstd command, or undefined where there is none. */
export function zstdVersion() {
  try {
    return /v(\d[\d.]*)/.exec(execFileSync('zstd', ['--version'], { encoding: 'utf8' }))?.[1];
  } catch {
    return undefined;
  }
}

/** Seconds of processor time of the children that have ended; undefined where the system does not say. */
function childSeconds() {
  try {
    const fields = readFileSync('/proc/self/stat', 'latin1').split(') ').at(-1).split(' ');
    return (Number(fields[13]) + Number(fields[14])) / TICKS;
  } catch {
    return undefined;
  }
}

/** Starts a clock; the function returned gives the share of a core, at most 1, that this process has had since then. */
export function watchShare() {
  return watch(() => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
}

/** The same of children that start and end in between. */
export function watchChildShare() {
  return childSeconds() === undefined ? () => 1 : watch(childSeconds);
}

function watch(processorSeconds) {
  const before = processorSeconds();
  const started = process.hrtime.bigint();
  return () => {
    const elapsed = Number(process.hrtime.bigint() - started) / 1e9;
    return Math.min(1, Math.max(0.01, (processorSeconds() - before) / elapsed));
  };
}

/** Seconds of processor time so far: of this process with its ended children, of the whole machine, and stolen from it. */
function processorTimes() {
  const { user, system } = process.cpuUsage();
  const own = (user + system) / 1e6;
  const children = childSeconds();
  if (children === undefined) return { own, busy: own, steal: 0 };
  try {
    const all = readFileSync('/proc/stat', 'latin1')
      .split('\n', 1)[0]
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number);
    const [userTime, nice, kernel, , , interrupts, softInterrupts, steal] = all;
    const busy = (userTime + nice + kernel + interrupts + softInterrupts) / TICKS;
    return { own: own + children, busy, steal: steal / TICKS };
  } catch {
    return { own, busy: own, steal: 0 };
  }
}

/** Starts to watch the load; the function returned gives cores in use since then, on average, and whether that is too much. */
export function watchLoad() {
  const before = processorTimes();
  const started = process.hrtime.bigint();
  return () => {
    const seconds = Math.max(0.001, Number(process.hrtime.bigint() - started) / 1e9);
    const after = processorTimes();
    const own = (after.own - before.own) / seconds;
    const other = Math.max(0, (after.busy - before.busy) / seconds - own);
    const steal = (after.steal - before.steal) / seconds;
    return { own, other, steal, loaded: other + steal > FOREIGN_CORES_MAX };
  };
}

/** Bytes that can be had without swapping. */
export function availableMemory() {
  try {
    return Number(/MemAvailable:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]) * 1024;
  } catch {
    return totalmem() / 2;
  }
}
