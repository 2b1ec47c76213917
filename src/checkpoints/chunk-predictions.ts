/** What each chunk of a save may be predicted from: its base, and by an optimizer's update rule its siblings. */
import type { Rule } from '../codec/index.js';
import type { OptimizerSettings } from '../format/index.js';
import type { ChunkId } from '../hash/index.js';
import type { ChainChoice, ChainPolicy } from '../packs/index.js';
import type { LoadedManifest } from './manifest-store.js';
import type { Family, SavePlan } from './plan.js';

/** torch's defaults, for checkpoints that do not say. */
const ADAM = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0 } as const;

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
    const rules = family === undefined ? [] : this.ruled(family, stream, index, base);
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
    if (family.weights === null || !family.copies.includes(stream)) return [];
    const master = this.siblingOf(stream, family.weights);
    const from = this.plan.layout.streams[family.weights].dtype;
    return master === undefined ? [] : [{ rule: { kind: 'cast', from }, inputs: [master] }];
  }

  private ruled(family: Family, stream: number, index: number, base: StreamInput): StreamPrediction[] {
    const { exp_avg: mean, exp_avg_sq: square, momentum_buffer: momentum } = family.slots;
    const [m, v, buffer] = [mean, square, momentum].map((slot) => this.siblingOf(stream, slot));
    const settings = this.plan.settings[family.settings] ?? {};
    if (stream === mean) {
      const { beta1 } = adamSettings(settings);
      return [{ rule: { kind: 'adam-first-moment-16bit', beta1 }, inputs: [base] }];
    }
    if (stream === square && m !== undefined && mean !== undefined) {
      const meanBase = this.baseInput(mean, index);
      const { beta1, beta2 } = adamSettings(settings);
      if (meanBase === undefined) return [];
      return [{ rule: { kind: 'adam-second-moment', beta1, beta2 }, inputs: [base, m, meanBase] }];
    }
    if (stream !== family.weights) return [];
    if (m !== undefined && v !== undefined && family.step !== null) {
      return this.adamRules(settings, family).map((rule) => ({ rule, inputs: [base, m, v] }));
    }
    if (buffer !== undefined && momentum !== undefined && settings.momentum !== undefined) {
      const before = settings.nesterov === true ? this.baseInput(momentum, index) : undefined;
      const inputs = before === undefined ? [base, buffer] : [base, buffer, before];
      return this.momentumRules(settings, family).map((rule) => ({ rule, inputs }));
    }
    return [];
  }

  private adamRules(settings: OptimizerSettings, family: Family): Rule[] {
    const { beta1, beta2, eps, weightDecay } = adamSettings(settings);
    const known = settings.decoupled_weight_decay;
    const decays = typeof known === 'boolean' ? [known] : weightDecay === 0 ? [true] : [true, false];
    const step = family.step ?? 0;
    return this.learningRates(family).flatMap((lr) =>
      decays.map((decoupled): Rule => {
        return { kind: 'adam-weights', lr, beta1, beta2, eps, weightDecay, decoupled, step };
      }),
    );
  }

  private momentumRules(settings: OptimizerSettings, family: Family): Rule[] {
    const momentum = numberOf(settings, 'momentum', 0);
    const dampening = numberOf(settings, 'dampening', 0);
    const nesterov = settings.nesterov === true;
    return this.learningRates(family).map((lr) => ({
      kind: 'momentum-weights',
      lr,
      momentum,
      dampening,
      nesterov,
    }));
  }

  /** The rate on record is often the next step's already, and the base's the one that was used. */
  private learningRates(family: Family): number[] {
    const rates = [this.base?.content.settings[family.settings]?.lr, this.plan.settings[family.settings]?.lr];
    return [...new Set(rates.filter((rate) => typeof rate === 'number'))];
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

/** The order in which the members of a family can be predicted: first moments, second moments, the rest, weights, copies. */
function streamsOf(family: Family): number[] {
  const { exp_avg, exp_avg_sq } = family.slots;
  const first = [exp_avg, exp_avg_sq].filter((stream) => stream !== undefined);
  const weights = family.weights === null ? [] : [family.weights];
  const rest = Object.values(family.slots).filter(
    (stream) => !first.includes(stream) && !weights.includes(stream),
  );
  return [...new Set([...first, ...rest, ...weights, ...family.copies])];
}

function adamSettings(settings: OptimizerSettings): {
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
} {
  return {
    beta1: numberOf(settings, 'beta1', ADAM.beta1),
    beta2: numberOf(settings, 'beta2', ADAM.beta2),
    eps: numberOf(settings, 'eps', ADAM.eps),
    weightDecay: numberOf(settings, 'weight_decay', ADAM.weight_decay),
  };
}

function numberOf(settings: OptimizerSettings, name: string, fallback: number): number {
  const value = settings[name];
  return typeof value === 'number' ? value : fallback;
}
