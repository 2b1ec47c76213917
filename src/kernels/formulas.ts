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
  | 'momentum-weights'
  | 'nesterov-weights'
  | 'adam-first-moment'
  | 'recover-gradient';

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
  'adam-second-moment': { inputBytes: [4, 4, 4], outputBytes: 4, constants: 4, orders: 48 },
  'adam-weights': { inputBytes: [4, 4, 4], outputBytes: 4, constants: 5, orders: 128 },
  'momentum-weights': { inputBytes: [4, 4], outputBytes: 4, constants: 3, orders: 2 },
  'nesterov-weights': { inputBytes: [4, 4, 4], outputBytes: 4, constants: 3, orders: 2 },
  'adam-first-moment': { inputBytes: [4, 2], outputBytes: 4, constants: 2, orders: 5 },
  'recover-gradient': { inputBytes: [4, 4], outputBytes: 2, constants: 2, orders: 5 },
};

export function formulaShape(formula: Formula): FormulaShape {
  return SHAPES[formula];
}

/** Returns whether a formula knows an order of operations; of those below its number, one rounding is not in use. */
export function knowsOrder(formula: Formula, order: number): boolean {
  if (formula === 'adam-second-moment' && ((order >> 1) & 3) === 3) return false;
  return Number.isInteger(order) && order >= 0 && order < SHAPES[formula].orders;
}
