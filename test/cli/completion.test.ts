/**
 * Completion by the shells themselves: bash always, zsh and fish where they are installed. Needs a build. Candidates are seen to fail
 * when the first steps are offered instead of the latest, or one twice; when the word after `--store` is not taken for its value;
 * when an argument that repeats is offered once, or one that does not again; and when a folder is completed as a file.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { COMPLETION_SCRIPTS } from '../../src/cli/completion-scripts.js';
import { createStore } from '../../src/index.js';
import { newStore, temporaryFolder, thetalog, writeWeights } from './command-line.js';
import { run } from './in-process.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let folder = '';
let store = '';

beforeAll(async () => {
  folder = await temporaryFolder();
  store = await newStore(folder);
  await mkdir(join(folder, 'bin'));
  await mkdir(join(folder, 'weights'));
  const program = `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`;
  await writeFile(join(folder, 'bin/thetalog'), program, { mode: 0o755 });
  const file = await writeWeights(join(folder, 'weights.safetensors'), 1);
  for (const step of ['5', '7'])
    await thetalog([
      'save',
      file,
      '--run',
      'base',
      '--step',
      step,
      '--metric',
      'loss=1',
      '--store',
      store,
      '-q',
    ]);
  await thetalog(['tag', 'base', 'best-so-far', '--store', store, '-q']);
});

/** What a shell offers for a line, one each. */
function shell(name: string, args: string[], script: string): Promise<string[]> {
  const env = {
    ...process.env,
    PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}`,
    THETALOG_STORE: store,
  };
  return new Promise((resolve, reject) => {
    const child = execFile(name, [...args, script], { cwd: folder, env }, (error, stdout, stderr) => {
      if (error !== null || stderr !== '') reject(new Error(`${name}: ${stderr}`));
      else resolve(stdout.split('\n').filter((line) => line !== ''));
    });
    child.stdin?.end();
  });
}

function isInstalled(name: string): boolean {
  return spawnSync(name, ['--version']).status === 0;
}

/** bash calls the function with the line that it has; the reply lacks what is before the last of `@`, `:` and `=`. */
async function inBash(line: string): Promise<string[]> {
  const script = `${COMPLETION_SCRIPTS.bash}
COMP_LINE='${line}' COMP_POINT=${line.length} COMP_WORDS=(thetalog)
$(complete -p thetalog | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return shell('bash', ['--norc', '-c'], script);
}

describe.each<[string, (line: string) => Promise<string[]>, boolean]>([
  ['bash', inBash, true],
  [
    'fish',
    async (line) =>
      (await shell('fish', ['--no-config', '-c'], `${COMPLETION_SCRIPTS.fish}\ncomplete -C '${line}'`)).map(
        (candidate) => candidate.replace(/\t.*/, '').replace(/^(--[a-z]+=|base@)/, ''),
      ),
    isInstalled('fish'),
  ],
  [
    'zsh',
    async (line) => {
      const words = line.split(' ').map((word) => `'${word}'`);
      const stubs = 'compdef() { : }; compadd() { print -rl -- $values }; _files() { print -rl -- weights* }';
      const script = `${stubs}\n${COMPLETION_SCRIPTS.zsh}\nwords=(${words.join(' ')}); CURRENT=$#words; _thetalog`;
      const offered = await shell('zsh', ['-f', '-c'], script);
      return offered.map((candidate) => candidate.replace(/^(--[a-z]+=|base@)/, ''));
    },
    isInstalled('zsh'),
  ],
])('%s', (_name, offered, installed) => {
  test.runIf(installed).each([
    ['thetalog re', ['repair', 'restore']],
    ['thetalog show b', ['base', 'best-so-far']],
    ['thetalog diff base@step:5 base@step:', ['step:5', 'step:7']],
    ['thetalog untag ', ['best-so-far']],
    ['thetalog diff --by=c', ['changed']],
    ['thetalog save --ru', ['--run']],
    ['thetalog restore base --out wei', ['weights']],
  ])('%s', async (line, expected) => {
    const found = (await offered(line)).map((candidate) => candidate.replace(/^step:|\/$/, ''));
    const wanted = expected.map((candidate) => candidate.replace(/^step:/, ''));
    expect(found.filter((name) => name !== 'weights.safetensors').sort()).toEqual(wanted);
  });
});

describe('candidates', () => {
  const complete = async (...words: string[]): Promise<string[]> =>
    (await run(['__complete', '--', ...words], { env: { THETALOG_STORE: store } })).stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\t')[0]);

  test.each<[string[], string[]]>([
    [
      ['log', ''],
      ['base', 'best-so-far'],
    ],
    [
      ['log', 'base@'],
      ['base@latest', 'base@step:5', 'base@step:7', 'base@best:loss'],
    ],
    [['plot', ''], ['base']],
    [['plot', 'base', '--svg', ''], [':files']],
    [['list', '--last', ''], []],
    [['forget', 'base', 'be'], ['best-so-far']],
    [
      ['-q', 'help', 'com'],
      ['compact', 'completion'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['--store', '/nowhere', 'show', ''], []],
    [['show', '--store=/nowhere', ''], []],
    [['nonsense', 'sho'], ['show']],
  ])('%j', async (words, expected) => {
    expect(await complete(...words)).toEqual(expected);
  });

  test.each<[string[], string[]]>([
    [['save', 'a.pt', 'b'], [':files']],
    [['restore', 'base', '--out', ''], [':folders']],
    [['diff', 'base', 'best-so-far', ''], []],
    [['-q', '--store', '/nowhere', 'sho'], ['show']],
    [['diff', '--by=', 'base'], ['base']],
  ])('by place: %j', async (words, expected) => {
    expect(await complete(...words)).toEqual(expected);
  });

  test('of a long run the steps of the latest twenty checkpoints, each once', async () => {
    const location = join(folder, 'long');
    const long = await createStore(location);
    const training = await long.run('long');
    for (let step = 1; step <= 22; step++) {
      await (await training.save({ w: Float32Array.of(step) }, { step })).committed;
      if (step === 22) await (await training.save({ w: Float32Array.of(step) }, { step })).committed;
    }
    await long.close();
    const offered = await complete('--store', location, 'show', 'long@step:');
    const latest = Array.from({ length: 19 }, (_, at) => `long@step:${at + 4}`);
    expect(offered).toEqual(latest);
  });

  test('every option of a command, the global ones last', async () => {
    const options = await complete('gc', '--');
    expect(options.slice(0, 2)).toEqual(['--dry-run', '--help']);
    expect(options).toContain('--store');
  });
});
