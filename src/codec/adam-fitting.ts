/**
 * Settings of a step of Adam of which no checkpoint says even the number. Without it the root of the second moment is known
 * up to a factor only, `root = sqrt(1 - beta2^step)`: weights move by `rate * m / (sqrt(v) + root * eps)`. So the rate, the
 * decay and this small number are found by least squares, and then the step that gives the same one.
 */
import type { AdamWeightsRule } from './prediction.js';

/** A first pass finds nearly everything, and tells whether the rule may hold; more make it as precise as the lanes are. */
const PASSES = 2;
const FIRST_WORSE_MAX = 16;

/** Columns are not told apart where the determinant of their correlations is this small. */
const DETERMINANT_MIN = 1e-10;

/** Lanes that a rate is the median of. */
const USUAL_LANES_MAX = 1024;

/** What is so many standard errors apart is not the same but for chance: a decay and none, an epsilon and the one that a step gives. */
const ERRORS_APART = 5;

/** Where both moments are 0 no weight moves, and epsilon must not be 0; lanes that show none have it as small as this. */
const EPS_MIN = 1e-20;

/** Lanes in double precision, those that are no numbers left out. */
interface Lanes {
  readonly count: number;
  readonly moved: Float64Array;
  readonly before: Float64Array;
  readonly first: Float64Array;
  readonly root: Float64Array;
  /** Roundings are as large as what is rounded: one over the square of that. */
  readonly weight: Float64Array;
}

/** `moved = rate * first / (root + eps) + lost * before`. */
interface Step {
  readonly rate: number;
  readonly eps: number;
  readonly lost: number;
}

interface Fit extends Step {
  /** Weighted squares of what the step does not explain, on average. */
  readonly error: number;
  /** Squares of standard errors; Infinity for what does not show or was not fitted. */
  readonly epsVariance: number;
  readonly decayVariance: number;
}

/**
 * Returns the rule with the settings that explain the lanes best. Where more than a share of the squared moves is left, checkpoints
 * are some steps apart: then it has the rate of most lanes, which leaves a little less than the weights before. Undefined where
 * nothing moves, and for a rule of rows left alone where there are none: the one without says the same.
 */
export function fittedUnknownStep(
  rule: AdamWeightsRule,
  after: Float32Array,
  before: readonly Float32Array[],
  shareMax: number,
): AdamWeightsRule | undefined {
  const lanes = lanesOf(after, before);
  if (rule.kind === 'lazy-adam-weights' && lanes.first.indexOf(0) < 0) return undefined;
  const still = { rate: 0, eps: Math.max(rule.eps, EPS_MIN), lost: 0 };
  const errorMax = shareMax * errorOf(lanes, still);
  const first = refined(lanes, still, [true, true, true], 1);
  const free = first && first.error <= FIRST_WORSE_MAX * errorMax ? freeFit(lanes, first) : undefined;
  if (free !== undefined && free.error <= errorMax) return likeliestRule(rule, lanes, free);
  const lr = usualRate(lanes, still.eps);
  return lr === undefined ? undefined : { ...rule, lr, weightDecay: 0, decoupled: false };
}

/** The rate of most lanes: squares would follow the few that moved most. */
function usualRate({ count, moved, first, root }: Lanes, eps: number): number | undefined {
  const rates = new Float64Array(Math.min(count, USUAL_LANES_MAX));
  let found = 0;
  for (let at = 0; at < rates.length; at++) {
    const lane = Math.floor((at * count) / rates.length);
    const rate = (moved[lane] * (root[lane] + eps)) / first[lane];
    if (Number.isFinite(rate)) rates[found++] = rate;
  }
  rates.subarray(0, found).sort();
  return found === 0 || rates[found >> 1] === 0 ? undefined : rates[found >> 1];
}

function lanesOf(after: Float32Array, [before, first, second, first0]: readonly Float32Array[]): Lanes {
  const array = () => new Float64Array(after.length);
  const lanes = { moved: array(), before: array(), first: array(), root: array(), weight: array() };
  let count = 0;
  for (let lane = 0; lane < after.length; lane++) {
    const moved = before[lane] - after[lane];
    const root = Math.sqrt(second[lane]);
    const weight = 1 / (before[lane] ** 2 + moved ** 2);
    if (!Number.isFinite(weight * root * first[lane])) continue;
    const isLeftAlone = first0 !== undefined && first0[lane] === first[lane];
    lanes.moved[count] = moved;
    lanes.before[count] = before[lane];
    lanes.first[count] = isLeftAlone ? 0 : first[lane];
    lanes.root[count] = root;
    lanes.weight[count] = weight;
    count++;
  }
  return { ...lanes, first: lanes.first.subarray(0, count), count };
}

/** Fits all three numbers, and without a decay where none shows. */
function freeFit(lanes: Lanes, from: Step): Fit | undefined {
  const fit = refined(lanes, from, [true, true, true], PASSES);
  if (fit === undefined || fit.lost ** 2 > ERRORS_APART ** 2 * fit.decayVariance) return fit;
  return refined(lanes, { ...fit, lost: 0 }, [true, true, false], PASSES);
}

/** Which of rate, epsilon and decay are fitted. */
type Unknowns = readonly [rate: boolean, eps: boolean, lost: boolean];

