/** Gates that let file system calls fail, stop or lie at the n-th call. */
import type { FileCall, Gate } from './file-calls.js';

export const ERRNOS = ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE', 'EACCES', 'EROFS', 'EINTR', 'ESTALE'] as const;

/**
 * `before`: the call fails and does nothing. `lost answer`: it takes effect and fails. `short`: reads and writes do part of
 * what they were asked and say so; other calls are not touched. `hold`: the call never begins, nor does any later one, as if
 * the process had been stopped. `stall`: the call waits until it is told to go on, and then fails if there is an errno.
 */
export type FaultKind = 'before' | 'lost answer' | 'short' | 'hold' | 'stall';

export interface CallFault {
  readonly kind: FaultKind;
  /** The first call is 1. */
  readonly at: number;
  /** All later calls, too. */
  readonly sticky?: boolean;
  readonly errno?: string;
}

export interface GateEvents {
  /** Before anything else happens in a call. */
  counted?(call: FileCall): void;
  /** A call failed without effect. */
  failed?(call: FileCall): void;
  /** The call at which everything stops was reached. */
  held?(): void;
  /** A call waits for `resume`. */
  stalled?(resume: () => void): void;
}

/** The answer of a synchronous call after everything was stopped: it cannot wait. */
export class StoppedError extends Error {}

export class FaultGate implements Gate {
  /** Calls so far. */
  count = 0;
  private readonly fault: CallFault | undefined;
  private readonly events: GateEvents;
  private stopped = false;

  constructor(fault?: CallFault, events: GateEvents = {}) {
    this.fault = fault;
    this.events = events;
  }

  async run(
    call: FileCall,
    args: unknown[],
    perform: (args: unknown[]) => Promise<unknown>,
  ): Promise<unknown> {
    const fault = this.next(call);
    if (fault === undefined) return perform(args);
    if (fault.kind === 'hold') return this.stop();
    if (fault.kind === 'short') return perform(shortened(call, args));
    if (fault.kind === 'stall') await new Promise<void>((resume) => this.events.stalled?.(resume));
    if (fault.kind === 'stall' && fault.errno === undefined) return perform(args);
    if (happens(fault, call)) await perform(args);
    else this.events.failed?.(call);
    throw systemError(fault, call);
  }

  runSync(call: FileCall, args: unknown[], perform: (args: unknown[]) => unknown): unknown {
    const fault = this.next(call);
    if (fault === undefined) return perform(args);
    if (fault.kind === 'hold') {
      void this.stop();
      throw new StoppedError('stopped');
    }
    if (fault.kind === 'stall') return perform(args);
    if (fault.kind === 'short') return perform(shortened(call, args));
    if (happens(fault, call)) perform(args);
    else this.events.failed?.(call);
    throw systemError(fault, call);
  }

  private next(call: FileCall): CallFault | undefined {
    this.count += 1;
    this.events.counted?.(call);
    const { fault } = this;
    if (fault === undefined) return undefined;
    const sticky = fault.sticky === true || fault.kind === 'hold';
    return this.count === fault.at || (sticky && this.count > fault.at) ? fault : undefined;
  }

  private stop(): Promise<never> {
    if (!this.stopped) this.events.held?.();
    this.stopped = true;
    return new Promise(() => {});
  }
}

/** A file is closed even if closing it fails. */
function happens({ kind }: CallFault, { name }: FileCall): boolean {
  return kind === 'lost answer' || name.startsWith('close');
}

function systemError({ errno = 'EIO' }: CallFault, { name, path }: FileCall): Error {
  return Object.assign(new Error(`${errno}: injected, ${name} '${path}'`), { code: errno });
}

/** Arguments of a read or write that does about half. */
function shortened({ name }: FileCall, args: unknown[]): unknown[] {
  if (name === 'writev') {
    const [first, ...rest] = args[0] as Uint8Array[];
    return [rest.length > 0 ? [first] : [first.subarray(0, Math.ceil(first.length / 2))]];
  }
  const positional = /^(read|write)(Sync)?$/.test(name);
  const at = name.endsWith('Sync') ? 3 : 2;
  if (!positional || typeof args[at] !== 'number') return args;
  return args.with(at, Math.ceil((args[at] as number) / 2));
}
