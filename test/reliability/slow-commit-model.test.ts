/** The long run of commit-model.test.ts, where the parts of the protocol are left out. */
import { expect, test } from 'vitest';
import { firstState, type ModelState, transitions, violation, WHOLE_PROTOCOL } from './commit-model.js';
import { visitAll } from './exhaustive-search.js';

const next = (state: ModelState) => transitions(state, WHOLE_PROTOCOL);

test.each([
  { actors: ['A', 'B', 'gc', 'gc2'] as const, statesMin: 700_000 },
  { actors: ['A', 'B', 'compact', 'gc'] as const, statesMin: 400_000 },
  { actors: ['A', 'compact', 'gc', 'gc2'] as const, statesMin: 700_000 },
  { actors: ['A', 'compact', 'compact2', 'gc'] as const, statesMin: 400_000 },
  { actors: ['A', 'compact', 'forget', 'gc', 'reader'] as const, statesMin: 300_000 },
  { actors: ['A', 'forget', 'gc', 'gc2', 'reader'] as const, statesMin: 600_000 },
  { actors: ['A', 'B', 'forget', 'gc', 'reader'] as const, statesMin: 400_000 },
])('$actors in every order: nothing that is live is gone', ({ actors, statesMin }) => {
  const { states, counterexample } = visitAll(firstState(actors), next, violation);
  expect(counterexample).toBeUndefined();
  expect(states).toBeGreaterThan(statesMin);
});
