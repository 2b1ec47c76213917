import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { SaveResult } from '../../src/index.js';
import {
  jsonError,
  jsonLines,
  jsonResult,
  newStore,
  temporaryFolder,
  thetalog,
  writeWeights,
} from './command-line.js';
import { run } from './in-process.js';

let folder = '';
let env: Record<string, string> = {};
let first = '';
let second = '';

beforeAll(async () => {
  folder = await temporaryFolder();
  env = { THETALOG_STORE: await newStore(folder) };
  first = await writeWeights(join(folder, 'step-1.safetensors'), 1);
  second = await writeWeights(join(folder, 'step-2.safetensors'), 2);
});

async function assertSameBytes(restored: string, original: string): Promise<void> {
  expect((await readFile(restored)).equals(await readFile(original))).toBe(true);
}

describe('save, list and restore', () => {
  const ids: unknown[] = [];

  beforeAll(async () => {
    const common = ['--run', 'base', '--json', '--epoch', '1', '--meta', 'note=a=b'];
    for (const [step, file] of [first, second].entries()) {
      const metric = `loss=${3 - step}`;
      const outcome = await thetalog(
        ['save', file, ...common, '--step', `${step + 1}`, '--metric', metric],
        env,
      );
      expect(outcome.stderr).toBe('');
      expect(jsonLines(outcome)).toHaveLength(1);
      const result = jsonResult(outcome);
      expect(Object.keys(result)).toEqual([
        'id',
        'run',
        'step',
        'logicalBytes',
        'storedBytes',
        'seconds',
        'warnings',
        'timeline',
      ]);
      expect(result).toMatchObject({ run: 'base', step: step + 1, warnings: [] });
      expect(result.logicalBytes).toBe((await readFile(file)).length);
      ids.push(result.id);
    }
  });

  test('a label is on record and in lists; one that names what is not there exits with 2', async () => {
    const store = await newStore(folder, 'labels');
    const save = ['save', first, '--run', 'l', '--step', '7', '--metric', 'val/loss=0.25', '--store', store];
    expect((await run([...save, '--label', 's{step:03d}-{val/loss:.1f}'])).code).toBe(0);
    expect((await run(save)).code).toBe(0);
    const refused = await run([...save, '--label', '{loss}', '--json']);
    expect(refused.code).toBe(2);
    expect(jsonError(refused)).toMatchObject({ code: 'unknown-label-key', object: 'loss' });
    const { stdout } = await run(['list', '--store', store]);
    expect(stdout).toMatch(/ LABEL .*\n.* s007-0\.3 .*\n/);
    expect(stdout).not.toContain('step-7');
    expect((await run(['show', 'l~1', '--store', store])).stdout).toMatch(/^label +s007-0\.3$/m);
    const out = join(folder, 'labelled');
    const tensors = await run(['restore', 'l~1', '--tensors', '*', '--out', out, '--store', store, '--json']);
    expect(jsonResult(tensors).files).toEqual(['l-s007-0.3.safetensors']);
  });

  test('list prints one object a checkpoint, oldest first', async () => {
    const objects = jsonLines(await thetalog(['list', '--json'], env));
    expect(objects.map((object) => object.id)).toEqual(ids);
    expect(objects[1]).toEqual({
      id: ids[1],
      run: 'base',
      step: 2,
      epoch: 1,
      metrics: { loss: 2 },
      parent: ids[0],
      label: expect.any(String),
      logicalBytes: expect.any(Number),
      storedBytes: expect.any(Number),
      height: expect.any(Number),
      tags: [],
      pinned: false,
      groups: expect.any(Array),
      droppedGroups: [],
    });
  });

  test('list as a table, as ids, of one run, of the last', async () => {
    const table = (await thetalog(['ls'], env)).stdout.split('\n');
    expect(table[0]).toMatch(/^ID +RUN +STEP +EPOCH +METRICS +LOGICAL +STORED +RATIO/);
    expect(table[1]).toContain(String(ids[0]).slice(0, 10));
    expect((await thetalog(['list', 'base', '-q'], env)).stdout).toBe(`${ids.join('\n')}\n`);
    expect((await thetalog(['list', '--last', '1', '-q'], env)).stdout).toBe(`${ids[1]}\n`);
    expect((await thetalog(['list', 'other'], env)).code).toBe(3);
  });

  test('show prints what was said of it, its files and tensors', async () => {
    const detail = jsonResult(await thetalog(['show', 'base', '--json'], env));
    expect(detail).toMatchObject({ id: ids[1], meta: { note: 'a=b' }, kind: 'files' });
    expect(detail.files).toEqual([
      expect.objectContaining({ path: 'step-2.safetensors', format: 'safetensors' }),
    ]);
    expect(detail.tensors).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'layer.weight', dtype: 'f32', shape: [16, 32], bytes: 2048 }),
      ]),
    );
    const text = (await thetalog(['show', 'base'], env)).stdout;
    expect(text).toMatch(/^layer\.weight +\w+ +f32 +\[16, 32\] +2\.00 KiB$/m);
  });

  test('restore writes the same bytes, and again nothing', async () => {
    const out = join(folder, 'restored');
    for (const ref of ['base@step:1', 'base'])
      expect((await thetalog(['restore', ref, '--out', out], env)).code).toBe(0);
    await assertSameBytes(join(out, 'step-1.safetensors'), first);
    await assertSameBytes(join(out, 'step-2.safetensors'), second);
    const again = jsonResult(await thetalog(['restore', 'base', '--out', out, '--json'], env));
    expect(again).toMatchObject({ id: ids[1], files: [], bytes: 0 });
  });

  test('restore onto other content is a conflict without --force', async () => {
    const out = join(folder, 'taken');
    await mkdir(out);
    const taken = join(out, 'step-1.safetensors');
    await writeFile(taken, 'mine');
    const outcome = await thetalog(['restore', 'base@step:1', '--out', out, '--json'], env);
    expect(outcome.code).toBe(4);
    expect(jsonError(outcome)).toMatchObject({ kind: 'conflict', hint: expect.stringContaining('--force') });
    expect(await readFile(taken, 'utf8')).toBe('mine');
    expect(await readdir(out)).toEqual(['step-1.safetensors']);
    expect((await thetalog(['restore', 'base@step:1', '--out', out, '--force', '-q'], env)).stdout).toBe('');
    await assertSameBytes(taken, first);
  });

  test('--tensors restores the matching ones', async () => {
    const out = join(folder, 'some');
    const result = jsonResult(
      await thetalog(['restore', 'base', '--out', out, '--tensors', '*.bias', '--json'], env),
    );
    const [file] = result.files as string[];
    const bytes = await readFile(join(out, String(file)));
    expect(bytes.toString('latin1')).toContain('layer.bias');
    expect(bytes.toString('latin1')).not.toContain('layer.weight');
  });
});

