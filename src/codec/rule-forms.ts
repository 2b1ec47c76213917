/**
 * The forms that a rule may take: orders of operations that training frameworks are known to use, with the constants as
 * those round them. The encoder tries them on a sample. Constants are computed here, once, and stored in the record: a
 * decoder has no powers to compute.
 */

import type { DType } from '../tensor/index.js';
import { adamFirstMomentForms, adamSecondMomentForms, adamWeightsForms } from './adam-forms.js';
import { castFormula } from './cast-forms.js';
import type { MomentumWeightsRule, Rule } from './prediction.js';
import type { Form } from './predictor.js';

/** Returns the forms of a rule for a chunk of this dtype, the commonest first; none where it does not apply. */
export function formsOf(rule: Rule, dtype: DType): readonly Form[] {
  if (rule.kind === 'cast') {
    const formula = castFormula(rule.from, dtype);
    return formula === undefined ? [] : [{ formula, order: 0, constants: [] }];
  }
  if (dtype !== 'f32') return [];
  const forms = f32FormsOf(rule);
  return forms.filter(({ constants }) => constants.every(Number.isFinite));
}

function f32FormsOf(rule: Exclude<Rule, { kind: 'cast' }>): readonly Form[] {
  switch (rule.kind) {
    case 'base':
      return [];
    case 'adam-second-moment':
      return adamSecondMomentForms(rule);
    case 'adam-weights':
      return adamWeightsForms(rule);
    case 'adam-first-moment-16bit':
      return adamFirstMomentForms(rule);
    case 'momentum-weights':
      return momentumWeightsForms(rule);
  }
}

/** torch adds `lr * buffer` with a fused multiply-add where the processor has one. */
function momentumWeightsForms(rule: MomentumWeightsRule): readonly Form[] {
  const formula = rule.nesterov ? 'nesterov-weights' : 'momentum-weights';
  const constants = [-rule.lr, rule.momentum, 1 - rule.dampening];
  return [1, 0].map((order) => ({ formula, order, constants }));
}
