/**
 * The commit protocol (FORMAT.md, "Commit" and "Collection") as a model, small enough to visit every interleaving of two
 * writers, a collector and a reader. One step is one storage call; checks and sets of the root are one step, as is true of
 * the storage port.
 */

/** What can be left out, to see the checker find what it is for. */
export interface Protocol {
  /** The collector names what it will delete in the root and raises the epoch first; writers look at both. */
  readonly condemns: boolean;
  /** The root is replaced only if it is the one that was read. */
  readonly compares: boolean;
}

/** An object that a checkpoint needs: each has one of its own and one that it shares with its base. */
type ObjectName = string;

interface Root {
  readonly generation: number;
  readonly epoch: number;
  /** Live checkpoints and the objects that they need. */
  readonly live: Readonly<Record<string, readonly ObjectName[]>>;
  readonly condemned: readonly ObjectName[];
}

interface Actor {
  readonly step: string;
  /** The root as it was read last. */
  readonly seen?: Root;
  /** Epoch at the beginning. */
  readonly epoch?: number;
  /** Objects: those that a writer's checkpoint needs, or that a collector deletes or a reader reads. */
  readonly objects?: readonly ObjectName[];
  readonly restarts?: number;
}

export interface ModelState {
  readonly root: Root;
  readonly objects: readonly ObjectName[];
  readonly actors: Readonly<Record<string, Actor>>;
  readonly acknowledged: readonly string[];
}

/** One way on: who did what, and the state after. */
export interface Transition {
  readonly action: string;
  readonly state: ModelState;
}

const RESTARTS_MAX = 1;

export type ActorName = 'A' | 'B' | 'forget' | 'gc' | 'reader';

export const ALL_ACTORS: readonly ActorName[] = ['A', 'B', 'forget', 'gc', 'reader'];

/** A store with one checkpoint, which `forget` drops, and one object that nothing needs. `A` and `B` save. */
export function firstState(actors: readonly ActorName[]): ModelState {
  const steps = ALL_ACTORS.map((name) => [name, { step: actors.includes(name) ? 'begin' : 'done' }]);
  return {
    root: { generation: 0, epoch: 0, live: { old: ['O'] }, condemned: [] },
    objects: ['O', 'garbage'],
    actors: Object.fromEntries(steps),
    acknowledged: [],
  };
}

/** All steps that some actor can take. */
export function transitions(state: ModelState, protocol: Protocol): Transition[] {
  return [
    ...writer(state, 'A', protocol),
    ...writer(state, 'B', protocol),
    ...forget(state, protocol),
    ...collector(state, protocol),
    ...reader(state),
  ];
}

/** Returns what is wrong with a state, if anything. */
export function violation({ root, objects, actors, acknowledged }: ModelState): string | undefined {
  for (const [id, needed] of Object.entries(root.live)) {
    const missing = needed.find((name) => !objects.includes(name));
    if (missing !== undefined) return `${id} is live and ${missing} is gone`;
  }
  const lost = acknowledged.find((id) => root.live[id] === undefined);
  if (lost !== undefined) return `${lost} was acknowledged and is not live`;
  if (actors.reader.step === 'damaged') return 'a reader took collection for damage';
  return undefined;
}

function moved(state: ModelState, name: string, actor: Actor, change: Partial<ModelState> = {}): ModelState {
  return { ...state, ...change, actors: { ...state.actors, [name]: actor } };
}

/** Replaces the root: undefined if somebody else was first. */
function replaced(
  state: ModelState,
  seen: Root,
  next: Omit<Root, 'generation'>,
  protocol: Protocol,
): Root | undefined {
  if (protocol.compares && state.root.generation !== seen.generation) return undefined;
  return { ...next, generation: state.root.generation + 1 };
}

