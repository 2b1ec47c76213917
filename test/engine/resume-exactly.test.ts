import { expect, test } from 'vitest';
import { Network } from '../../fixtures/resume/network.js';
import { makeStore, openAgain } from './make-store.js';

const STEPS = 40;

function train(network: Network, steps: number): Network {
  while (network.step < steps) network.takeStep();
  return network;
}

test.each([1, 17, 39])(
  'a run that ended at step %i and went on ends with the same bits as one that did not',
  async (stop) => {
    const { store, storage } = await makeStore();
    const stopped = train(new Network(STEPS), stop);
    await (await store.run('r').save(stopped.state())).committed;
    const next = new Network(STEPS);
    const resumed = await (await openAgain(storage)).run('r').resume({ into: next.state() });
    next.goOnFrom(resumed?.state as ReturnType<Network['state']>);
    expect(train(next, STEPS).state()).toEqual(train(new Network(STEPS), STEPS).state());
    expect(next.state().metrics.loss).toBeLessThan(2.2);
  },
);
