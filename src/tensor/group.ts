/** The groups of a checkpoint: what can be kept, dropped or restored apart. The order gives their ids in stores. */
export type Group = 'model' | 'optimizer' | 'scheduler' | 'rng' | 'loader' | 'extra';

export const GROUPS: readonly Group[] = ['model', 'optimizer', 'scheduler', 'rng', 'loader', 'extra'];
