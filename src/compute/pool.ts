/**
 * Worker threads that do jobs. They start when there is work worth it; where they cannot (the sources run as they are,
 * everything was put into one file, or the system refuses) or shall not, jobs are done on this thread. What comes out is the same.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { ThetalogError, throwIfAborted } from '../errors.js';
import { compiledKernels } from '../kernels/index.js';
import type { ChunkTools } from './chunk-jobs.js';
import { type Job, type JobKind, perform, type ResultOf } from './jobs.js';
import type { JobMessage, ResultMessage, WorkerData } from './messages.js';
import { fromPlainError } from './plain-error.js';

/** Work in bytes from which on starting threads, about 50 ms each, pays. */
const WORTH_THREADS_BYTES = 16 * 2 ** 20;
/** Jobs that a worker has at once, so that it never waits for the next. */
const JOBS_PER_WORKER = 2;
/** More threads than this only wait for memory. */
const WORKERS_MAX = 16;

/** Of a thread's heap: little of what a job makes outlives it, and by default a thread takes 10 MB more. */
const YOUNG_MB = 6;

/** Jobs on whole files: nothing waits behind one. */
const LONG_JOBS: readonly JobKind[] = ['digest', 'unpack', 'rebuild'];

/** Memory of a job that is not shared is copied, with ALL of the buffer of each view. */
export interface RunOptions {
  signal?: AbortSignal;
}

/** One thread, to which jobs are sent so that what it keeps for one is there for the next. */
export interface Lane {
  run<J extends Job>(job: J, options?: RunOptions): Promise<ResultOf<J>>;
}

interface Ticket {
  readonly job: Job;
  readonly options: RunOptions;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

interface Thread {
  readonly worker: Worker;
  readonly tickets: Map<number, Ticket>;
}

export class ComputePool {
  private readonly tools: ChunkTools;
  private readonly size: number;
  /** Threads that can be had: fewer once the system has refused one. */
  private room: number;
  private threads: Thread[] = [];
  private readonly queue: Ticket[] = [];
  private started = false;
  private counter = 0;

  /** `workers`: threads at most; 0 for none. Default: one for every core. */
  constructor(tools: ChunkTools, workers: number | undefined) {
    this.tools = tools;
    this.size = Math.min(WORKERS_MAX, workers ?? availableParallelism());
    this.room = this.size;
  }

  /** Whether jobs go to another thread, so that all that they fill must be shared. */
  get isThreaded(): boolean {
    return this.started;
  }

  /** Jobs that are worth having under way at once. */
  get width(): number {
    return this.started ? JOBS_PER_WORKER * this.size : 1;
  }

  /** Says that about so many bytes of work are coming; begins to start as many threads as are worth it. */
  expect(bytes: number): void {
    if (this.size === 0 || bytes < WORTH_THREADS_BYTES || !existsSync(workerPath())) return;
    this.started = true;
    const wanted = Math.floor(bytes / WORTH_THREADS_BYTES);
    while (this.threads.length < Math.min(this.room, wanted)) this.start();
  }

  /** Does a job; what it throws is thrown. A thread that dies is `unavailable`, and its jobs are lost. */
  async run<J extends Job>(job: J, options: RunOptions = {}): Promise<ResultOf<J>> {
    throwIfAborted(options.signal);
    if (!this.started) return this.runHere(job, options);
    return new Promise<ResultOf<J>>((resolve, reject) => {
      this.queue.push({ job, options, resolve: resolve as (result: unknown) => void, reject });
      this.dispatch();
    });
  }

  /** The threads that there are, or else this one. One that dies takes with it what it keeps, and its lane is `unavailable` from then on. */
  lanes(): Lane[] {
    if (this.started && this.threads.length === 0 && this.room > 0) this.start();
    if (this.threads.length === 0) return [{ run: (job, options = {}) => this.runHere(job, options) }];
    return this.threads.map((thread) => ({
      run: <J extends Job>(job: J, options: RunOptions = {}) =>
        new Promise<ResultOf<J>>((resolve, reject) => {
          const ticket = { job, options, resolve: resolve as (result: unknown) => void, reject };
          if (this.threads.includes(thread)) this.send(thread, ticket);
          else reject(workerLost('ended'));
        }),
    }));
  }

