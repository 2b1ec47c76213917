import { expect, test } from 'vitest';
import { inMemory, onDisk, segmentSound } from './sources.js';

function state(text: string) {
  return segmentSound(inMemory('run/checkpoint-7/trainer_state.json', new TextEncoder().encode(text)));
}

test('step, epoch and the newest numbers of the log', async () => {
  const log = [
    { step: 5, epoch: 0.5, loss: 3.1, learning_rate: 0.1 },
    { step: 6, epoch: 0.6, eval_loss: 2.9 },
    { step: 7, epoch: 0.7, loss: 2.5 },
  ];
  const text = JSON.stringify({ global_step: 7, epoch: 0.7, log_history: log });
  expect(await state(text)).toEqual({
    format: 'hf-trainer-state',
    ranges: [],
    step: 7,
    epoch: 0.7,
    metrics: { loss: 2.5, eval_loss: 2.9, learning_rate: 0.1 },
  });
});

test('NaN as Python writes it is left out, the rest is read', async () => {
  const found = await state(
    '{"global_step": 7, "log_history": [{"loss": NaN, "grad_norm": -Infinity, "eval_loss": 1}]}',
  );
  expect(found).toMatchObject({ step: 7, metrics: { eval_loss: 1 } });
});

test('what is missing or odd is left out', async () => {
  expect(await state('{"global_step": "7", "epoch": -1, "log_history": {}}')).toEqual({
    format: 'hf-trainer-state',
    ranges: [],
  });
});

test('numbers of a name that is none are left out', async () => {
  const long = 'x'.repeat(129);
  expect((await state(`{"log_history": [{"${long}": 1, "loss": 2}]}`)).metrics).toEqual({ loss: 2 });
});

test('the state of a real trainer', async () => {
  const path = new URL('../../fixtures/hf-trainer/checkpoint-100/trainer_state.json', import.meta.url)
    .pathname;
  const { step, metrics } = await segmentSound(onDisk(path));
  expect(step).toBe(100);
  expect(metrics?.loss).toBeGreaterThan(0);
});
