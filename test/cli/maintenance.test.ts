import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { safetensors } from '../engine/folders.js';
import {
  jsonError,
  jsonLines,
  jsonResult,
  newStore,
  type Outcome,
  temporaryFolder,
  thetalog,
  writeWeights,
} from './command-line.js';
import { run } from './in-process.js';

const STEPS = [1, 2, 3, 4, 5, 6];

let folder = '';
let env: Record<string, string> = {};

function command(...args: string[]): Promise<Outcome> {
  return run(args, { env });
}

async function steps(name: string): Promise<unknown[]> {
  return jsonLines(await command('list', name, '--json')).map((checkpoint) => checkpoint.step);
}

async function saveRun(name: string): Promise<void> {
  for (const step of STEPS) {
    const file = await writeWeights(join(folder, `step-${step}.safetensors`), step);
    const metric = `loss=${Math.abs(step - 3)}`;
    const { code } = await command('save', file, '--run', name, '--step', String(step), '--metric', metric);
    expect(code).toBe(0);
  }
}

beforeAll(async () => {
  folder = await temporaryFolder();
  env = { THETALOG_STORE: await newStore(folder) };
  await saveRun('base');
});

describe('names and lineage', () => {
  test('tag and untag', async () => {
    expect((await command('tag', 'base@step:2', 'good')).stdout).toMatch(/^tagged .*step 2\) as good\n$/);
    expect(jsonResult(await command('show', 'good', '--json'))).toMatchObject({ step: 2, tags: ['good'] });
    expect((await command('untag', 'good')).code).toBe(0);
    expect((await command('show', 'good')).code).toBe(3);
    expect((await command('untag', 'good')).code).toBe(3);
  });

  test('pin and unpin', async () => {
    expect(jsonResult(await command('pin', 'base@step:2', '--json'))).toMatchObject({ pinned: true });
    expect((await command('list', 'base')).stdout).toContain('pinned');
    expect(jsonResult(await command('unpin', 'base@step:2', '--json'))).toMatchObject({ pinned: false });
  });

  test('fork starts a run; log follows it across runs and draws it', async () => {
    const forked = jsonResult(await command('fork', 'base@best:loss', '--run', 'tuned', '--json'));
    expect(forked).toMatchObject({ run: 'tuned', step: 3, storedBytes: 0 });
    const log = jsonLines(await command('log', 'tuned', '--json'));
    expect(log.map(({ run: name, step }) => [name, step])).toEqual([
      ['tuned', 3],
      ['base', 3],
      ['base', 2],
      ['base', 1],
    ]);
    const graph = (await command('log', '--graph')).stdout.split('\n');
    expect(graph.filter((line) => /^[*|] [*|]? ?/.test(line))).toHaveLength(STEPS.length + 1);
    expect(graph).toContain('|/');
  });

  test('fork onto an existing run is a conflict', async () => {
    const outcome = await command('fork', 'base', '--run', 'base', '--json');
    expect(outcome.code).toBe(4);
    expect(jsonError(outcome)).toMatchObject({ kind: 'conflict' });
  });
});

describe('diff', () => {
  test('counts what changed', async () => {
    const difference = jsonResult(await command('diff', 'base@step:1', 'base@step:2', '--json'));
    expect(difference.tensors).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'layer.weight', change: 'changed', elements: 512 }),
        expect.objectContaining({ name: 'layer.bias', change: 'equal' }),
      ]),
    );
  });

  test('prints the changed tensors and a summary', async () => {
    const { stdout } = await command('diff', 'base@step:1', 'base@step:2');
    expect(stdout).toMatch(/^layer\.weight +changed +f32 +\[16, 32\] +\d+ \([\d.]+ %\) +\d/m);
    expect(stdout).not.toContain('layer.bias');
    expect(stdout).toMatch(/tensors: 1 changed, 1 equal \([\d.]+ % of elements changed\); files: /);
    expect((await command('diff', 'base', 'base', '-q')).stdout).toBe('');
  });
});

