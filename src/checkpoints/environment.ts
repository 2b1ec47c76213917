/** What the engine takes from the outside world besides storage, so that tests can hand in their own. */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

export interface Environment {
  /** Milliseconds since 1970; used for records, progress and leases, never for safety. */
  now(): number;
  /** Returns `bytes` random bytes as hexadecimal digits. */
  randomHex(bytes: number): string;
  /** Resolves after that time, or as soon as the signal fires. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export const systemEnvironment: Environment = {
  now: () => Date.now(),
  randomHex: (bytes) => randomBytes(bytes).toString('hex'),
  sleep: async (milliseconds, signal) => {
    await delay(milliseconds, undefined, { signal }).catch((error: unknown) => {
      if (signal?.aborted !== true) throw error;
    });
  },
};
