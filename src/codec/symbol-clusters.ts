/** Whether the lanes of a block that differ keep together, told by a sample of their symbols. */

/** Lanes that are looked at, of each so many. */
const CLUSTER_LANES = 128;
const CLUSTER_STRIDE = 1024;
/** Neighbours that both differ, against the number that chance would make, and a few for small numbers. */
const CLUSTER_FACTOR = 1.5;
const CLUSTER_SLACK = 8;

/** Returns whether symbols that are not 0 are neighbours far more often than by chance. */
export function isClustered(symbols: Uint8Array): boolean {
  let taken = 0;
  let changes = 0;
  let pairs = 0;
  for (let start = 0; start + CLUSTER_LANES < symbols.length; start += CLUSTER_STRIDE) {
    for (let lane = start; lane < start + CLUSTER_LANES; lane++) {
      if (symbols[lane] === 0) continue;
      changes++;
      if (symbols[lane + 1] !== 0) pairs++;
    }
    taken += CLUSTER_LANES;
  }
  return pairs > CLUSTER_SLACK + (CLUSTER_FACTOR * changes * changes) / taken;
}
