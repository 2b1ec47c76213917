import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/interop/**/*.interop.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    pool: 'forks',
    // The libraries use all cores themselves.
    maxWorkers: 2,
    // Names what is skipped.
    reporters: ['verbose'],
  },
});
