/** Collects what a check finds damaged: each fault once, with the checkpoints that depend on it. */
import type { Damage } from '../checkpoints/index.js';
import { isThetalogError, type ThetalogError } from '../errors.js';

/** A live checkpoint as damage reports name it. */
export type Dependent = Damage['checkpoints'][number];

interface Fault {
  damage: Omit<Damage, 'checkpoints'>;
  dependents: Map<string, Dependent>;
}

export class DamageLog {
  private readonly faults = new Map<string, Fault>();

  /** Records a fault, or adds dependents to the one that is on record: object, offset and code tell faults apart. */
  record(error: ThetalogError, dependents: readonly Dependent[]): void {
    const { code, message } = error;
    const object = error.object ?? 'the store';
    const offset = error.offset ?? null;
    const key = JSON.stringify([object, offset, code]);
    const fault = this.faults.get(key) ?? {
      damage: { object, offset, code, message },
      dependents: new Map<string, Dependent>(),
    };
    this.faults.set(key, fault);
    for (const dependent of dependents) fault.dependents.set(`${dependent.run} ${dependent.id}`, dependent);
  }

  /**
   * Returns what `look` returns; if it meets damage, records that and returns undefined. Failures of the storage and
   * aborts are thrown on.
   */
  async guard<T>(dependents: readonly Dependent[], look: () => Promise<T> | T): Promise<T | undefined> {
    try {
      return await look();
    } catch (error) {
      this.record(asDamage(error), dependents);
      return undefined;
    }
  }

  /** Returns whether any fault has this code. */
  has(code: string): boolean {
    return [...this.faults.values()].some(({ damage }) => damage.code === code);
  }

  /** Returns the faults in the order in which they were found. */
  report(): Damage[] {
    return [...this.faults.values()].map(({ damage, dependents }) => ({
      ...damage,
      checkpoints: [...dependents.values()],
    }));
  }
}

/** Returns an error that says that stored bytes cannot be read; throws any other one. */
export function asDamage(error: unknown): ThetalogError {
  if (isThetalogError(error, 'corrupt', 'unsupported')) return error;
  throw error;
}
