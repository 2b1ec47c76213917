/**
 * The commit protocol (FORMAT.md, "Commit", "Collection" and "Compaction") as a model, small enough to visit every interleaving
 * of a few writers, compactions, collectors and readers. One step is one storage call; checks and sets of the root are one
 * step, as is true of the storage port. An actor that is killed is one that takes no further step.
 */

/** What can be left out, to see the checker find what it is for. */
export interface Protocol {
  /** The collector names what it will delete in the root and raises the epoch first; writers look at both. */
  readonly condemns: boolean;
  /** The root is replaced only if it is the one that was read. */
  readonly compares: boolean;
  /** Each condemnation raises the epoch, also where another collector has one under way. */
  readonly raises: boolean;
  /** What another collector condemned is deleted before it leaves the list, whatever leases say. */
  readonly finishes: boolean;
  /** A collector that was not the first to replace the root plans anew. */
  readonly replans: boolean;
  /** Compactions look at the epoch before they commit. */
  readonly compactionLooks: boolean;
}

export const WHOLE_PROTOCOL: Protocol = {
  condemns: true,
  compares: true,
  raises: true,
  finishes: true,
  replans: true,
  compactionLooks: true,
};

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
  /** What a collector takes off the list of condemned objects. */
  readonly dropped?: readonly ObjectName[];
  /** The checkpoint that is compacted, and what it needed then. */
  readonly compacted?: { readonly id: string; readonly from: readonly ObjectName[] };
  readonly restarts?: number;
}

export interface ModelState {
  readonly root: Root;
  readonly objects: readonly ObjectName[];
  readonly actors: Readonly<Record<string, Actor | undefined>>;
  readonly acknowledged: readonly string[];
}

/** One way on: who did what, and the state after. */
export interface Transition {
  readonly action: string;
  readonly state: ModelState;
}

const RESTARTS_MAX = 1;

const WRITERS = ['A', 'B'] as const;
const COMPACTIONS = ['compact', 'compact2'] as const;
const COLLECTORS = ['gc', 'gc2'] as const;

export type ActorName =
  | (typeof WRITERS)[number]
  | (typeof COMPACTIONS)[number]
  | (typeof COLLECTORS)[number]
  | 'forget'
  | 'reader';

/** What earlier saves wrote, whose leases are gone. */
const FIRST_OBJECTS: readonly ObjectName[] = ['O', 'garbage'];

/** A store with one checkpoint, which `forget` drops, and one object that nothing needs. `A` and `B` save. */
export function firstState(actors: readonly ActorName[]): ModelState {
  return {
    root: { generation: 0, epoch: 0, live: { old: ['O'] }, condemned: [] },
    objects: FIRST_OBJECTS,
    actors: Object.fromEntries(actors.map((name) => [name, { step: 'begin' }])),
    acknowledged: [],
  };
}

