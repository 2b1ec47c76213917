import { expect, test } from 'vitest';
import { ALL_ACTORS, firstState, transitions, violation } from './commit-model.js';
import { visitAll } from './exhaustive-search.js';

test('two writers, forget, gc and a reader in every order: nothing that is live is gone', () => {
  const protocol = { condemns: true, compares: true };
  const next = (state: ReturnType<typeof firstState>) => transitions(state, protocol);
  const { states, counterexample } = visitAll(firstState(ALL_ACTORS), next, violation);
  expect(counterexample).toBeUndefined();
  expect(states).toBeGreaterThan(400_000);
});
