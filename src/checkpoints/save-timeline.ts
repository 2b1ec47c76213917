import type { SavePhase } from './save-types.js';

/** Notes when the phases of a save begin and end; each begins where the one before ends, or later. */
export class SaveTimeline {
  private readonly now: () => number;
  private readonly start: number;
  private readonly noted: SavePhase[] = [];
  private open: { phase: SavePhase['phase']; beginMs: number } | undefined;

  /** Times count from now on. */
  constructor(now: () => number) {
    this.now = now;
    this.start = now();
  }

  begin(phase: SavePhase['phase']): void {
    this.end();
    this.open = { phase, beginMs: this.now() - this.start };
  }

  end(): void {
    if (this.open !== undefined) this.noted.push({ ...this.open, endMs: this.now() - this.start });
    this.open = undefined;
  }

  /** All that has ended, in order. */
  get phases(): SavePhase[] {
    return [...this.noted];
  }
}
