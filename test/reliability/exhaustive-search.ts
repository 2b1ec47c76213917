/** Visits every state that a model can reach. */

export interface Search<S> {
  readonly states: number;
  /** The shortest way to a state that is wrong, and what is wrong with it. */
  readonly counterexample?: {
    readonly actions: readonly string[];
    readonly wrong: string;
    readonly state: S;
  };
}

/** Breadth first, so that a counterexample is as short as can be. Throws beyond `statesMax` states. */
export function visitAll<S>(
  first: S,
  next: (state: S) => readonly { action: string; state: S }[],
  wrongWith: (state: S) => string | undefined,
  statesMax = 2_000_000,
): Search<S> {
  const cameFrom = new Map<string, { parent: string | undefined; action: string }>();
  const queue = [{ state: first, key: JSON.stringify(first) }];
  cameFrom.set(queue[0].key, { parent: undefined, action: '' });
  for (let at = 0; at < queue.length; at++) {
    const { state, key } = queue[at];
    const wrong = wrongWith(state);
    if (wrong !== undefined)
      return { states: queue.length, counterexample: { actions: wayTo(key, cameFrom), wrong, state } };
    for (const { action, state: after } of next(state)) {
      const afterKey = JSON.stringify(after);
      if (cameFrom.has(afterKey)) continue;
      cameFrom.set(afterKey, { parent: key, action });
      queue.push({ state: after, key: afterKey });
    }
    if (queue.length > statesMax) throw new Error(`more than ${statesMax} states`);
  }
  return { states: queue.length };
}

function wayTo(
  key: string,
  cameFrom: ReadonlyMap<string, { parent: string | undefined; action: string }>,
): string[] {
  const actions: string[] = [];
  for (let at = cameFrom.get(key); at?.parent !== undefined; at = cameFrom.get(at.parent))
    actions.unshift(at.action);
  return actions;
}
