/** Visits every state that a model can reach. */
import { createHash } from 'node:crypto';

export interface Search<S> {
  readonly states: number;
  /** The shortest way to a state that is wrong, and what is wrong with it. */
  readonly counterexample?: {
    readonly actions: readonly string[];
    readonly wrong: string;
    readonly state: S;
  };
}

type Next<S> = (state: S) => readonly { action: string; state: S }[];

/**
 * Breadth first, so that a counterexample is as short as can be. Throws beyond `statesMax` states. Of a state that was visited it
 * keeps a digest and how it was reached, some 100 bytes.
 */
export function visitAll<S>(
  first: S,
  next: Next<S>,
  wrongWith: (state: S) => string | undefined,
  statesMax = 2_000_000,
): Search<S> {
  const visited = new Set([digest(first)]);
  /** For each state the number of the one before it, and which of that one's transitions led here. */
  const cameFrom = [0];
  const choices = [0];
  let level = [first];
  for (let at = 0; level.length > 0; ) {
    const nextLevel: S[] = [];
    for (const state of level) {
      const wrong = wrongWith(state);
      if (wrong !== undefined) {
        const actions = wayTo(at, first, next, cameFrom, choices);
        return { states: visited.size, counterexample: { actions, wrong, state } };
      }
      for (const [choice, { state: after }] of next(state).entries()) {
        const known = visited.size;
        if (visited.add(digest(after)).size === known) continue;
        cameFrom.push(at);
        choices.push(choice);
        nextLevel.push(after);
      }
      if (visited.size > statesMax) throw new Error(`more than ${statesMax} states`);
      at++;
    }
    level = nextLevel;
  }
  return { states: visited.size };
}

function digest(state: unknown): string {
  return createHash('md5').update(JSON.stringify(state)).digest('base64');
}

function wayTo<S>(
  at: number,
  first: S,
  next: Next<S>,
  cameFrom: readonly number[],
  choices: readonly number[],
): string[] {
  const path: number[] = [];
  for (let index = at; index !== 0; index = cameFrom[index]) path.unshift(choices[index]);
  let state = first;
  return path.map((choice) => {
    const { action, state: after } = next(state)[choice];
    state = after;
    return action;
  });
}
