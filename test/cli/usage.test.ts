import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { jsonError, jsonResult, newStore, temporaryFolder, thetalog, writeWeights } from './command-line.js';
import { run } from './in-process.js';

let folder = '';
let store = '';

beforeAll(async () => {
  folder = await temporaryFolder();
  store = await newStore(folder);
});

describe('help and version', () => {
  test('help names every command and exits with 0', async () => {
    const { code, stdout, stderr } = await thetalog(['--help']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    const commands =
      'init save restore list log show stats diff cat tag untag pin unpin fork check forget gc compact';
    for (const command of commands.split(' ')) expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    expect(stdout).toContain('Exit codes:');
  });

  test('the help of a command has its options, the global ones and examples', async () => {
    const { code, stdout } = await thetalog(['help', 'save']);
    expect(code).toBe(0);
    for (const part of [
      '--run <name>',
      '--metric',
      '--strict',
      '--store',
      '--json',
      'Examples:',
      '$ thetalog save',
    ])
      expect(stdout).toContain(part);
  });

  test('prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    const { code, stdout } = await thetalog(['--version']);
    expect([code, stdout]).toEqual([0, `${version}\n`]);
  });
});

describe('wrong usage exits with 2', () => {
  test.each([
    ['no command', []],
    ['unknown command', ['lits']],
    ['unknown option', ['list', '--lst']],
    ['missing argument', ['show']],
    ['too many arguments', ['gc', 'everything']],
    ['no store named', ['list']],
    ['init without a store', ['init']],
    ['save without a run', ['save', 'file']],
    ['a step that is no number', ['save', 'file', '--run', 'r', '--step', '1.5']],
    ['a metric without a value', ['save', 'file', '--run', 'r', '--metric', 'loss']],
    ['a metric given twice', ['save', 'file', '--run', 'r', '--metric', 'a=1', '--metric', 'a=2']],
    ['a share of nothing', ['check', '--read-data=0']],
    ['a policy of no metric', ['forget', '--keep-best', '3']],
    ['a duration without a number', ['forget', '--keep-every-seconds', 'h']],
    ['no time at all', ['forget', '--keep-every-seconds', '0m']],
    ['a step that is none', ['forget', '--keep-steps', '1,two']],
  ])('%s', async (_name, args) => {
    const { code, stdout, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
  });

  test('a mistyped command gets a suggestion', async () => {
    const { code, stderr } = await thetalog(['lits']);
    expect(code).toBe(2);
    expect(stderr).toBe("thetalog: unknown command 'lits'\nhint: Did you mean list?\n");
  });

  test('forget without refs and policy explains itself', async () => {
    const { code, stderr } = await run(['forget', '--store', store]);
    expect(code).toBe(2);
    expect(stderr).toContain('--keep-last');
  });

  test('policies for two runs at once', async () => {
    const outcome = await run(['forget', 'a', 'b', '--keep-last', '1', '--store', store, '--json']);
    expect(outcome.code).toBe(2);
    expect(jsonError(outcome)).toMatchObject({ kind: 'invalid', code: 'several-runs' });
  });

  test('with --json it is an object on stdout', async () => {
    const outcome = await run(['list', '--json', '--nope']);
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toBe('');
    expect(jsonResult(outcome)).toEqual({
      error: {
        kind: 'invalid',
        code: 'usage',
        message: "unknown option '--nope'",
        object: null,
        offset: null,
        hint: expect.any(String),
      },
    });
  });
});

describe('stores', () => {
  test('init of an existing store is a conflict', async () => {
    const outcome = await run(['init', store, '--json']);
    expect(outcome.code).toBe(4);
    expect(jsonError(outcome)).toMatchObject({ kind: 'conflict' });
  });

  test('init prints the id and takes the store from the environment', async () => {
    const location = join(folder, 'from-environment');
    const outcome = await run(['init', '--json'], { env: { THETALOG_STORE: location } });
    expect(outcome.code).toBe(0);
    expect(jsonResult(outcome)).toEqual({ id: expect.stringMatching(/^[0-9a-f]{32}$/), location });
  });

  test.each([
    ['a folder that is not there', 'nowhere'],
    ['a folder that is no store', '.'],
  ])('%s is not found', async (_name, place) => {
    const { code, stderr } = await run(['list', '--store', join(folder, place)]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^thetalog: /);
  });

  test('--store and --json also go before the command', async () => {
    const outcome = await run(['--store', store, '--json', 'stats']);
    expect(outcome.code).toBe(0);
    expect(jsonResult(outcome)).toMatchObject({ checkpoints: 0, logicalBytes: 0 });
  });
});

describe('references', () => {
  let saved: Record<string, unknown> = {};

  beforeAll(async () => {
    const file = await writeWeights(join(folder, 'weights.safetensors'), 1);
    const args = [
      'save',
      file,
      '--run',
      'base',
      '--step',
      '10',
      '--metric',
      'loss=2',
      '--store',
      store,
      '--json',
    ];
    saved = jsonResult(await run(args));
  });

  test.each([
    ['run', 'other'],
    ['step', 'base@step:11'],
    ['metric', 'base@best:accuracy'],
    ['parent', 'base~1'],
    ['id or tag', 'ffffffff'],
  ])('an unknown %s is not found', async (_name, ref) => {
    const outcome = await run(['show', ref, '--store', store, '--json']);
    expect(outcome.code).toBe(3);
    expect(jsonError(outcome)).toMatchObject({ kind: 'not-found', message: expect.any(String) });
  });

  test('an unknown selector is wrong usage', async () => {
    expect((await run(['show', 'base@newest', '--store', store])).code).toBe(2);
  });

  test.each(['base', 'base@latest', 'base@step:10', 'base@best:loss', 'base@best:loss:max'])(
    '%s',
    async (ref) => {
      const { code, stdout } = await run(['show', ref, '--store', store, '-q']);
      expect([code, stdout]).toEqual([0, `${saved.id}\n`]);
    },
  );

  test('an id prefix', async () => {
    const { stdout } = await run(['show', String(saved.id).slice(0, 10), '--store', store, '-q']);
    expect(stdout).toBe(`${saved.id}\n`);
  });
});
