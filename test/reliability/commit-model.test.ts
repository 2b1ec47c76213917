/** The model with a part of the protocol left out shows that the search finds what is wrong. */
import { expect, test } from 'vitest';
import {
  type ActorName,
  firstState,
  type Protocol,
  transitions,
  violation,
  WHOLE_PROTOCOL,
} from './commit-model.js';
import { visitAll } from './exhaustive-search.js';

function search(actors: readonly ActorName[], protocol: Protocol = WHOLE_PROTOCOL) {
  return visitAll(firstState(actors), (state) => transitions(state, protocol), violation);
}

test.each([
  { actors: ['A', 'B', 'gc'] as const, statesMin: 5_000 },
  { actors: ['A', 'forget', 'gc', 'reader'] as const, statesMin: 6_000 },
  { actors: ['A', 'gc', 'gc2'] as const, statesMin: 7_000 },
  { actors: ['A', 'compact', 'gc', 'reader'] as const, statesMin: 40_000 },
])('$actors in every order: nothing that is live is gone', ({ actors, statesMin }) => {
  const { states, counterexample } = search(actors);
  expect(counterexample).toBeUndefined();
  expect(states).toBeGreaterThan(statesMin);
});

test('without condemnation gc deletes what a save commits meanwhile', () => {
  const { counterexample } = search(['A', 'gc'], { ...WHOLE_PROTOCOL, condemns: false });
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
  const { counterexample } = search(['A', 'forget'], { ...WHOLE_PROTOCOL, compares: false });
  expect(counterexample?.wrong).toBe('A was acknowledged and is not live');
});

test('gc that condemns what it planned on a root that was replaced deletes what a save committed', () => {
  const { counterexample } = search(['A', 'gc'], { ...WHOLE_PROTOCOL, replans: false });
  expect(counterexample?.wrong).toBe('A is live and A0 is gone');
});

test('a second gc that trusts a lease takes what the first is about to delete off the list', () => {
  const { counterexample } = search(['A', 'gc', 'gc2'], { ...WHOLE_PROTOCOL, finishes: false });
  expect(counterexample?.wrong).toBe('A is live and A0 is gone');
  expect(counterexample?.actions).toEqual([
    'A reads the root',
    'A writes its object',
    'gc reads the root',
    'gc lists objects',
    'gc condemns',
    'gc deletes garbage',
    'gc2 reads the root',
    'gc2 lists objects and leases',
    'gc2 reads the root to drop',
    'gc2 drops',
    'A reads the root again',
    'A finds O',
    'A finds A0',
    'A commits',
    'gc deletes A0',
  ]);
});

test('a second gc that condemns under the epoch of the first deletes what a save began after the first commits', () => {
  const { counterexample } = search(['A', 'gc', 'gc2'], { ...WHOLE_PROTOCOL, raises: false });
  expect(counterexample?.wrong).toBe('A is live and A0 is gone');
  expect(counterexample?.actions.indexOf('A reads the root')).toBe(3);
});

test('a compaction that does not look at the epoch again commits what gc condemned meanwhile', () => {
  const { counterexample } = search(['compact', 'gc'], { ...WHOLE_PROTOCOL, compactionLooks: false });
  expect(counterexample?.wrong).toBe('old is live and compact0 is gone');
  expect(counterexample?.actions).toEqual([
    'compact reads the root',
    'compact writes its object',
    'gc reads the root',
    'gc lists objects',
    'gc condemns',
    'compact reads the root again',
    'compact commits',
    'gc deletes garbage',
    'gc deletes compact0',
  ]);
});