describe('check', () => {
  test('a sound store', async () => {
    const { code, stdout } = await command('check', '--read-data');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^checked \d+ checkpoints, .*: sound\n$/)]);
    const report = jsonResult(await command('check', '--read-data=50%', '--json'));
    expect(report).toMatchObject({
      damaged: [],
      checkpoints: expect.any(Number),
      chunks: expect.any(Number),
    });
  });

  test('a damaged pack exits with 5 and names the object and what needs it', async () => {
    const store = await newStore(folder, 'damaged');
    const file = await writeWeights(join(folder, 'weights.safetensors'), 7);
    await run(['save', file, '--run', 'base', '--store', store]);
    const packs = (await readdir(store, { recursive: true })).filter((path) => path.startsWith('packs/'));
    const pack = join(store, String(packs.sort().at(-1)));
    const handle = await open(pack, 'r+');
    const middle = Math.floor((await stat(pack)).size / 2);
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, middle);
    await handle.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, middle);
    await handle.close();
    const outcome = await thetalog(['check', '--read-data', '--store', store, '--json']);
    expect(outcome.code).toBe(5);
    const [damage] = jsonResult(outcome).damaged as Record<string, unknown>[];
    expect(damage).toMatchObject({
      object: expect.stringContaining('packs/'),
      checkpoints: [expect.objectContaining({ run: 'base' })],
    });
    expect((await run(['check', '--read-data', '--store', store])).stdout).toMatch(
      /^damaged: packs.*\n {2}needed by /,
    );
  });
});

describe('forget, compact and gc', () => {
  const POLICY = ['forget', 'base', '--keep-last', '1', '--keep-best', '1:loss:min', '--keep-every', '4'];

  test('a dry run says what it would do, with reasons, and does nothing', async () => {
    const { stdout } = await command(...POLICY, '--dry-run');
    expect(stdout).toMatch(/ would forget +no policy keeps it$/m);
    expect(stdout).toMatch(/ +6 +would keep +last 1/m);
    expect(stdout).toMatch(/\nwould forget 3 checkpoints, keep 3\n$/);
    expect(await steps('base')).toEqual(STEPS);
  });

  test('policies by time, listed steps and octaves of steps', async () => {
    const wanted = async (...policy: string[]): Promise<Record<string, string>> => {
      const { decisions } = jsonResult(await command('forget', 'base', ...policy, '--dry-run', '--json'));
      const kept = (decisions as { step: number; forget: boolean; reasons: string[] }[]).filter(
        ({ forget, reasons }) => !forget && reasons.some((reason) => !/^tag|^pinned/.test(reason)),
      );
      return Object.fromEntries(kept.map(({ step, reasons }) => [step, reasons[0]]));
    };
    expect(await wanted('--keep-every-seconds', '2h')).toEqual({ [STEPS[0]]: 'every 7200 s' });
    expect(await wanted('--keep-steps', '3,5', '--keep-steps', '6')).toEqual({
      3: 'one of the steps',
      5: 'one of the steps',
      6: 'one of the steps',
    });
    expect(await wanted('--keep-log-spaced')).toEqual({ 1: 'log-spaced', 2: 'log-spaced', 4: 'log-spaced' });
  });

  test('forget keeps what any policy wants', async () => {
    const { decisions } = jsonResult(await command(...POLICY, '--json'));
    const forgotten = (decisions as { step: number; forget: boolean }[]).filter(
      (decision) => decision.forget,
    );
    expect(forgotten.map((decision) => decision.step).sort()).toEqual([1, 2, 5]);
    expect(await steps('base')).toEqual([3, 4, 6]);
  });

  test('forget by name prints what can be reclaimed', async () => {
    const { code, stdout } = await command('forget', 'tuned');
    expect(code).toBe(0);
    expect(stdout).toMatch(/forgot 1 checkpoint\nstored .*reclaimable by gc and compact: .* -> /);
  });

  test('compact and gc print bytes before and after; what is left restores', async () => {
    expect((await command('compact', '--dry-run')).stdout).toMatch(/^would encode \d+ chunks? anew, copy/);
    expect((await command('compact')).stdout).toMatch(/\nlive chunk data .* -> .*\n/);
    const planned = jsonResult(await command('gc', '--dry-run', '--json'));
    expect(planned).toMatchObject({ dryRun: true });
    const { stdout } = await command('gc');
    expect(stdout).toMatch(/^deleted \d+ unreferenced objects?, .*; stored .* -> .*\n/);
    const out = join(folder, 'left');
    for (const step of [3, 4, 6]) {
      expect((await command('restore', `base@step:${step}`, '--out', out)).code).toBe(0);
      const name = `step-${step}.safetensors`;
      expect((await readFile(join(out, name))).equals(await readFile(join(folder, name)))).toBe(true);
    }
    expect((await command('check', '--read-data', '-q')).stdout).toBe('');
  });

  test('stats agrees with the files of the store', async () => {
    const { storedBytes } = jsonResult(await command('stats', '--json'));
    const store = String(env.THETALOG_STORE);
    const sizes = await Promise.all(
      (await readdir(store, { recursive: true })).map(async (path) => {
        const status = await stat(join(store, path));
        return status.isFile() ? status.size : 0;
      }),
    );
    const sum = sizes.reduce((total, size) => total + size, 0);
    expect(Math.abs(Number(storedBytes) - sum)).toBeLessThanOrEqual(sum / 100);
    expect((await command('stats')).stdout).toMatch(/^stored +[\d.]+ \w+ \([\d.]+x\)$/m);
  });
});

