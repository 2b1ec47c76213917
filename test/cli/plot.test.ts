/**
 * What a plot shows of a run. Seen to fail when checkpoints are not sorted by step, and when one without the metric is drawn at zero,
 * or one without a step at step zero.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createStore } from '../../src/index.js';
import { temporaryFolder } from './command-line.js';
import { run } from './in-process.js';

test('points go from step to step; checkpoints without the metric or without a step are left out', async () => {
  const folder = await temporaryFolder();
  const location = join(folder, 'store');
  const store = await createStore(location);
  const saves: { step?: number; metrics: Record<string, number> }[] = [
    { step: 30, metrics: { loss: 0.25 } },
    { step: 10, metrics: { loss: 1 } },
    { step: 20, metrics: { other: 7 } },
    { metrics: { loss: 9 } },
  ];
  const training = await store.run('r');
  for (const options of saves)
    await (await training.save({ model: { w: Float32Array.of(1, 2) } }, options)).committed;
  await store.close();
  const chart = join(folder, 'chart.svg');
  const { stdout } = await run(['plot', 'r', '--metric', 'loss', '--svg', chart, '--store', location]);
  expect(stdout).toContain('of 3 checkpoints');
  const drawn = await readFile(chart, 'utf8');

  const dots = [...drawn.matchAll(/<circle[^>]* cx="([\d.]+)" cy="([\d.]+)"[^>]*><title>([^<]*)</g)];
  expect(dots.map(([, , , title]) => title)).toEqual([
    expect.stringMatching(/10.*: loss 1$/),
    expect.stringMatching(/30.*: loss 0\.25$/),
  ]);
  const [first, last] = dots.map(([, x, y]) => ({ x: Number(x), y: Number(y) }));
  expect(last.x).toBeGreaterThan(first.x);
  expect(last.y).toBeGreaterThan(first.y);
  expect(drawn).toContain(`d="M${first.x} ${first.y}L${last.x} ${last.y}"`);

  const bars = [...drawn.matchAll(/<rect[^>]* x="([\d.]+)"[^>]*><title>/g)].map(([, x]) => Number(x));
  expect(bars).toHaveLength(3);
  expect(bars).toEqual(bars.toSorted((a, b) => a - b));
});
