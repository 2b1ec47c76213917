/** Exported models in the libraries that read them: transformers, safetensors, torch. export.py says what each check does. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pythonWith } from './installed.js';

const here = import.meta.dirname;
const interpreter = pythonWith('transformers');
const MODELS = ['gpt2', 'llama'];
const DTYPES = ['bf16', 'f16', 'f32'];

/** What is exported, and what is checked of it. */
interface Export {
  title: string;
  ref: string;
  model: string;
  out: string;
  /** In front of the names of the checkpoint, but not of the export. */
  prefix: string;
  options: string[];
  checks: string[];
}

const SHARDS = ['--shard-size', '200000'];
const EXPORTS: Export[] = MODELS.flatMap((model) => [
  ...(
    [
      ['folder', ''],
      ['torch', 'model.'],
      ['imported', 'model.'],
    ] as const
  ).map(([from, prefix]) => ({
    title: `${model} from its ${from}: from_pretrained gives the same model, shards are those of huggingface_hub`,
    ref: `${model}-${from}`,
    model,
    out: `${model}-${from}-shards`,
    prefix,
    options: SHARDS,
    checks: ['loads', 'shards', 'writes'],
  })),
  {
    title: `${model} as one file: from_pretrained gives the same model`,
    ref: `${model}-torch`,
    model,
    out: `${model}-one`,
    prefix: 'model.',
    options: [],
    checks: ['loads', 'writes'],
  },
]);
const CHECKS = [
  ...EXPORTS.flatMap(({ checks, model, out }) => checks.map((check) => [check, model, out])),
  ['casts', '', 'values'],
];

describe.skipIf(interpreter === undefined)('exports of transformers models', () => {
  const work = mkdtempSync(join(tmpdir(), 'thetalog-export-'));
  let failures: (string | null)[] = [];
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  function run(command: string, args: string[]): string {
    const done = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
    if (done.status !== 0) throw new Error(`${args.join(' ')}: ${done.stdout}${done.stderr}`);
    return done.stdout;
  }
  const python = (...args: string[]): string => run(interpreter ?? '', [join(here, 'export.py'), ...args]);
  const thetalog = (...args: string[]): string =>
    run(process.execPath, [join(here, '../../dist/cli/main.js'), ...args, '--store', join(work, 'store')]);

  /** Exports, and notes the order in which the checkpoint has its tensors, under the names of the export. */
  function exportModel({ ref, out, prefix, options }: Export): void {
    thetalog('export', ref, '--out', join(work, out), '--group', 'model', ...options);
    const shown = JSON.parse(thetalog('show', ref, '--json')) as { tensors: { name: string }[] };
    const order = shown.tensors.map(({ name }) =>
      name.startsWith(prefix) ? name.slice(prefix.length) : name,
    );
    writeFileSync(join(work, `${out}.order.json`), JSON.stringify(order));
  }

  beforeAll(() => {
    python('write', work);
    thetalog('init');
    for (const model of MODELS) {
      thetalog('save', join(work, model), '--run', `${model}-folder`);
      thetalog('save', join(work, `${model}.pth`), '--run', `${model}-torch`);
      thetalog('import', join(work, model), '--run', `${model}-imported`);
    }
    thetalog('save', join(work, 'values.pth'), '--run', 'values');
    for (const each of EXPORTS) exportModel(each);
    for (const dtype of DTYPES)
      thetalog('export', 'values', '--out', join(work, `values-${dtype}.safetensors`), '--dtype', dtype);
    failures = JSON.parse(python('check', work, JSON.stringify(CHECKS)).trim().split('\n').at(-1) ?? '');
  });

  const failuresOf = (name: string) => failures.filter((_, at) => CHECKS[at][2] === name);

  test.each(EXPORTS)('$title', ({ out, checks }) => {
    expect(failuresOf(out)).toEqual(checks.map(() => null));
  });

  test('--dtype makes of every value what torch makes of it', () => {
    expect(failuresOf('values')).toEqual([null]);
  });

  test('import of an export of an import is the same checkpoint', () => {
    thetalog('import', join(work, 'llama-imported-shards'), '--run', 'again');
    expect(thetalog('diff', 'llama-imported', 'again')).toMatch(/^tensors: \d+ equal \(0 %/m);
  });
});