describe('forget --keep-groups', () => {
  const POLICY = ['forget', 'grown', '--keep-last', '1', '--keep-groups', 'model:last=2'];
  const MOMENT = 'optimizer.h.exp_avg';

  beforeAll(async () => {
    for (const step of [1, 2, 3]) {
      const file = join(folder, 'grown.safetensors');
      const values = Float32Array.from({ length: 2000 }, (_, at) => Math.sin(at + step));
      await writeFile(file, safetensors({ 'h.weight': values, [MOMENT]: values.map((x) => x * x) }));
      expect((await command('save', file, '--run', 'grown', '--step', String(step))).code).toBe(0);
    }
  });

  test('a dry run says what would be dropped, in words and as JSON, and does nothing', async () => {
    const { stdout } = await command(...POLICY, '--dry-run');
    expect(stdout).toMatch(/ +1 +would forget +no policy keeps it\n/);
    expect(stdout).toMatch(/ +2 +would drop optimizer +model of last 2\n/);
    expect(stdout).toMatch(/ +3 +would keep +last 1, model of last 2\n/);
    expect(stdout).toMatch(/\nwould forget 1 checkpoint, keep 2, drop groups of 1 of them\n$/);
    const { decisions, dryRun } = jsonResult(await command(...POLICY, '--dry-run', '--json'));
    expect(dryRun).toBe(true);
    expect(decisions).toMatchObject([
      { step: 1, forget: true, dropGroups: [] },
      { step: 2, forget: false, dropGroups: ['optimizer'] },
      { step: 3, forget: false, dropGroups: [] },
    ]);
    expect(await droppedBySteps()).toEqual({ 1: [], 2: [], 3: [] });
  });

  test('without it, groups are dropped, list and show say so, and the rest restores', async () => {
    const { stdout } = await command(...POLICY);
    expect(stdout).toMatch(/ +2 +dropped optimizer +model of last 2\n/);
    expect(stdout).toMatch(/\nforgot 1 checkpoint, kept 2, dropped groups of 1 of them\nstored /);
    expect(await droppedBySteps()).toEqual({ 2: ['optimizer'], 3: [] });
    expect((await command('list', 'grown')).stdout).toMatch(/no optimizer/);
    expect((await command('show', 'grown@step:2')).stdout).toMatch(/\(dropped: optimizer\)/);
    expect(jsonResult(await command('show', 'grown@step:2', '--json'))).toMatchObject({
      groups: ['model'],
      tensors: [{ name: 'h.weight' }],
      droppedTensors: [{ name: MOMENT, group: 'optimizer' }],
      droppedFiles: [{ path: 'grown.safetensors' }],
    });
    const out = join(folder, 'grown');
    const whole = await command('restore', 'grown@step:2', '--out', out, '--json');
    expect([whole.code, jsonError(whole).code]).toEqual([3, 'group-dropped']);
    expect((await command('restore', 'grown@step:2', '--out', out, '--tensors', 'h.*')).code).toBe(0);
    const left = await command('restore', 'grown@step:2', '--out', `${out}-left`, '--allow-damaged');
    expect([left.code, left.stdout]).toEqual([
      0,
      expect.stringMatching(/^without optimizer: dropped by retention\nrestored /),
    ]);
    expect((await command('restore', 'grown@step:3', '--out', out)).code).toBe(0);
  });

  test('of one checkpoint, named; JSON says what was dropped', async () => {
    const { decisions } = jsonResult(await command('forget', 'grown', '--keep-groups', 'model', '--json'));
    expect(decisions).toMatchObject([
      { step: 3, forget: false, dropGroups: ['optimizer'], reasons: ['named'] },
    ]);
    expect(await droppedBySteps()).toEqual({ 2: ['optimizer'], 3: ['optimizer'] });
  });

  async function droppedBySteps(): Promise<Record<string, unknown>> {
    const listed = jsonLines(await command('list', 'grown', '--json'));
    return Object.fromEntries(listed.map(({ step, droppedGroups }) => [step, droppedGroups]));
  }
});
