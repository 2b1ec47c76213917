import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { drawChangeMap, readChangeMap } from '../../src/cli/change-map.js';
import { createStore, MemoryStorage, type StateValue, type Store } from '../../src/index.js';
import { temporaryFolder } from './command-line.js';
import { run } from './in-process.js';

async function savedStore(states: StateValue[]): Promise<Store> {
  const store = await createStore(new MemoryStorage());
  for (const state of states) await (await store.run('r').save(state)).committed;
  return store;
}

function state(step: number, layers: number, value: number): StateValue {
  const block = {
    attn: { w: Float32Array.of(3, 4 + value), b: Float32Array.of(1) },
    mlp: Float32Array.of(1),
  };
  const blocks = Array.from({ length: layers }, () => block);
  return { model: { blocks }, progress: { step } };
}

describe('a map', () => {
  test('has the change of every tensor between neighbours, against the norm before', async () => {
    const store = await savedStore([state(1, 1, 0), state(2, 1, 1), state(4, 1, 1)]);
    const { rows, checkpoints } = await readChangeMap(store, ['r@step:1', 'r'], 'l2', {});
    expect(checkpoints.map(({ step }) => step)).toEqual([1, 2, 4]);
    expect(rows).toEqual([
      { label: 'model.blocks.0.attn.w', values: [1 / 5, 0] },
      { label: 'model.blocks.0.attn.b', values: [0, 0] },
      { label: 'model.blocks.0.mlp', values: [0, 0] },
    ]);
    const shares = await readChangeMap(store, ['r@step:1', 'r'], 'changed', { tensors: '*.w' });
    expect(shares.rows).toEqual([{ label: 'model.blocks.0.attn.w', values: [0.5, 0] }]);
  });

  test('puts hundreds of layers together by module', async () => {
    const store = await savedStore([state(1, 100, 0), state(2, 100, 1)]);
    const { rows } = await readChangeMap(store, ['r~1', 'r'], 'changed', {});
    expect(rows.length).toBe(100);
    expect(rows[7]).toEqual({ label: 'model.blocks.7', values: [0.25] });
    const many = await savedStore([state(1, 200, 0), state(2, 200, 1)]);
    expect((await readChangeMap(many, ['r~1', 'r'], 'changed', {})).rows).toEqual([
      { label: 'model.blocks', values: [0.25] },
    ]);
  });

  test('puts what has no modules together at the end', async () => {
    const flat = (value: number): StateValue => ({
      extra: Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`t${at}`, Float32Array.of(value)])),
    });
    const bare = async (): Promise<Store> => savedStore([flat(1), flat(2)]);
    const { rows } = await readChangeMap(await bare(), ['r~1', 'r'], 'changed', {});
    expect(rows).toEqual([{ label: 'extra', values: [1] }]);
  });

  test('goes along forks, and is of two checkpoints where neither is the ancestor', async () => {
    const store = await savedStore([state(1, 1, 0), state(2, 1, 1)]);
    await store.fork('r~1', 'side');
    await (await store.run('side').save(state(9, 1, 2))).committed;
    const runs = async (a: string): Promise<string[]> =>
      (await readChangeMap(store, [a, 'side'], 'l2', {})).checkpoints.map(
        ({ run, step }) => `${run} ${step}`,
      );
    expect(await runs('r~1')).toEqual(['r 1', 'side 1', 'side 9']);
    expect(await runs('r')).toEqual(['r 2', 'side 9']);
    await expect(readChangeMap(store, ['r', 'r'], 'l2', {})).rejects.toMatchObject({
      code: 'one-checkpoint',
    });
  });

  test('of a long run has even steps, the first and last among them', async () => {
    const store = await savedStore(Array.from({ length: 150 }, (_, step) => state(step, 1, step)));
    const map = await readChangeMap(store, ['r@step:0', 'r'], 'l2', {});
    expect(map.checkpoints.length).toBe(121);
    expect([map.checkpoints[0].step, map.checkpoints.at(-1)?.step]).toEqual([0, 149]);
    expect(drawChangeMap(map)).toContain('121 of 150 checkpoints');
  });

  test('of what changed from zero is drawn, and the same bytes every time', async () => {
    const zeros = { model: { w: new Float32Array(4) } };
    const store = await savedStore([zeros, { model: { w: Float32Array.of(1, 2, 3, 4) } }]);
    const map = await readChangeMap(store, ['r~1', 'r'], 'l2', {});
    expect(map.rows[0].values).toEqual([Number.POSITIVE_INFINITY]);
    expect(drawChangeMap(map)).toBe(drawChangeMap(await readChangeMap(store, ['r~1', 'r'], 'l2', {})));
    expect(drawChangeMap(map)).toContain('from zero');
  });
});

test('diff --svg and plot write files, and say so', async () => {
  const folder = await temporaryFolder();
  const location = join(folder, 'store');
  const store = await createStore(location);
  for (const step of [1, 2]) {
    const saved = { ...(state(step, 2, step) as object), metrics: { loss: 1 / step } };
    await (await store.run('r').save(saved)).committed;
  }
  await store.close();
  const map = join(folder, 'map.svg');
  const drawn = await run(['diff', 'r~1', 'r', '--svg', map, '--store', location]);
  expect(drawn.stdout).toMatch(/^drew .*map\.svg: 6 rows over 2 checkpoints, /);
  const chart = join(folder, 'chart.svg');
  const plotted = await run(['plot', 'r', '--metric', 'loss', '--svg', chart, '--store', location, '--json']);
  expect(JSON.parse(plotted.stdout)).toEqual({ svg: chart, run: 'r', metrics: ['loss'], checkpoints: 2 });
  for (const file of [map, chart]) expect(await readFile(file, 'utf8')).toMatch(/^<svg xmlns=.*<\/svg>\n$/s);
  expect((await run(['plot', 'r', '--metric', 'acc', '--svg', chart, '--store', location])).code).toBe(3);
});
