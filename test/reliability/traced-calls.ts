/**
 * Real processes under strace: killed before the n-th system call of a kind, or told that it failed, or that it wrote what it
 * did not. strace counts for each thread, so the process has one thread for files.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildModule } from './built-modules.js';
import { expectationOf, expectSurvived } from './crash-oracle.js';
import type { CrashScript } from './crash-scripts.js';
import { type PreparedScript, prepareScript, readJournal } from './prepared-script.js';
import { scratchDirectory } from './scratch-folder.js';

const READING = ['openat', 'read', 'pread64', 'preadv', 'statx', 'getdents64', 'close'];
const WRITING = [
  'write',
  'writev',
  'pwrite64',
  'pwritev',
  'mkdir',
  'link',
  'unlink',
  'rename',
  'rmdir',
  'ftruncate',
];
const SYNCING = ['fsync', 'fdatasync'];

/** What happens at a call, in the words of strace, and to which calls. */
export interface Injection {
  readonly inject: string;
  readonly calls: readonly string[];
}

export const KILLED: Injection = { inject: 'signal=KILL', calls: [...READING, ...WRITING, ...SYNCING] };
export const SYNC_FAILS: Injection = { inject: 'error=EIO', calls: SYNCING };
/** The call is not done and says that it wrote 20 bytes. Journals are written by `pwrite64`, objects are not. */
export const WRITE_LIES: Injection = { inject: 'retval=20', calls: ['write', 'writev'] };

/** How many points a script survived, or why none was tried. */
export type TracedCalls = { readonly points: number } | { readonly untried: string };

/** Does what the injection says at the calls of a script, all of them or `pointsMax` evenly spread, each in a process of its own. */
export async function injectAtCalls(
  script: CrashScript,
  injection: Injection,
  pointsMax = Number.POSITIVE_INFINITY,
): Promise<TracedCalls> {
  if (spawnSync('strace', ['-V']).status !== 0) return { untried: 'there is no strace' };
  const scratch = scratchDirectory();
  try {
    const tracing = new Tracing(script, scratch);
    const points = await tracing.points(injection);
    if (points.length === 0) return { untried: 'strace cannot attach to a process' };
    const stride = Math.max(1, points.length / pointsMax);
    let next = tracing.start();
    let tried = 0;
    for (let at = 0; at < points.length; at += stride) {
      const current = next;
      next = tracing.start();
      if (await tracing.tryPoint(current, injection, points[Math.floor(at)])) tried += 1;
    }
    next.child.kill('SIGKILL');
    return { points: tried };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The n-th call of a name on its thread. */
interface Point {
  readonly name: string;
  readonly n: number;
}

/** A process that waits to begin on a store of its own. */
interface Started {
  readonly child: ChildProcess;
  readonly place: string;
  readonly journal: string;
}

class Tracing {
  private readonly script: CrashScript;
  private readonly scratch: string;
  private readonly program: string;
  private prepared: PreparedScript | undefined;
  private started = 0;

  constructor(script: CrashScript, scratch: string) {
    this.script = script;
    this.scratch = scratch;
    this.program = buildModule(join(import.meta.dirname, 'traced-process.ts'), join(scratch, 'program'));
  }

  /** Runs the script and counts. */
  async points({ calls }: Injection): Promise<Point[]> {
    this.prepared = await prepareScript(this.script, this.scratch);
    const started = this.start();
    const { trace } = await this.run(started, calls, []);
    rmSync(started.place, { recursive: true });
    const counts = new Map<string, number>();
    const points = new Map<string, Point>();
    for (const [line, thread, name] of trace.matchAll(/^(\d+) +(\w+)\(.*$/gm)) {
      const n = (counts.get(`${thread} ${name}`) ?? 0) + 1;
      counts.set(`${thread} ${name}`, n);
      if (line.includes(started.place) && calls.includes(name)) points.set(`${name} ${n}`, { name, n });
    }
    return [...points.values()];
  }

  /** A process takes longer to start than to run a script, so it is started ahead. */
  start(): Started {
    const place = join(this.scratch, `place-${this.started++}`);
    const journal = `${place}.journal`;
    cpSync(this.prepared?.template ?? '', place, { recursive: true });
    mkdirSync(`${place}/folder`, { recursive: true });
    const child = spawn(process.execPath, [this.program, this.script.name, place, journal], {
      env: { ...process.env, UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' },
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    return { child, place, journal };
  }

  /** Returns whether the point came up; counts differ a little from run to run. */
  async tryPoint(started: Started, { inject, calls }: Injection, { name, n }: Point): Promise<boolean> {
    const { place, journal } = started;
    try {
      const { trace, signal } = await this.run(started, calls, ['-e', `inject=${name}:${inject}:when=${n}`]);
      expectNoneReused(trace);
      const after = expectationOf(readJournal(journal), this.prepared?.expected);
      await expectSurvived(`${place}/store`, `${place}/folder`, after);
      rmSync(place, { recursive: true });
      return signal === 'SIGKILL' || isInjected(trace, place);
    } catch (error) {
      throw new Error(`${this.script.name}, ${name} ${n} ${inject}: ${String(error)}`, { cause: error });
    }
  }

  private async run(
    { child, place }: Started,
    calls: readonly string[],
    options: string[],
  ): Promise<{ trace: string; signal: string | null }> {
    const ended = once(child, 'close');
    const output = `${place}.trace`;
    const traced = calls.filter((name) => !SYNCING.includes(name)).concat(SYNCING, 'link');
    const args = ['-f', '-y', '-s', '0', '-e', `trace=${traced.join()}`, ...options, '-o', output];
    const tracer = spawn('strace', [...args, '-p', String(child.pid)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const traceEnded = once(tracer, 'close');
    await Promise.race([once(tracer.stderr, 'data'), traceEnded]);
    // A call of a process that waits may be the one that ends it: it cannot be told to begin.
    child.stdin?.on('error', () => undefined);
    child.stdin?.write('begin\n');
    const [, signal] = (await ended) as [number | null, string | null];
    await traceEnded;
    const trace = existsSync(output) ? readFileSync(output, 'utf8') : '';
    rmSync(output, { force: true });
    return { trace, signal };
  }
}

/** Processes also write to themselves, to wake a thread. */
function isInjected(trace: string, place: string): boolean {
  return trace.split('\n').some((line) => line.includes(place) && line.includes('(INJECTED)'));
}

/** What a failed sync could not write is not made an object by another sync. */
function expectNoneReused(trace: string): void {
  for (const [, path] of trace.matchAll(/\bfd?a?t?a?sync\(\d+<(.*)>\) += -1 EIO.*INJECTED/g)) {
    if (path.includes('/tmp/') && trace.includes(`link("${path}"`))
      throw new Error(`${path} was linked although its sync failed`);
  }
}
