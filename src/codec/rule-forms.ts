/**
 * The forms that a rule may take: orders of operations that training frameworks are known to use, with the constants as
 * those round them. The encoder tries them on a sample. Constants are computed here, once, and stored in the record: a
 * decoder has no powers to compute.
 */

import type { DType } from '../tensor/index.js';
import { adamSecondMomentForms, adamWeightsForms, nadamWeightsForms } from './adam-forms.js';
import { castFormula } from './cast-forms.js';
import {
  averageForms,
  fadedMomentForms,
  gradientMomentForms,
  lionWeightsForms,
  momentumWeightsForms,
  stepSquareForms,
} from './momentum-forms.js';
import type { Rule } from './prediction.js';
import type { Form } from './predictor.js';

/** Returns whether update rules predict chunks of this dtype; a complex element is two lanes, each with its own moments. */
export function takesRules(dtype: DType): boolean {
  return dtype === 'f32' || dtype === 'c64';
}

/** Returns the forms of a rule for a chunk of this dtype, all of one formula and the commonest first; none where it does not apply. */
export function formsOf(rule: Rule, dtype: DType): readonly Form[] {
  if (rule.kind === 'cast') {
    const formula = castFormula(rule.from, dtype);
    return formula === undefined ? [] : [{ formula, order: 0, constants: [] }];
  }
  if (!takesRules(dtype)) return [];
  const forms: Form[] = [];
  for (const { formula, order, constants } of f32FormsOf(rule)) {
    const rounded = constants.map(Math.fround);
    const isKnown = (form: Form) =>
      form.order === order && form.constants.every((constant, at) => constant === rounded[at]);
    if (rounded.every(Number.isFinite) && !forms.some(isKnown))
      forms.push({ formula, order, constants: rounded });
  }
  return forms;
}

function f32FormsOf(rule: Exclude<Rule, { kind: 'cast' }>): readonly Form[] {
  switch (rule.kind) {
    case 'base':
      return [];
    case 'adam-second-moment':
      return adamSecondMomentForms(rule);
    case 'adam-weights':
    case 'lazy-adam-weights':
      return adamWeightsForms(rule);
    case 'nadam-weights':
      return nadamWeightsForms(rule);
    case 'momentum-weights':
      return momentumWeightsForms(rule);
    case 'lion-weights':
      return lionWeightsForms(rule);
    case 'faded-moment':
      return fadedMomentForms(rule);
    case 'gradient-moment':
      return gradientMomentForms(rule);
    case 'step-square':
      return stepSquareForms(rule);
    case 'average':
      return averageForms(rule);
    case 'maximum':
      return [{ formula: 'maximum', order: 0, constants: [] }];
  }
}
