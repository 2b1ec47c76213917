/**
 * TensorFlow.js itself: a training that was saved, ended and restored in another process takes the same steps as one that went on. Seen to
 * fail with Adam's running powers computed anew, as `setWeights` does.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore, type StateValue, type Tensor } from '../../src/index.js';
import { blocksOf } from '../docs/readme-blocks.js';
import { npmFolder } from './installed.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PROGRAM = fileURLToPath(new URL('tfjs-training.mjs', import.meta.url));
const TRACES = join(ROOT, 'fixtures/tfjs_traces.mjs');
const [WHOLE, CUT] = [40, 17];
const JOBS = [
  'sgd',
  'momentum',
  'nesterov',
  'rmsprop',
  'rmsprop-centered',
  'adagrad',
  'adadelta',
  'adam',
  'adamax',
  'compiled',
  'variables',
];

const start = promisify(execFile);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'thetalog-tfjs-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function train(store: string, backend: string, to: number, otherLayers = 0): Promise<void> {
  await start(process.execPath, [PROGRAM, npmFolder ?? '', store, backend, String(to), String(otherLayers)]);
}

/** All that a run has in its last checkpoint, tensors as their bytes. */
async function lastState(location: string, run: string): Promise<unknown> {
  const store = await openStore(location);
  const state = await store.run(run).restore();
  await store.close();
  return inBytes(state);
}

function inBytes(value: StateValue): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('data' in value && ArrayBuffer.isView(value.data)) {
    const { dtype, shape, data } = value as Tensor;
    return { dtype, shape, hex: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex') };
  }
  if (Array.isArray(value)) return value.map(inBytes);
  return Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, inBytes(item)]));
}

describe.skipIf(npmFolder === undefined).each(['cpu', 'wasm'])(
  'tfjs on %s, saved, ended and restored in another process',
  (backend) => {
    const [whole, cut] = [`whole-${backend}`, `cut-${backend}`];

    beforeAll(async () => {
      await train(join(folder, whole), backend, WHOLE);
      await train(join(folder, cut), backend, CUT);
      await train(join(folder, cut), backend, WHOLE, 3);
    });

    test.each(JOBS)('goes on with the same bits: %s', async (job) => {
      const expected = await lastState(join(folder, whole), job);
      expect(JSON.stringify(expected)).toContain('"hex":"');
      expect(await lastState(join(folder, cut), job)).toEqual(expected);
    });
  },
);

describe.skipIf(npmFolder === undefined)('tfjs', () => {
  test('saves of Adam one step apart compute weights and second moments: 3.5x and more', async () => {
    const { stdout } = await start(process.execPath, [TRACES, npmFolder ?? '', '60', 'adam']);
    expect(stdout).toMatch(/weights adam-weights .* v adam-second-moment/);
    expect(Number(/\| tfjs-adam 1 \| ([\d.]+) \|/.exec(stdout)?.[1])).toBeGreaterThan(3.5);
  });

  describe('the program of the README', () => {
    const [program] = blocksOf('ts tfjs');

    beforeAll(() => {
      mkdirSync(join(folder, 'node_modules'));
      symlinkSync(ROOT, join(folder, 'node_modules/thetalog'), 'dir');
      symlinkSync(
        join(npmFolder ?? '', 'node_modules/@tensorflow'),
        join(folder, 'node_modules/@tensorflow'),
        'dir',
      );
      writeFileSync(join(folder, 'program.mts'), program);
    });

    test('runs, and goes on where it was', async () => {
      const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
      const { outputText } = ts.transpileModule(program, { compilerOptions: options });
      writeFileSync(join(folder, 'program.mjs'), outputText);
      const first = await start(process.execPath, ['program.mjs'], { cwd: folder });
      const second = await start(process.execPath, ['program.mjs'], { cwd: folder });
      expect(
        [first.stdout, second.stdout].map((text) => /from step (\d+) to (\d+)/.exec(text)?.slice(1)),
      ).toEqual([
        ['0', '20'],
        ['20', '40'],
      ]);
    });

    test('has the types of the library', () => {
      const compiled = ts.createProgram([join(folder, 'program.mts')], {
        strict: true,
        noEmit: true,
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.NodeNext,
        skipLibCheck: true,
        types: ['node'],
        typeRoots: [join(ROOT, 'node_modules/@types')],
      });
      const problems = ts.getPreEmitDiagnostics(compiled).map(({ messageText }) => {
        return ts.flattenDiagnosticMessageText(messageText, '\n');
      });
      expect(problems).toEqual([]);
    });
  });
});
