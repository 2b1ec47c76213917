/**
 * Loaded into a process before its program: sends SIGINT to it at one of its file system calls, the next one that can wait
 * until the signal was seen; after two signals it never ends. Writes down how many calls there were.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { FaultGate } from './call-faults.js';
import { type FileCall, interceptFileCalls } from './file-calls.js';

/** Longer than two signals take to come. */
const FOREVER_MS = 60_000;

interface Order {
  readonly place: string;
  readonly at: number;
  readonly signals: number;
  readonly counted: string;
}

class InterruptingGate extends FaultGate {
  private readonly order: Order;
  private sent = false;

  constructor(order: Order) {
    super();
    this.order = order;
  }

  override async run(
    call: FileCall,
    args: unknown[],
    perform: (args: unknown[]) => Promise<unknown>,
  ): Promise<unknown> {
    const { at, signals } = this.order;
    if (this.sent || at === 0 || this.count + 1 < at) return super.run(call, args, perform);
    this.sent = true;
    // Waiting for a signal alone does not keep a process alive.
    const alive = setTimeout(() => {}, FOREVER_MS);
    for (let signal = 0; signal < signals; signal++) {
      const seen = once(process, 'SIGINT');
      process.kill(process.pid, 'SIGINT');
      await seen;
    }
    if (signals > 1) await new Promise(() => {});
    clearTimeout(alive);
    return super.run(call, args, perform);
  }
}

if (isMainThread) {
  const order = JSON.parse(process.env.INTERRUPTED ?? '') as Order;
  const gate = new InterruptingGate(order);
  interceptFileCalls(order.place, gate);
  process.on('exit', () => writeFileSync(order.counted, String(gate.count)));
}
