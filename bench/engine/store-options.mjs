/** How the benchmarks open a store: only what was asked for, everything else by default. */
export function storeOptions({ workers } = {}) {
  return workers === undefined ? {} : { workers };
}
