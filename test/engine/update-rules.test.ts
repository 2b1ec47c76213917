/** Which rules are tried for which streams, and when none is. */
import { describe, expect, it } from 'vitest';
import { isNextStep, type RuleFacts, rulesOf } from '../../src/checkpoints/update-rules.js';

function facts(roles: string[], more: Partial<RuleFacts> = {}): RuleFacts {
  return { settings: {}, baseSettings: {}, step: null, roles: new Set(roles), ...more };
}

describe('rules of a role', () => {
  it('are tried one step after the base, or where nobody counts', () => {
    const at = (step: number | null, from?: number) =>
      isNextStep(facts([], { step, baseSettings: from === undefined ? {} : { step: from } }));
    expect([at(11, 10), at(null, 10), at(11), at(null)]).toEqual([true, true, true, true]);
    expect([at(10, 10), at(20, 10), at(9, 10)]).toEqual([false, false, false]);
  });

  it('try the learning rate of the base first: it is the one that was used', () => {
    const rules = rulesOf(
      'weights',
      facts(['weights', 'exp_avg', 'exp_avg_sq'], {
        settings: { lr: 2, weight_decay: 0.1, decoupled_weight_decay: true },
        baseSettings: { lr: 3, step: 7 },
      }),
    );
    const found = rules.map(({ rule }) => (rule.kind === 'adam-weights' ? [rule.lr, rule.step] : []));
    expect(found).toEqual([
      [3, 8],
      [2, 8],
    ]);
  });

  it('go by what the optimizer keeps', () => {
    const kinds = (role: string, roles: string[], settings: RuleFacts['settings'] = {}) => [
      ...new Set(rulesOf(role, facts(roles, { settings })).map(({ rule }) => rule.kind)),
    ];
    const adam = ['weights', 'exp_avg', 'exp_avg_sq'];
    expect(kinds('weights', adam)).toEqual(['adam-weights', 'lazy-adam-weights']);
    expect(kinds('weights', adam, { weight_decay: 0.1 })).toEqual(['adam-weights']);
    expect(kinds('weights', adam, { momentum_decay: 0.004 })).toEqual(['nadam-weights']);
    expect(kinds('weights', ['weights', 'exp_avg'])).toEqual(['lion-weights']);
    expect(kinds('weights', ['weights', 'momentum_buffer'])).toEqual(['momentum-weights']);
    expect(kinds('weights', ['weights', 'sum'])).toEqual([]);
    expect(kinds('max_exp_avg_sq', adam)).toEqual(['maximum']);
    expect(kinds('sum', ['weights', 'sum'])).toEqual(['step-square']);
    expect(kinds('square_avg', ['weights', 'square_avg', 'grad_avg'])).toEqual([]);
  });

  it('take the mean of squares from the buffer, as torch and as TensorFlow fill it', () => {
    const roles = ['weights', 'square_avg', 'momentum_buffer'];
    const rules = rulesOf(
      'square_avg',
      facts(roles, { settings: { lr: 0.25, decay: 0.75, momentum: 0 } }),
    ).map(({ rule }) => rule);
    const shared = { kind: 'step-square', kept: 0, squareKept: 0.75, squareAdded: 0.25 };
    expect(rules).toMatchObject([
      { ...shared, added: 1 },
      { ...shared, added: 0.25 },
    ]);
  });

  it('take the largest second moment where amsgrad keeps it, and decay in the gradient with the weights', () => {
    const roles = ['weights', 'exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'];
    const [{ inputs }] = rulesOf('weights', facts(roles));
    expect(inputs.map(({ role }) => role)).toEqual(['weights', 'exp_avg', 'max_exp_avg_sq']);
    const settings = { momentum: 0.9, weight_decay: 0.01 };
    const [buffer] = rulesOf('momentum_buffer', facts(['weights', 'momentum_buffer'], { settings }));
    expect(buffer.inputs).toEqual([
      { role: 'momentum_buffer', time: 'before' },
      { role: 'weights', time: 'before' },
    ]);
  });
});
