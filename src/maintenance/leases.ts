/** The leases of a store: which writers are, as far as one can tell, still at work. */
import type { StoreContext } from '../checkpoints/index.js';
import { attemptOf, decodeLease } from '../format/index.js';

export interface Leases {
  /** Attempts whose lease has not run out. */
  readonly alive: ReadonlySet<string>;
  /** Keys of leases that have, or that are damaged. */
  readonly expired: ReadonlySet<string>;
}

/**
 * Reads all leases. Objects are to be listed before: whoever wrote a listed object took its lease earlier, and if that is gone,
 * the writer has ended, and has removed what it did not commit.
 */
export async function readLeases(context: StoreContext): Promise<Leases> {
  const alive = new Set<string>();
  const expired = new Set<string>();
  const now = context.environment.now();
  for await (const { key } of context.storage.list('leases/')) {
    const attempt = attemptOf(key);
    const bytes = await context.storage.get(key);
    if (bytes === undefined || attempt === undefined) continue;
    if (isAlive(context, bytes, key, now)) alive.add(attempt);
    else expired.add(key);
  }
  return { alive, expired };
}

function isAlive(context: StoreContext, bytes: Uint8Array, key: string, now: number): boolean {
  try {
    return decodeLease(context.hasher, bytes, key).expiresAt > now;
  } catch {
    return false;
  }
}