  /** Returns a name for memory that a thread is to keep: no other has it. */
  newKey(): number {
    return this.counter++;
  }

  /** Ends the threads; jobs under way are lost. The pool may be used again. */
  async close(): Promise<void> {
    this.started = false;
    this.room = this.size;
    const { threads } = this;
    this.threads = [];
    for (const { reject } of this.queue.splice(0)) reject(workerLost('was closed'));
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }

  private async runHere<J extends Job>(job: J, { signal }: RunOptions): Promise<ResultOf<J>> {
    await new Promise(setImmediate);
    throwIfAborted(signal);
    return perform(this.tools, job) as ResultOf<J>;
  }

  private dispatch(): void {
    while (this.queue.length > 0) {
      const thread = this.idlest();
      if (thread === undefined && this.threads.length > 0) return;
      const next = this.queue.shift();
      if (next === undefined) return;
      if (thread === undefined) this.runHere(next.job, next.options).then(next.resolve, next.reject);
      else this.send(thread, next);
    }
  }

  /** The thread with the fewest jobs, if it can take one more. */
  private idlest(): Thread | undefined {
    const [first] = [...this.threads].sort((a, b) => a.tickets.size - b.tickets.size);
    if (first !== undefined && first.tickets.size === 0) return first;
    if (this.threads.length < this.room) return this.start() ?? this.idlest();
    const isShort = ![...(first?.tickets.values() ?? [])].some(({ job }) => LONG_JOBS.includes(job.kind));
    return first !== undefined && isShort && first.tickets.size < JOBS_PER_WORKER ? first : undefined;
  }

  private send({ worker, tickets }: Thread, ticket: Ticket): void {
    const { job, options } = ticket;
    try {
      throwIfAborted(options.signal);
      const number = this.counter++;
      const message: JobMessage = { ticket: number, job };
      worker.postMessage(message);
      tickets.set(number, ticket);
      worker.ref();
    } catch (error) {
      ticket.reject(error);
    }
  }

  /** Undefined if the system refuses a thread. One keeps the process alive only while it has jobs. */
  private start(): Thread | undefined {
    const worker = newWorker();
    if (worker === undefined) {
      this.room = this.threads.length;
      return undefined;
    }
    const thread: Thread = { worker, tickets: new Map() };
    worker.on('message', (message: ResultMessage) => this.receive(thread, message));
    worker.on('error', (cause) => this.lose(thread, cause));
    worker.on('exit', () => this.lose(thread, undefined));
    // Last: listening for messages holds the process again, and a thread that never gets a job would hold it for ever.
    worker.unref();
    this.threads.push(thread);
    return thread;
  }

  private receive(thread: Thread, message: ResultMessage): void {
    const ticket = thread.tickets.get(message.ticket);
    thread.tickets.delete(message.ticket);
    if (thread.tickets.size === 0) thread.worker.unref();
    if ('error' in message) ticket?.reject(fromPlainError(message.error));
    else ticket?.resolve(message.result);
    this.dispatch();
  }

  private lose(thread: Thread, cause: unknown): void {
    this.threads = this.threads.filter((other) => other !== thread);
    const lost = [...thread.tickets.values()];
    thread.tickets.clear();
    for (const { reject } of lost) reject(workerLost('ended', cause));
    this.dispatch();
  }
}

/** Undefined if the system refuses a thread: no memory or no process is left (`EAGAIN`). */
function newWorker(): Worker | undefined {
  const workerData: WorkerData = { kernels: compiledKernels() };
  try {
    return new Worker(workerPath(), { workerData, resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } });
  } catch {
    return undefined;
  }
}

function workerPath(): string {
  return fileURLToPath(new URL('../compute/worker.js', import.meta.url));
}

function workerLost(how: string, cause?: unknown): ThetalogError {
  const reason = cause instanceof Error ? ` (${cause.message})` : '';
  const message = `A worker thread ${how} before its work was done${reason}.`;
  return new ThetalogError('unavailable', 'worker-lost', message, {
    cause,
    hint: 'Try again; with less memory to spare use fewer workers.',
  });
}
