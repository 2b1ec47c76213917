import { expect, test } from 'vitest';
import { quickRows, targetIds } from './benchmark-runs.js';

test('the benchmark of whole operations has a row for each of its targets', () => {
  const rows = quickRows('engine', '--gib', '0.004', '--rounds', '1');
  expect(rows.map(({ id }) => id).sort()).toEqual(targetIds('engine').sort());
});

test('the benchmark of sizes has a row for each of its targets', () => {
  const rows = quickRows('bytes');
  expect(rows.map(({ id }) => id).sort()).toEqual(targetIds('bytes').sort());
});
