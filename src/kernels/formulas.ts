/**
 * The formulas by which kernels predict lanes from lanes: shapes and arithmetic that both implementations agree on. What
 * each computes is in FORMAT.md, "Rules".
 */

export type Formula =
  | 'narrow-bf16'
  | 'widen-bf16'
  | 'narrow-f16'
  | 'widen-f16'
  | 'adam-second-moment'
  | 'adam-weights'
  | 'lazy-adam-weights'
  | 'nadam-weights'
  | 'momentum-weights'
  | 'nesterov-weights'
  | 'lion-weights'
  | 'adam-first-moment'
  | 'faded-moment'
  | 'scaled-moment'
  | 'decayed-moment'
  | 'step-square'
  | 'average'
  | 'maximum'
  | 'recover-gradient'
  | 'recover-scaled'
  | 'recover-decayed';

export interface FormulaShape {
  /** Bytes of a lane of each input. */
  readonly inputBytes: readonly (2 | 4)[];
  readonly outputBytes: 2 | 4;
  /** How many single-precision constants it takes. */
  readonly constants: number;
  /** Orders of operations from 0 that it knows. */
  readonly orders: number;
}

const CAST = { constants: 0, orders: 1 } as const;

const SHAPES: Record<Formula, FormulaShape> = {
  'narrow-bf16': { ...CAST, inputBytes: [4], outputBytes: 2 },
  'widen-bf16': { ...CAST, inputBytes: [2], outputBytes: 4 },
  'narrow-f16': { ...CAST, inputBytes: [4], outputBytes: 2 },
  'widen-f16': { ...CAST, inputBytes: [2], outputBytes: 4 },
  'adam-second-moment': { inputBytes: [4, 4, 4], outputBytes: 4, constants: 4, orders: 128 },
  'adam-weights': { inputBytes: [4, 4, 4], outputBytes: 4, constants: 5, orders: 256 },
  'lazy-adam-weights': { inputBytes: [4, 4, 4, 4], outputBytes: 4, constants: 5, orders: 256 },
  'nadam-weights': { inputBytes: [4, 4, 4, 4], outputBytes: 4, constants: 7, orders: 32 },
  'momentum-weights': { inputBytes: [4, 4], outputBytes: 4, constants: 3, orders: 2 },
  'nesterov-weights': { inputBytes: [4, 4, 4], outputBytes: 4, constants: 3, orders: 2 },
  'lion-weights': { inputBytes: [4, 4, 4], outputBytes: 4, constants: 3, orders: 5 },
  'adam-first-moment': { inputBytes: [4, 2], outputBytes: 4, constants: 2, orders: 5 },
  'faded-moment': { inputBytes: [4], outputBytes: 4, constants: 2, orders: 5 },
  'scaled-moment': { inputBytes: [4, 2], outputBytes: 4, constants: 3, orders: 16 },
  'decayed-moment': { inputBytes: [4, 4, 2], outputBytes: 4, constants: 4, orders: 32 },
  'step-square': { inputBytes: [4, 4, 4], outputBytes: 4, constants: 5, orders: 16 },
  average: { inputBytes: [4, 4], outputBytes: 4, constants: 2, orders: 5 },
  maximum: { inputBytes: [4, 4], outputBytes: 4, constants: 0, orders: 1 },
  'recover-gradient': { inputBytes: [4, 4], outputBytes: 2, constants: 2, orders: 5 },
  'recover-scaled': { inputBytes: [4, 4], outputBytes: 2, constants: 3, orders: 16 },
  'recover-decayed': { inputBytes: [4, 4, 4], outputBytes: 2, constants: 4, orders: 32 },
};

export function formulaShape(formula: Formula): FormulaShape {
  return SHAPES[formula];
}

/** Ways to mix an average with something new. */
const MIXES = 5;
/** They are the lowest three bits of an order. */
const HAS_MIX_FIELD = new Set<Formula>([
  'scaled-moment',
  'decayed-moment',
  'recover-scaled',
  'recover-decayed',
]);

/** Returns whether a formula knows an order of operations; not all numbers below its count are in use. */
export function knowsOrder(formula: Formula, order: number): boolean {
  if (formula === 'adam-second-moment' && ((order >> 1) & 3) === 3) return false;
  if (HAS_MIX_FIELD.has(formula) && (order & 7) >= MIXES) return false;
  return Number.isInteger(order) && order >= 0 && order < SHAPES[formula].orders;
}