describe('what save takes', () => {
  test('a folder and a file make one checkpoint; -q prints its id', async () => {
    const source = join(folder, 'checkpoint-5');
    await mkdir(join(source, 'nested'), { recursive: true });
    await writeFile(join(source, 'nested', 'notes.txt'), 'hello');
    const { code, stdout } = await thetalog(['save', source, first, '--run', 'mixed', '-q'], env);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[0-9a-f]{32}\n$/);
    const out = join(folder, 'mixed');
    await thetalog(['restore', stdout.trim(), '--out', out], env);
    expect(await readFile(join(out, 'checkpoint-5', 'nested', 'notes.txt'), 'utf8')).toBe('hello');
    await assertSameBytes(join(out, 'step-1.safetensors'), first);
  });

  test('equal basenames are wrong usage', async () => {
    await mkdir(join(folder, 'twin'));
    const twin = await writeWeights(join(folder, 'twin', 'step-1.safetensors'), 9);
    expect((await thetalog(['save', first, twin, '--run', 'twins'], env)).code).toBe(2);
  });

  test('a file that is not there is not found', async () => {
    expect((await thetalog(['save', join(folder, 'nothing'), '--run', 'base'], env)).code).toBe(3);
  });

  test('a damaged file is kept byte for byte with a warning, and refused with --strict', async () => {
    const damaged = await writeWeights(join(folder, 'damaged.safetensors'), 3);
    await truncate(damaged, 1000);
    const strict = await thetalog(['save', damaged, '--run', 'bad', '--strict', '--json'], env);
    expect(strict.code).toBe(5);
    expect(jsonError(strict)).toMatchObject({ kind: 'corrupt', object: expect.stringContaining('damaged') });
    const outcome = await thetalog(['save', damaged, '--run', 'bad', '--json'], env);
    expect(outcome.code).toBe(0);
    const [warning] = jsonResult(outcome).warnings as Record<string, unknown>[];
    expect(warning).toMatchObject({ object: expect.stringContaining('damaged.safetensors') });
    expect(outcome.stderr).toMatch(/^warning: .*damaged\.safetensors.*\n$/);
    const out = join(folder, 'undamaged');
    await thetalog(['restore', 'bad', '--out', out], env);
    await assertSameBytes(join(out, 'damaged.safetensors'), damaged);
  });

  test('a diverged loss is recorded', async () => {
    const outcome = await thetalog(['save', first, '--run', 'diverged', '--metric', 'loss=nan'], env);
    expect(outcome.code).toBe(0);
    expect((await thetalog(['list', 'diverged'], env)).stdout).toContain('loss=NaN');
  });
});

test('save --explain shows where the bytes went, in text and in JSON', async () => {
  const store = await newStore(await temporaryFolder());
  const args = ['--store', store, '--run', 'e', '--explain'];
  const json = jsonResult(await thetalog(['save', first, ...args, '--json'])) as unknown as SaveResult;
  expect(json.explain).toMatchObject({ storedBytes: json.storedBytes, groups: [{}, {}] });
  const text = (await thetalog(['save', first, ...args])).stdout;
  expect(text).toMatch(/PART +DTYPE +PREDICTOR.*\nmodel weights +f32 +unchanged/);
  expect(text).toMatch(/\ntotal +\d+$/m);
});
