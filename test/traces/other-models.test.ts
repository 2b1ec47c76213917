/** One step apart, other architectures and optimizers than the shared traces have: the ratios hold there too. */
import { describe, expect, it } from 'vitest';
import { createStore, MemoryStorage } from '../../src/index.js';
import {
  amsgrad,
  classifier,
  factors,
  lazyAdam,
  lion,
  type Model,
  momentum,
  type Optimizer,
  recurrent,
  train,
} from './small-models.js';

describe('one step of models trained here is stored at', () => {
  const rows: [name: string, model: Model, optimizer: Optimizer, ratio: number][] = [
    ['a classifier with momentum', classifier(1), momentum(0.05, 0.9), 2.5],
    ['a recurrent network with momentum', recurrent(2), momentum(0.2, 0.9), 2.5],
    ['a recurrent network with Lion', recurrent(4), lion(1e-3, 0.1), 2.6],
    ['a classifier with amsgrad', classifier(5), amsgrad(1e-3, 0.1), 5],
    ['factors with row-sparse Adam', factors(7), lazyAdam(1e-2, 32), 120],
  ];
  it.each(rows)('%s', async (name, model, optimizer, ratio) => {
    const [before, after] = train(model, optimizer, 40);
    const run = (await createStore(new MemoryStorage())).run('r');
    await (await run.save(before)).committed;
    const { logicalBytes, storedBytes } = await (await run.save(after)).committed;
    console.log(`${name}: ${(logicalBytes / storedBytes).toFixed(3)}x (wanted ${ratio}x)`);
    expect(logicalBytes / storedBytes).toBeGreaterThanOrEqual(ratio);
    expect(await run.restore()).toEqual(after);
  });
});