function writer(state: ModelState, name: string, protocol: Protocol): Transition[] {
  const actor = state.actors[name];
  const { seen = state.root, objects = [], restarts = 0 } = actor;
  const next = (action: string, to: Actor, change?: Partial<ModelState>) => [
    { action: `${name} ${action}`, state: moved(state, name, { restarts, ...to }, change) },
  ];
  const own = `${name}${restarts}`;
  switch (actor.step) {
    case 'begin': {
      const base = Object.values(state.root.live).at(-1) ?? [];
      const needed = [...new Set([...base.slice(0, 1), own])];
      return next('reads the root', { step: 'write', epoch: state.root.epoch, objects: needed });
    }
    case 'write':
      return next('writes its object', { ...actor, step: 'read' }, { objects: [...state.objects, own] });
    case 'read': {
      const changed = protocol.condemns && state.root.epoch !== actor.epoch;
      return next('reads the root again', {
        ...actor,
        step: changed ? 'check 0' : 'commit',
        seen: state.root,
      });
    }
    case 'commit': {
      const live = { ...seen.live, [name]: objects };
      const root = replaced(state, seen, { ...seen, live }, protocol);
      if (root === undefined) return next('was not the first', { ...actor, step: 'read', seen: undefined });
      return next('commits', { step: 'done' }, { root, acknowledged: [...state.acknowledged, name] });
    }
    case 'done':
    case 'gave up':
      return [];
    default: {
      const at = Number(actor.step.split(' ')[1]);
      const gone = seen.condemned.includes(objects[at]) || !state.objects.includes(objects[at]);
      if (gone && restarts >= RESTARTS_MAX) return next('gives up', { step: 'gave up' });
      if (gone) return next('starts over', { step: 'begin', restarts: restarts + 1 });
      const last = at === objects.length - 1;
      return next(`finds ${objects[at]}`, { ...actor, step: last ? 'commit' : `check ${at + 1}` });
    }
  }
}

function forget(state: ModelState, protocol: Protocol): Transition[] {
  const actor = state.actors.forget;
  if (actor.step === 'begin')
    return [
      {
        action: 'forget reads the root',
        state: moved(state, 'forget', { step: 'commit', seen: state.root }),
      },
    ];
  if (actor.step !== 'commit' || actor.seen === undefined) return [];
  const { old: _, ...live } = actor.seen.live;
  const root = replaced(state, actor.seen, { ...actor.seen, live }, protocol);
  const to = root === undefined ? { step: 'begin' } : { step: 'done' };
  return [{ action: 'forget drops old', state: moved(state, 'forget', to, root && { root }) }];
}

function collector(state: ModelState, protocol: Protocol): Transition[] {
  const actor = state.actors.gc;
  const { seen = state.root, objects = [] } = actor;
  const next = (action: string, to: Actor, change?: Partial<ModelState>) => [
    { action: `gc ${action}`, state: moved(state, 'gc', to, change) },
  ];
  switch (actor.step) {
    case 'begin':
      return next('reads the root', { step: 'list', seen: state.root });
    case 'list': {
      const needed = Object.values(seen.live).flat();
      const doomed = state.objects.filter((name) => !needed.includes(name));
      return next('lists objects', { step: protocol.condemns ? 'condemn' : 'delete', seen, objects: doomed });
    }
    case 'condemn': {
      const condemned = [...new Set([...seen.condemned, ...objects])];
      const root = replaced(state, seen, { ...seen, condemned, epoch: seen.epoch + 1 }, protocol);
      if (root === undefined) return next('was not the first', { step: 'begin' });
      return next('condemns', { step: 'delete', objects }, { root });
    }
    case 'delete': {
      if (objects.length === 0) return next('has deleted all', { step: protocol.condemns ? 'drop' : 'done' });
      const [name, ...rest] = objects;
      const left = state.objects.filter((other) => other !== name);
      return next(`deletes ${name}`, { ...actor, objects: rest }, { objects: left });
    }
    case 'drop':
      return next('reads the root to drop', { step: 'dropping', seen: state.root });
    case 'dropping': {
      const condemned = seen.condemned.filter((name) => state.objects.includes(name));
      const root = replaced(state, seen, { ...seen, condemned }, protocol);
      return next('drops', { step: root === undefined ? 'drop' : 'done' }, root && { root });
    }
    default:
      return [];
  }
}

/** Takes no lease: what it misses may have been collected, which a newer root tells. */
function reader(state: ModelState): Transition[] {
  const actor = state.actors.reader;
  const { seen = state.root, objects = [] } = actor;
  const next = (action: string, to: Actor) => [
    { action: `reader ${action}`, state: moved(state, 'reader', to) },
  ];
  if (actor.step === 'begin') {
    const wanted = Object.values(state.root.live).at(-1) ?? [];
    return next('reads the root', { step: 'reading', seen: state.root, objects: wanted });
  }
  if (actor.step === 'reading') {
    if (objects.length === 0) return next('has all', { step: 'done' });
    const [name, ...rest] = objects;
    if (state.objects.includes(name)) return next(`reads ${name}`, { ...actor, objects: rest });
    const newer = state.root.generation !== seen.generation;
    return next(`misses ${name}`, { step: newer ? 'begin' : 'damaged' });
  }
  return [];
}