function refined(lanes: Lanes, from: Step, unknowns: Unknowns, passes: number): Fit | undefined {
  let step = from;
  let variances = [0, 0];
  for (let pass = 0; pass < passes; pass++) {
    const sums = sumsOf(lanes, step);
    const inverse = inverseOf(sums, unknowns) ?? inverseOf(sums, [true, false, unknowns[2]]);
    if (inverse === undefined) return undefined;
    const change = (row: number) =>
      [0, 1, 2].reduce((sum, column) => sum + inverse[row * 3 + column] * sums.off[column], 0);
    step = {
      rate: step.rate + change(0),
      eps: Math.max(step.eps + change(1), EPS_MIN),
      lost: step.lost + change(2),
    };
    variances = [inverse[4], inverse[8]];
  }
  const error = errorOf(lanes, step);
  const [epsVariance, decayVariance] = variances.map(
    (variance) => error * (variance || Number.POSITIVE_INFINITY),
  );
  return { ...step, error, epsVariance, decayVariance };
}

interface Sums {
  /** Products of the columns with one another, 3 x 3. */
  readonly products: Float64Array;
  /** Products with what the step does not explain. */
  readonly off: Float64Array;
}

/** Sums of how the lanes change with each of the three numbers. */
function sumsOf({ count, moved, before, first, root, weight }: Lanes, { rate, eps, lost }: Step): Sums {
  let [rr, re, rl, ee, el, ll, ro, eo, lo] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let lane = 0; lane < count; lane++) {
    const q = weight[lane];
    const w = before[lane];
    const r = first[lane] / (root[lane] + eps);
    // The move itself stands for what the rate makes of it: this holds before any rate is known.
    const e = (lost * w - moved[lane]) / (root[lane] + eps);
    const off = moved[lane] - rate * r - lost * w;
    rr += q * r * r;
    re += q * r * e;
    rl += q * r * w;
    ee += q * e * e;
    el += q * e * w;
    ll += q * w * w;
    ro += q * r * off;
    eo += q * e * off;
    lo += q * w * off;
  }
  return {
    products: Float64Array.of(rr, re, rl, re, ee, el, rl, el, ll),
    off: Float64Array.of(ro, eo, lo),
  };
}

/** Inverts the products of the columns that are unknown, 0 for others; undefined where two of them are alike. */
function inverseOf({ products }: Sums, unknowns: Unknowns): Float64Array | undefined {
  const size = (at: number) => (unknowns[at] ? Math.sqrt(products[at * 4]) : 0);
  const sizes = [size(0), size(1), size(2)];
  const alike = (a: number, b: number) =>
    sizes[a] === 0 || sizes[b] === 0 ? 0 : products[a * 3 + b] / sizes[a] / sizes[b];
  const [x, y, z] = [alike(0, 1), alike(0, 2), alike(1, 2)];
  const determinant = 1 + 2 * x * y * z - x * x - y * y - z * z;
  if (!(determinant > DETERMINANT_MIN)) return undefined;
  const adjugate = [
    [1 - z * z, y * z - x, x * z - y],
    [y * z - x, 1 - y * y, x * y - z],
    [x * z - y, x * y - z, 1 - x * x],
  ];
  const scaled = (value: number, a: number, b: number) =>
    sizes[a] === 0 || sizes[b] === 0 ? 0 : value / determinant / sizes[a] / sizes[b];
  return Float64Array.from(adjugate.flatMap((row, a) => row.map((value, b) => scaled(value, a, b))));
}

function errorOf({ count, moved, before, first, root, weight }: Lanes, { rate, eps, lost }: Step): number {
  let error = 0;
  for (let lane = 0; lane < count; lane++) {
    const off = moved[lane] - (rate * first[lane]) / (root[lane] + eps) - lost * before[lane];
    error += weight[lane] * off * off;
  }
  return error / count;
}

/** Returns the rule of the step that leads to the settings, so that roundings are the same; one with epsilon as it is found if none does. */
function likeliestRule(rule: AdamWeightsRule, lanes: Lanes, free: Fit): AdamWeightsRule {
  const { beta1, beta2 } = rule;
  // Training computes in single precision: with its root and its epsilon the rate is the one that it had, to the last bit.
  const rootAt = (step: number) => Math.fround(Math.sqrt(1 - beta2 ** step));
  const settled = ({ rate, lost }: Fit, eps: number, step: number): AdamWeightsRule => {
    const lr = (rate / rootAt(step)) * (1 - beta1 ** step);
    return { ...rule, lr, eps, step, weightDecay: lost / lr, decoupled: lost !== 0 };
  };
  for (const { eps, step } of likelySteps(rule, free.eps)) {
    const small = Math.fround(eps) * rootAt(step);
    if (!((small - free.eps) ** 2 <= ERRORS_APART ** 2 * free.epsVariance)) continue;
    const fit = refined(lanes, { ...free, eps: small }, [true, false, free.lost !== 0], 1);
    if (fit !== undefined) return settled(fit, eps, step);
  }
  return settled(free, free.eps, Number.POSITIVE_INFINITY);
}

/** Steps and epsilons, the one on record or powers of ten, that give what was found; the likeliest first. */
function likelySteps({ eps, beta2 }: AdamWeightsRule, found: number): { eps: number; step: number }[] {
  const decade = Math.ceil(Math.log10(found));
  const likely = new Set([eps, Number(`1e${decade}`), Number(`1e${decade + 1}`)]);
  return [...likely].flatMap((eps) => {
    const step = Math.round(Math.log(1 - (found / eps) ** 2) / Math.log(beta2));
    const many = { eps, step: Number.POSITIVE_INFINITY };
    return step >= 1 && Number.isFinite(step) ? [many, { eps, step }] : [many];
  });
}
