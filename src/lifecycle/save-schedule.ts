/** When a periodic save is due. */
import { ThetalogError } from '../errors.js';
import type { RunOrigin } from './run-origin.js';

/** Intervals, OR-ed. */
export interface SaveInterval {
  /** Due at each multiple, and later where a multiple was jumped over. */
  steps?: number;
  /** The same for epochs, counted by how many are complete. */
  epochs?: number;
  /** Due when so much time has passed since the last save was begun, or since the manager was made. */
  seconds?: number;
  minutes?: number;
}

/** How far training has come. */
export interface TrainingProgress {
  step?: number | null;
  epoch?: number | null;
}

export class SaveSchedule {
  private readonly every: SaveInterval;
  private readonly origin: RunOrigin;
  private readonly now: () => number;
  private saved: TrainingProgress | undefined;
  private savedAt: number;

  /** Throws `invalid` for an interval that is not above 0. */
  constructor(every: SaveInterval, origin: RunOrigin, now: () => number) {
    for (const [name, value] of Object.entries(every)) {
      if (value !== undefined) assertInterval(`every.${name}`, value);
    }
    this.every = every;
    this.origin = origin;
    this.now = now;
    this.savedAt = now();
  }

  /**
   * Returns whether a save is due: since the last one (or the checkpoint that the run resumed from; else 0) training has come to
   * another interval. Where it has gone back to an earlier one, a save is due, too.
   */
  isDue({ step, epoch }: TrainingProgress): boolean {
    const from = this.saved ?? this.origin.checkpoint;
    const { steps, epochs, seconds = 0, minutes = 0 } = this.every;
    const interval = (seconds + minutes * 60) * 1000;
    return (
      isNext(step, from?.step, steps) ||
      isNext(epoch, from?.epoch, epochs) ||
      (interval > 0 && this.now() - this.savedAt >= interval)
    );
  }

  /** A save is begun, or passed over: the next one is due an interval later. */
  restart(progress: TrainingProgress): void {
    this.saved = progress;
    this.savedAt = this.now();
  }
}

function isNext(
  value: number | null | undefined,
  from: number | null | undefined,
  interval: number | undefined,
): boolean {
  if (interval === undefined || value === undefined || value === null) return false;
  return Math.floor(value / interval) !== Math.floor((from ?? 0) / interval);
}

/** Throws `invalid` unless the interval is above 0. */
export function assertInterval(name: string, value: number): void {
  if (Number.isFinite(value) && value > 0) return;
  const message = `${name} must be a number above 0.`;
  throw new ThetalogError('invalid', 'bad-interval', message, { object: name });
}
