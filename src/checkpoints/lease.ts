/** A writer's lease: spares its objects from gc while it is alive. Only liveness depends on it, never safety. */
import { encodeLease, objectKey } from '../format/index.js';
import type { ObjectWriter } from '../packs/index.js';
import type { StoreContext } from './context.js';

/** How long a writer that was killed keeps its garbage from gc. */
export const LEASE_MS = 10 * 60_000;

export class WriterLease {
  private readonly context: StoreContext;
  private readonly objects: ObjectWriter;
  private key: string | undefined;
  private expiresAt = 0;

  constructor(context: StoreContext, objects: ObjectWriter) {
    this.context = context;
    this.objects = objects;
  }

  /** Takes or renews the lease if half of it has passed; cheap to call often. */
  async keep(): Promise<void> {
    const { environment, hasher, storage } = this.context;
    const now = environment.now();
    if (now < this.expiresAt - LEASE_MS / 2) return;
    this.expiresAt = now + LEASE_MS;
    const previous = this.key;
    this.key = objectKey('leases', this.objects.newName());
    const lease = encodeLease(hasher, { attempt: this.objects.attempt, expiresAt: this.expiresAt });
    await storage.putIfAbsent(this.key, [lease]);
    if (previous !== undefined) await storage.delete(previous);
  }

  /** Gives the lease back; a failure to do so only delays gc. */
  async release(): Promise<void> {
    if (this.key === undefined) return;
    await this.context.storage.delete(this.key).catch(() => {});
    this.key = undefined;
  }
}
