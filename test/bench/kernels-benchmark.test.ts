import { expect, test } from 'vitest';
import { quickRows, targetIds } from './benchmark-runs.js';

test('the benchmark of the kernels has a row for each of its targets', () => {
  const rows = quickRows('kernels');
  expect(rows.map(({ id }) => id).sort()).toEqual(targetIds('kernels').sort());
  for (const { id, reached, skipped } of rows) expect(reached ?? skipped, id).toBeDefined();
});