/** All steps that some actor can take. */
export function transitions(state: ModelState, protocol: Protocol): Transition[] {
  return [
    ...WRITERS.flatMap((name) => publisher(state, name, protocol, SAVE)),
    ...COMPACTIONS.flatMap((name) => publisher(state, name, protocol, COMPACTION)),
    ...COLLECTORS.flatMap((name) => collector(state, name, protocol)),
    ...forget(state, protocol),
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
  if (actors.reader?.step === 'damaged') return 'a reader took collection for damage';
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

/** What a save and a compaction do differently. */
interface Publication {
  /** What is to be published, as planned on a root; undefined if nothing is. `own` is the object that will be written. */
  plan(root: Root, own: ObjectName): Pick<Actor, 'objects' | 'compacted'> | undefined;
  /** The checkpoints after it, undefined if nothing changes. */
  publish(live: Root['live'], name: string, actor: Actor): Root['live'] | undefined;
  readonly acknowledges: boolean;
  looks(protocol: Protocol): boolean;
}

const SAVE: Publication = {
  plan(root, own) {
    const base = Object.values(root.live).at(-1) ?? [];
    return { objects: [...new Set([...base.slice(0, 1), own])] };
  },
  publish: (live, name, { objects = [] }) => ({ ...live, [name]: objects }),
  acknowledges: true,
  looks: ({ condemns }) => condemns,
};

/** Writes what the newest checkpoint shares with others anew, and repoints it if it is still as it was. */
const COMPACTION: Publication = {
  plan(root, own) {
    const newest = Object.entries(root.live).at(-1);
    if (newest === undefined) return undefined;
    const [id, from] = newest;
    return { compacted: { id, from }, objects: [own, ...from.slice(1)] };
  },
  publish(live, _name, { compacted, objects = [] }) {
    if (compacted === undefined || live[compacted.id]?.join() !== compacted.from.join()) return undefined;
    return { ...live, [compacted.id]: objects };
  },
  acknowledges: false,
  looks: ({ condemns, compactionLooks }) => condemns && compactionLooks,
};

/** Writes an object and makes it live: a save or a compaction. */
function publisher(state: ModelState, name: string, protocol: Protocol, work: Publication): Transition[] {
  const actor = state.actors[name];
  if (actor === undefined) return [];
  const { seen = state.root, objects = [], restarts = 0 } = actor;
  const next = (action: string, to: Actor, change?: Partial<ModelState>) => [
    { action: `${name} ${action}`, state: moved(state, name, { restarts, ...to }, change) },
  ];
  const own = `${name}${restarts}`;
  switch (actor.step) {
    case 'begin': {
      const plan = work.plan(state.root, own);
      if (plan === undefined) return next('finds nothing to do', { step: 'done' });
      return next('reads the root', { step: 'write', epoch: state.root.epoch, ...plan });
    }
    case 'write':
      return next('writes its object', { ...actor, step: 'read' }, { objects: [...state.objects, own] });
    case 'read': {
      const changed = work.looks(protocol) && state.root.epoch !== actor.epoch;
      return next('reads the root again', {
        ...actor,
        step: changed ? 'check 0' : 'commit',
        seen: state.root,
      });
    }
    case 'commit': {
      const live = work.publish(seen.live, name, actor);
      if (live === undefined) return next('changes nothing', { step: 'done' });
      const root = replaced(state, seen, { ...seen, live }, protocol);
      if (root === undefined) return next('was not the first', { ...actor, step: 'read', seen: undefined });
      const acknowledged = work.acknowledges ? [...state.acknowledged, name] : state.acknowledged;
      return next('commits', { step: 'done' }, { root, acknowledged });
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
  if (actor?.step === 'begin')
    return [
      {
        action: 'forget reads the root',
        state: moved(state, 'forget', { step: 'commit', seen: state.root }),
      },
    ];
  if (actor?.step !== 'commit' || actor.seen === undefined) return [];
  const { old: _, ...live } = actor.seen.live;
  const root = replaced(state, actor.seen, { ...actor.seen, live }, protocol);
  const to = root === undefined ? { step: 'begin' } : { step: 'done' };
  return [{ action: 'forget drops old', state: moved(state, 'forget', to, root && { root }) }];
}

function collector(state: ModelState, name: string, protocol: Protocol): Transition[] {
  const actor = state.actors[name];
  if (actor === undefined) return [];
  const { seen = state.root, objects = [], dropped = [] } = actor;
  const next = (action: string, to: Actor, change?: Partial<ModelState>) => [
    { action: `${name} ${action}`, state: moved(state, name, to, change) },
  ];
  switch (actor.step) {
    case 'begin':
      return next('reads the root', { step: 'list', seen: state.root });
    case 'list': {
      const [all, spared] = [false, true].map((leases) => doomedObjects(state, seen, leases, protocol));
      const planned = (doomed: readonly ObjectName[]): Actor => {
        if (!protocol.condemns) return { step: 'delete', objects: doomed };
        if (doomed.length === 0) return { step: 'drop', dropped: seen.condemned };
        return { step: 'condemn', seen, objects: doomed };
      };
      if (spared.length === all.length) return next('lists objects', planned(all));
      return [...next('lists objects', planned(all)), ...next('lists objects and leases', planned(spared))];
    }
    case 'condemn': {
      const base = protocol.replans ? seen : state.root;
      const condemned = [...new Set([...base.condemned, ...objects])];
      const raised = protocol.raises || base.condemned.length === 0;
      const epoch = base.epoch + (raised ? 1 : 0);
      const root = replaced(state, base, { ...base, condemned, epoch }, protocol);
      if (root === undefined) return next('was not the first', { step: 'begin' });
      return next('condemns', { step: 'delete', objects, dropped: condemned }, { root });
    }
    case 'delete': {
      if (objects.length === 0)
        return next('has deleted all', protocol.condemns ? { step: 'drop', dropped } : { step: 'done' });
      const [gone, ...rest] = objects;
      const left = state.objects.filter((other) => other !== gone);
      return next(`deletes ${gone}`, { ...actor, objects: rest }, { objects: left });
    }
    case 'drop':
      return next('reads the root to drop', { step: 'dropping', seen: state.root, dropped });
    case 'dropping': {
      const condemned = seen.condemned.filter((key) => !dropped.includes(key));
      if (condemned.length === seen.condemned.length) return next('drops nothing', { step: 'done' });
      const root = replaced(state, seen, { ...seen, condemned }, protocol);
      if (root === undefined) return next('was not the first to drop', { step: 'drop', dropped });
      return next('drops', { step: 'done' }, { root });
    }
    default:
      return [];
  }
}

/** What a root does not need. Leases spare what an attempt wrote, those that have run out do not: either may be. */
function doomedObjects(state: ModelState, root: Root, leases: boolean, protocol: Protocol): ObjectName[] {
  const needed = Object.values(root.live).flat();
  return state.objects.filter((name) => {
    if (needed.includes(name)) return false;
    if (protocol.finishes && root.condemned.includes(name)) return true;
    return !leases || FIRST_OBJECTS.includes(name);
  });
}

/** Takes no lease: what it misses may have been collected, which a newer root tells. */
function reader(state: ModelState): Transition[] {
  const actor = state.actors.reader;
  if (actor === undefined) return [];
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
