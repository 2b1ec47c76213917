/** How the benchmarks open a store: only what was asked for, everything else by default. */
export function storeOptions({ workers, base } = {}) {
  const options = workers === undefined ? {} : { workers };
  return base === 'disk' ? { ...options, baseMemory: 0 } : options;
}
