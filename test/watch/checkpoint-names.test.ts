/** What names say: those that libraries give to checkpoints, and those that they give to what is not whole. */
import { expect, test } from 'vitest';
import {
  checkpointOf,
  isCheckpointFile,
  isCheckpointFolder,
  progressOfName,
} from '../../src/lifecycle/checkpoint-names.js';

test.each([
  ['step-100.pth', { step: 100 }],
  ['epoch=3-step=1200.ckpt', { epoch: 3, step: 1200 }],
  ['epoch=3-val_loss=0.25.ckpt', { epoch: 3 }],
  ['ckpt_epoch3_iter500.pt', { epoch: 3, step: 500 }],
  ['checkpoint_3_1200.pt', { epoch: 3, step: 1200 }],
  ['ep2-ba100-rank0.pt', { epoch: 2, step: 100 }],
  ['model_000100.pt', { number: 100 }],
  ['optim_000100_rank0.pt', { number: 100 }],
  ['ckpt-100.index', { step: 100 }],
  ['ckpt-100.data-00000-of-00001', { step: 100 }],
  ['model-00001-of-00002.safetensors', {}],
  ['model-20240101120000.pt', {}],
  ['resnet50.pth', {}],
  ['last.ckpt', {}],
])('the file %s says %o', (name, progress) => {
  expect(isCheckpointFile(name)).toBe(true);
  expect(progressOfName(name)).toEqual(progress);
});

test.each([
  ['checkpoint-500', { step: 500 }],
  ['global_step500', { step: 500 }],
  ['iter_0000500', { step: 500 }],
  ['500', { step: 500 }],
  ['checkpoint_3', { step: 3 }],
  ['epoch_3', { epoch: 3 }],
  ['epoch=3-step=1200.ckpt', { epoch: 3, step: 1200 }],
  ['last', {}],
  ['best_model', {}],
])('the folder %s says %o', (name, progress) => {
  expect(isCheckpointFolder(name)).toBe(true);
  expect(progressOfName(name)).toEqual(progress);
});

test.each([
  'step-100.pth.tmp',
  'step-100.pth.part',
  '.step-100.pth',
  'tmp-checkpoint-500',
  'checkpoint-500.tmp',
  '500.orbax-checkpoint-tmp-1700000000',
  'ckpt-1_temp',
  'ckpt-1.data-00000-of-00001.tempstate123',
  'checkpoint_tmp',
  'step=100.partial',
  'step-100.pth.done',
  'checkpoints',
  'lightning_logs',
  'wandb',
  'training_args.bin',
  'config.json',
])('%s is no checkpoint that is whole', (name) => {
  expect(isCheckpointFile(name)).toBe(false);
  expect(isCheckpointFolder(name) && name !== 'training_args.bin' && name !== 'step-100.pth.done').toBe(
    false,
  );
});

test('files of one checkpoint have one name', () => {
  const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
  expect(new Set([...shards, 'model.safetensors.index.json'].map(checkpointOf))).toEqual(
    new Set(['model.safetensors']),
  );
  expect(checkpointOf('ckpt-100.index')).toBe(checkpointOf('ckpt-100.data-00000-of-00001'));
  expect(checkpointOf('step-100.pth')).not.toBe(checkpointOf('step-101.pth'));
});
