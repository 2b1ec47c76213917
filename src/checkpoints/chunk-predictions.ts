/** What each chunk of a save may be predicted from: its base, and by an optimizer's update rule its siblings. */
import type { Rule } from '../codec/index.js';
import type { ChunkId } from '../hash/index.js';
import type { ChainChoice, ChainPolicy } from '../packs/index.js';
import type { LoadedManifest } from './manifest-store.js';
import type { Family, SavePlan } from './plan.js';
import { inOrder, isNextStep, type Role, type RuleFacts, type RuleOfRole, rulesOf } from './update-rules.js';

/** What a chunk may be predicted from: a chunk of the base, or the chunk in the same place of a stream stored before it. */
export type StreamInput = { readonly id: ChunkId } | { readonly stream: number };

/** A prediction of a chunk of a stream. */
export interface StreamPrediction {
  rule: Rule;
  inputs: StreamInput[];
}

export class ChunkPredictions {
  private readonly plan: SavePlan;
  private readonly base: LoadedManifest | undefined;
  private readonly chains: ChainPolicy;
  private readonly baseIds: (readonly ChunkId[] | undefined)[];
  private readonly familyOf = new Map<number, Family>();
  private readonly units: number[][] = [];
  /** The unit of each stream and its place there. */
  private readonly places = new Map<number, { unit: number; place: number }>();

  constructor(plan: SavePlan, base: LoadedManifest | undefined, chains: ChainPolicy) {
    this.plan = plan;
    this.base = base;
    this.chains = chains;
    const baseStreams = new Map(base?.layout.streams.map((stream, at) => [stream.key, at]));
    this.baseIds = plan.layout.streams.map((stream) => {
      const at = baseStreams.get(stream.key);
      const found = at === undefined ? undefined : base?.layout.streams[at];
      const aligned = found?.dtype === stream.dtype && found.chunking === stream.chunking;
      return aligned && stream.chunking !== 'content' && at !== undefined
        ? base?.content.streams[at].ids
        : undefined;
    });
    for (const family of plan.families) {
      for (const stream of streamsOf(family))
        if (!this.familyOf.has(stream)) this.familyOf.set(stream, family);
    }
    this.arrange();
  }

  /** Returns the streams in the order in which they are stored: those in one list chunk by chunk, side by side. */
  order(): readonly number[][] {
    return this.units;
  }

  /** Returns the chunk in the same place of the base. */
  baseOf(stream: number, index: number): ChunkId | undefined {
    return this.baseIds[stream]?.[index];
  }

  private arrange(): void {
    for (const stream of this.plan.layout.streams.keys()) {
      if (this.places.has(stream)) continue;
      const family = this.familyOf.get(stream);
      const members = family === undefined ? [stream] : streamsOf(family);
      const unit = members.filter((member) => !this.places.has(member));
      for (const [place, member] of unit.entries())
        this.places.set(member, { unit: this.units.length, place });
      this.units.push(unit);
    }
  }

  /** Returns what the chunk may be predicted from, if anything. */
  of(stream: number, index: number): StreamPrediction[] {
    const family = this.familyOf.get(stream);
    const casts = family === undefined ? [] : this.casts(family, stream);
    const base = this.baseInput(stream, index);
    if (base === undefined) return casts;
    const choice = this.chains.choose(this.basesBeside(family, stream, index));
    if (choice !== 'newest') return [...this.skipDelta(choice, base.id), ...casts];
    const rules = family === undefined ? [] : this.ruled(family, stream, index);
    return [{ rule: { kind: 'base' }, inputs: [base] }, ...casts, ...rules];
  }

  /** Where chains have to start again, rules do not hold: other steps lie between. */
  private skipDelta(choice: ChainChoice, base: ChunkId): StreamPrediction[] {
    const id = choice === 'ancestor' ? this.chains.ancestor(base) : undefined;
    return id === undefined ? [] : [{ rule: { kind: 'base' }, inputs: [{ id }] }];
  }

  /** Returns the base's chunks in the same place of all streams that predict one another. */
  private basesBeside(family: Family | undefined, stream: number, index: number): ChunkId[] {
    const members = family === undefined ? [stream] : streamsOf(family);
    return members.map((member) => this.baseIds[member]?.[index]).filter((id) => id !== undefined);
  }

  /** A copy of the weights is their rounding, whatever came before. */
  private casts(family: Family, stream: number): StreamPrediction[] {
    const { weights } = family.streams;
    if (weights === undefined || !roleIn(family, stream).startsWith('copy')) return [];
    const master = this.siblingOf(stream, weights);
    const from = this.plan.layout.streams[weights].dtype;
    return master === undefined ? [] : [{ rule: { kind: 'cast', from }, inputs: [master] }];
  }

  private ruled(family: Family, stream: number, index: number): StreamPrediction[] {
    const facts: RuleFacts = {
      settings: this.plan.settings[family.settings] ?? {},
      baseSettings: this.base?.content.settings[family.settings] ?? {},
      step: family.step,
      roles: new Set(Object.keys(family.streams)),
    };
    if (!isNextStep(facts)) return [];
    const own = roleIn(family, stream);
    const inputOf = ({ role, time }: RuleOfRole['inputs'][number]): StreamInput | undefined => {
      const from = role === 'average' ? stream : family.streams[role];
      if (from === undefined) return undefined;
      return time === 'before' ? this.baseInput(from, index) : this.siblingOf(stream, from);
    };
    return rulesOf(own.startsWith('average') ? 'average' : own, facts).flatMap(({ rule, inputs }) => {
      const found = inputs.map(inputOf).filter((input) => input !== undefined);
      return found.length === inputs.length ? [{ rule, inputs: found }] : [];
    });
  }

  private baseInput(stream: number, index: number): { readonly id: ChunkId } | undefined {
    const id = this.baseOf(stream, index);
    return id === undefined ? undefined : { id };
  }

  /** Returns the sibling as an input if it is stored side by side with the stream, and before it. */
  private siblingOf(stream: number, sibling: number | undefined): StreamInput | undefined {
    const [own, other] = [this.places.get(stream), this.places.get(sibling ?? -1)];
    if (sibling === undefined || own === undefined || other === undefined) return undefined;
    return own.unit === other.unit && other.place < own.place ? { stream: sibling } : undefined;
  }
}

/** The members of a family in the order in which they can be predicted. */
function streamsOf({ streams }: Family): number[] {
  const inTurn = inOrder(Object.keys(streams)).map((role) => streams[role]);
  return [...new Set(inTurn.filter((stream) => stream !== undefined))];
}

function roleIn({ streams }: Family, stream: number): Role {
  return Object.keys(streams).find((role) => streams[role] === stream) ?? '';
}
