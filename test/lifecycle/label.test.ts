import { describe, expect, test } from 'vitest';
import { LabelTemplate } from '../../src/checkpoints/index.js';
import { MemoryStorage } from '../../src/index.js';
import { makeStore } from '../engine/make-store.js';

const FACTS = {
  run: 'gpt',
  step: 1200,
  epoch: 3,
  metrics: {
    'val/loss': 0.012345,
    up: 1234567.891,
    'a:b': -7.5,
    nan: NaN,
    inf: -Infinity,
    '': 1,
    toString: 2,
  },
  meta: { host: 'node-7', '{x}': 'braces' },
};

describe('a label', () => {
  test.each([
    ['epoch={epoch}-step={step}-val_loss={val/loss:.2f}', 'epoch=3-step=1200-val_loss=0.01'],
    ['{run}/{host}', 'gpt/node-7'],
    ['{epoch:02d}|{step:08d}|{step:8d}|{step:d}', '03|00001200|    1200|1200'],
    ['{val/loss:d}|{a:b:d}|{a:b:05d}', '0|-7|-0007'],
    ['{val/loss:f}|{val/loss:.3f}|{a:b:8.1f}|{a:b:08.1f}', '0.012345|0.012|    -7.5|-00007.5'],
    ['{val/loss:e}|{val/loss:.1e}|{up:.0e}|{a:b:.2e}', '1.234500e-02|1.2e-02|1e+06|-7.50e+00'],
    ['{up:g}|{up:.3g}|{val/loss:.2g}', '1234570|1230000|0.012'],
    ['{up}|{val/loss}|{epoch}', '1234567.891|0.012345|3'],
    ['{nan:.2f}|{inf:d}', 'nan|-inf'],
    ['{toString:d}', '2'],
    ['{{literal}} }} {{', '{literal} } {'],
    ['no braces', 'no braces'],
    ['', ''],
    ['{host:.2f}', 'node-7'],
  ])('%j is %j', (template, label) => {
    expect(new LabelTemplate(template).render(FACTS)).toBe(label);
  });

  test.each([
    '{',
    '}',
    '{step',
    'step}',
    '{}',
    '{:d}',
    '{step:x}',
    '{step:.f}',
    '{step:2}',
    '{step:}',
    '{{step}',
  ])('%j is invalid', (template) => {
    expect(() => new LabelTemplate(template)).toThrow(
      expect.objectContaining({ kind: 'invalid', code: 'bad-label', object: template }),
    );
  });

  test.each([
    ['{train/loss:.2f}', 'train/loss'],
    ['{step}-{hasOwnProperty}', 'hasOwnProperty'],
    ['{val/loss} {val}', 'val'],
  ])('%j names what is not there: %s', (template, key) => {
    expect(() => new LabelTemplate(template).assertKnown(FACTS)).toThrow(
      expect.objectContaining({ kind: 'invalid', code: 'unknown-label-key', object: key }),
    );
    expect(() => new LabelTemplate('{step}').assertKnown({ ...FACTS, step: null })).toThrow();
  });

  test('is on record, and a wrong one saves nothing', async () => {
    const { store } = await makeStore(new MemoryStorage());
    const run = store.run('gpt');
    const state = {
      model: { w: new Float32Array(10) },
      progress: { step: 5, epoch: 2 },
      metrics: { loss: 0.25 },
    };
    await expect(run.save(state, { label: '{lost}' })).rejects.toMatchObject({ code: 'unknown-label-key' });
    await (await run.save(state, { label: 'e{epoch}-s{step:04d}-{loss:.1f}/{host}', meta: { host: 'a' } }))
      .committed;
    await (await run.save(state)).committed;
    expect((await store.list()).map(({ label }) => label)).toEqual(['e2-s0005-0.3/a', 'step-5']);
  });
});
