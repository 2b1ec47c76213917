/**
 * Which update rules may predict a stream of a parameter from its other streams, given the settings of its optimizer. A rule
 * that is not the training job's costs time and is not chosen.
 */
import type { Rule } from '../codec/index.js';
import type { OptimizerSettings } from '../format/index.js';

/** What a stream is to a parameter: `weights`, a slot by torch's name, or `copy` or `average` of the weights. */
export type Role = string;

/** A rule and the roles of its inputs, in this checkpoint (`after`) or in its base. */
export interface RuleOfRole {
  rule: Rule;
  inputs: readonly { role: Role; time: 'before' | 'after' }[];
}

export interface RuleFacts {
  /** Of the parameter's group, in this checkpoint and in its base. */
  settings: OptimizerSettings;
  baseSettings: OptimizerSettings;
  /** Steps taken up to this checkpoint; null if unknown. */
  step: number | null;
  roles: ReadonlySet<Role>;
}

/** torch's defaults, for checkpoints that do not say. */
const DEFAULTS: Readonly<Record<string, number>> = {
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  alpha: 0.99,
  lr: 1e-3,
};
/** Where nobody says, also what language models are trained with. */
const BETAS2 = [DEFAULTS.beta2, 0.95, 0.98, 0.99];
/** Lion's, which has no more than a momentum. */
const LION_BETA2 = 0.99;
/** Of an average that does not say; the right one is found from the lanes. */
const AVERAGE_DECAY = 0.999;

const before = (role: Role) => ({ role, time: 'before' }) as const;
const after = (role: Role) => ({ role, time: 'after' }) as const;

/** Returns whether this checkpoint may be one step after its base, as far as the optimizer counts. */
export function isNextStep({ settings, baseSettings, step }: RuleFacts): boolean {
  const reached = step ?? settings.step;
  const from = baseSettings.step;
  return typeof reached !== 'number' || typeof from !== 'number' || reached - from === 1;
}

/** Returns the rules for the stream of a role one step after the base, the likeliest first. */
export function rulesOf(role: Role, facts: RuleFacts): RuleOfRole[] {
  const { roles } = facts;
  const hasSquares = roles.has('exp_avg_sq');
  switch (role) {
    case 'exp_avg':
      return momentRules(
        role,
        facts,
        hasSquares ? number(facts, 'beta1') : number(facts, 'beta2', LION_BETA2),
      );
    case 'exp_avg_sq':
      return secondMomentRules(facts);
    case 'max_exp_avg_sq':
      return [{ rule: { kind: 'maximum' }, inputs: [before(role), after('exp_avg_sq')] }];
    case 'momentum_buffer':
      return momentRules(role, facts, number(facts, 'momentum', 0.9), 1 - number(facts, 'dampening', 0));
    case 'square_avg':
    case 'sum':
      return squareRules(role, facts);
    case 'weights':
      if (roles.has('exp_avg') && hasSquares) return adamRules(facts);
      if (roles.has('momentum_buffer')) return momentumRules(facts);
      return roles.has('exp_avg') ? lionRules(facts) : [];
    case 'average':
      return [
        {
          rule: { kind: 'average', decay: number(facts, 'ema_decay', AVERAGE_DECAY) },
          inputs: [before(role), after('weights')],
        },
      ];
    default:
      return [];
  }
}

function number({ settings }: RuleFacts, name: string, fallback = DEFAULTS[name] ?? 0): number {
  const value = settings[name];
  return typeof value === 'number' ? value : fallback;
}

/** The rate on record is often the next step's already, and the base's the one that was used. */
function learningRates({ settings, baseSettings }: RuleFacts): number[] {
  const rates = [baseSettings.lr, settings.lr].filter((rate) => typeof rate === 'number');
  return rates.length === 0 ? [DEFAULTS.lr] : [...new Set(rates)];
}

/** Whether weight decay acts on the weights; both where nobody says. */
function decouplings(facts: RuleFacts): boolean[] {
  const known = facts.settings.decoupled_weight_decay;
  if (number(facts, 'weight_decay') === 0) return [true];
  return typeof known === 'boolean' ? [known] : [true, false];
}

function momentRules(role: Role, facts: RuleFacts, kept: number, added = 1 - kept): RuleOfRole[] {
  const faded: RuleOfRole = { rule: { kind: 'faded-moment', kept, added }, inputs: [before(role)] };
  const decay = number(facts, 'weight_decay');
  const decays = new Set(
    role === 'momentum_buffer' ? [decay] : decouplings(facts).map((is) => (is ? 0 : decay)),
  );
  const gradients = [...decays].map((weightDecay): RuleOfRole => {
    const inputs = weightDecay === 0 ? [before(role)] : [before(role), before('weights')];
    return {
      rule: { kind: 'gradient-moment', kept, added, gradients: 'bf16', scale: 1, weightDecay },
      inputs,
    };
  });
  return [...gradients, faded];
}

