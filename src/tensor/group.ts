/** The groups of a checkpoint: what can be kept, dropped or restored apart. The order gives their ids in stores. */
export type Group = 'model' | 'optimizer' | 'scheduler' | 'rng' | 'loader' | 'extra';

export const GROUPS: readonly Group[] = ['model', 'optimizer', 'scheduler', 'rng', 'loader', 'extra'];

/** The group of a value of a state: the key at the top of its path, if that is the name of one. */
export function groupOfPath(path: readonly string[]): Group {
  return GROUPS.find((group) => group === path[0]) ?? 'extra';
}
