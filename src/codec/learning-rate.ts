/** The learning rate that a step of Adam was made with, where no checkpoint has it on record. */
import type { AdamWeightsRule } from './prediction.js';

/** Lanes that are looked at: the error of the fit falls with their number. */
const FIT_LANES_MAX = 65_536;

/** How far off, as a share of the step, lanes may be on average before the rule is thought not to hold. */
const FIT_ERROR_MAX = 0.05;

/**
 * Returns the learning rate by which a step of this rule (whose own rate is ignored) best explains the weights, by least
 * squares; undefined where none does. All arrays are f32 lanes of the same elements.
 */
export function fitLearningRate(
  w: Uint8Array,
  wBase: Uint8Array,
  m: Uint8Array,
  v: Uint8Array,
  rule: Omit<AdamWeightsRule, 'lr'>,
): number | undefined {
  const [after, before, first, second] = [w, wBase, m, v].map(firstLanes);
  const bias1 = 1 - rule.beta1 ** rule.step;
  const root = Math.sqrt(1 - rule.beta2 ** rule.step);
  const decay = rule.decoupled ? rule.weightDecay : 0;
  let products = 0;
  let squares = 0;
  let moves = 0;
  for (let lane = 0; lane < Math.min(after.length, before.length, first.length, second.length); lane++) {
    const direction =
      first[lane] / bias1 / (Math.sqrt(second[lane]) / root + rule.eps) + decay * before[lane];
    const move = before[lane] - after[lane];
    if (!Number.isFinite(direction * move)) continue;
    products += direction * move;
    squares += direction * direction;
    moves += move * move;
  }
  if (squares === 0 || moves === 0) return undefined;
  const lr = products / squares;
  const unexplained = moves - lr * products;
  return lr > 0 && unexplained <= moves * FIT_ERROR_MAX ** 2 ? lr : undefined;
}

function firstLanes(bytes: Uint8Array): Float32Array {
  const length = Math.min(bytes.length - (bytes.length % 4), FIT_LANES_MAX * 4);
  return new Float32Array(bytes.slice(0, length).buffer);
}
