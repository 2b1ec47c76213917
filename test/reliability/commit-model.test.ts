/** The model with a part of the protocol left out shows that the search finds what is wrong. */
import { expect, test } from 'vitest';
import { type ActorName, firstState, type Protocol, transitions, violation } from './commit-model.js';
import { visitAll } from './exhaustive-search.js';

const WHOLE: Protocol = { condemns: true, compares: true };

function search(protocol: Protocol, actors: readonly ActorName[]) {
  return visitAll(firstState(actors), (state) => transitions(state, protocol), violation);
}

test.each([
  { actors: ['A', 'B', 'gc'] as const, statesMin: 2_000 },
  { actors: ['A', 'forget', 'gc', 'reader'] as const, statesMin: 2_000 },
])('$actors in every order: nothing that is live is gone', ({ actors, statesMin }) => {
  const { states, counterexample } = search(WHOLE, actors);
  expect(counterexample).toBeUndefined();
  expect(states).toBeGreaterThan(statesMin);
});

test('without condemnation gc deletes what a save commits meanwhile', () => {
  const { counterexample } = search({ ...WHOLE, condemns: false }, ['A', 'gc']);
  expect(counterexample?.wrong).toBe('A is live and A0 is gone');
  expect(counterexample?.actions).toEqual([
    'A reads the root',
    'A writes its object',
    'A reads the root again',
    'gc reads the root',
    'A commits',
    'gc lists objects',
    'gc deletes garbage',
    'gc deletes A0',
  ]);
});

test('without compare-and-set a save is lost', () => {
  const { counterexample } = search({ ...WHOLE, compares: false }, ['A', 'forget']);
  expect(counterexample?.wrong).toBe('A was acknowledged and is not live');
});