function secondMomentRules(facts: RuleFacts): RuleOfRole[] {
  const beta1 = number(facts, 'beta1');
  const inputs = [before('exp_avg_sq'), after('exp_avg'), before('exp_avg')];
  const known = facts.settings.beta2;
  return (typeof known === 'number' ? [known] : BETAS2).map((beta2) => {
    return { rule: { kind: 'adam-second-moment', beta1, beta2 }, inputs };
  });
}

function adamRules(facts: RuleFacts): RuleOfRole[] {
  const weightDecay = number(facts, 'weight_decay');
  const [beta1, beta2, eps] = [number(facts, 'beta1'), number(facts, 'beta2'), number(facts, 'eps')];
  const square = facts.roles.has('max_exp_avg_sq') ? 'max_exp_avg_sq' : 'exp_avg_sq';
  const step = stepOf(facts);
  const dense = [before('weights'), after('exp_avg'), after(square)];
  const { momentum_decay: momentumDecay } = facts.settings;
  return learningRates(facts).flatMap((lr) =>
    decouplings(facts).flatMap((decoupled): RuleOfRole[] => {
      const shared = { lr, beta1, beta2, eps, weightDecay, decoupled, step };
      const four = [...dense, before('exp_avg')];
      if (typeof momentumDecay === 'number') {
        return [{ rule: { kind: 'nadam-weights', ...shared, momentumDecay }, inputs: four }];
      }
      const rules: RuleOfRole[] = [{ rule: { kind: 'adam-weights', ...shared }, inputs: dense }];
      // Optimizers that leave rows alone have no decay: it would move them.
      if (weightDecay === 0) rules.push({ rule: { kind: 'lazy-adam-weights', ...shared }, inputs: four });
      return rules;
    }),
  );
}

function stepOf({ settings, baseSettings, step }: RuleFacts): number {
  if (step !== null) return step;
  if (typeof settings.step === 'number') return settings.step;
  return typeof baseSettings.step === 'number' ? baseSettings.step + 1 : Number.POSITIVE_INFINITY;
}

function momentumRules(facts: RuleFacts): RuleOfRole[] {
  const momentum = number(facts, 'momentum', 0.9);
  const dampening = number(facts, 'dampening', 0);
  const known = facts.settings.nesterov;
  const two = [before('weights'), after('momentum_buffer')];
  return (typeof known === 'boolean' ? [known] : [false, true]).flatMap((nesterov) =>
    learningRates(facts).map((lr) => ({
      rule: { kind: 'momentum-weights', lr, momentum, dampening, nesterov },
      inputs: nesterov ? [...two, before('momentum_buffer')] : two,
    })),
  );
}

function lionRules(facts: RuleFacts): RuleOfRole[] {
  const [beta1, beta2] = [number(facts, 'beta1'), number(facts, 'beta2', LION_BETA2)];
  const weightDecay = number(facts, 'weight_decay');
  return learningRates(facts).map((lr) => ({
    rule: { kind: 'lion-weights', lr, beta1, beta2, weightDecay },
    inputs: [before('weights'), after('exp_avg'), before('exp_avg')],
  }));
}

/** RMSprop and Adagrad: the weights, or the momentum buffer, show what the gradient was divided by the root. */
function squareRules(role: Role, facts: RuleFacts): RuleOfRole[] {
  if (facts.roles.has('grad_avg')) return [];
  // Keras calls it rho, TensorFlow decay.
  const alpha = number(facts, 'alpha', number(facts, 'rho', number(facts, 'decay', DEFAULTS.alpha)));
  const squareKept = role === 'sum' ? 1 : alpha;
  const squareAdded = role === 'sum' ? 1 : 1 - squareKept;
  const shared = { kind: 'step-square', squareKept, squareAdded, eps: number(facts, 'eps') } as const;
  if (facts.roles.has('momentum_buffer')) {
    const inputs = [before(role), after('momentum_buffer'), before('momentum_buffer')];
    const kept = number(facts, 'momentum', 0.9);
    // torch has the rate outside the buffer, TensorFlow inside.
    return [1, ...learningRates(facts)].map((added) => ({ rule: { ...shared, kept, added }, inputs }));
  }
  const slower = 1 + (stepOf(facts) - 1) * number(facts, 'lr_decay');
  return learningRates(facts).map((lr) => ({
    rule: { ...shared, kept: 1, added: -lr / (Number.isFinite(slower) ? slower : 1) },
    inputs: [before(role), after('weights'), before('weights')],
  }));
}

/** The order in which the streams of a parameter can be predicted from those before them. */
const ORDER: readonly Role[] = ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq', 'momentum_buffer'];
const LAST: readonly Role[] = ['weights', 'square_avg', 'sum', 'average', 'copy'];

export function inOrder(roles: Iterable<Role>): Role[] {
  const rank = (role: Role): number => {
    const first = ORDER.indexOf(role);
    const last = LAST.indexOf(role);
    return first >= 0 ? first : last >= 0 ? ORDER.length + 1 + last : ORDER.length;
  };
  return [...roles].sort((a, b) => rank(a) - rank(b));
}
