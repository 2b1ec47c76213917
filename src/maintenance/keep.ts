/** Makes retention policies: plain data, OR-ed wherever several are given. */
import type { KeepPolicy } from '../checkpoints/index.js';
import type { Group } from '../tensor/index.js';

/** The constructors of policies; `KeepRule` says what each wants. */
interface Keep {
  last(count: number): KeepPolicy;
  best(metric: string, mode?: 'min' | 'max', count?: number): KeepPolicy;
  every(interval: number): KeepPolicy;
  everySeconds(seconds: number): KeepPolicy;
  steps(steps: readonly number[]): KeepPolicy;
  logSpaced(): KeepPolicy;
}

/**
 * `keep.last(3)`, `keep.best('loss', 'min', 2)` (default: the one with the lowest), `keep.every(1000)`, `keep.everySeconds(3600)`,
 * `keep.steps([0, 512])`, `keep.logSpaced()`; the same after `keep.groups(['model'])` for only these groups.
 */
export const keep: Keep & { groups(groups: readonly Group[]): Keep } = {
  ...constructors({}),
  groups: (groups) => constructors({ groups: [...groups] }),
};

function constructors(part: { groups?: readonly Group[] }): Keep {
  return {
    last: (count) => ({ keep: 'last', count, ...part }),
    best: (metric, mode = 'min', count = 1) => ({ keep: 'best', metric, mode, count, ...part }),
    every: (interval) => ({ keep: 'every', interval, ...part }),
    everySeconds: (seconds) => ({ keep: 'every-seconds', seconds, ...part }),
    steps: (steps) => ({ keep: 'steps', steps: [...steps], ...part }),
    logSpaced: () => ({ keep: 'log-spaced', ...part }),
  };
}
