/**
 * What must hold for the checkpoints of a library: two consecutive ones are saved, restored byte for byte and loaded again by the
 * library itself; their tensors are found under the same names; the second takes hardly more than the same tensors in plain
 * safetensors files. interop_tensors.py says what a script does.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const here = import.meta.dirname;
const cli = join(here, '../../dist/cli/main.js');

export interface InteropCase {
  name: string;
  /** What runs the script; undefined: not installed, the case is skipped. */
  interpreter: string | undefined;
  /** A file in this folder, and what follows its command and folder. */
  script: string;
  args?: string[];
  /** Tensors that must be found, among others: their names and groups. */
  tensors: Readonly<Record<string, string>>;
  /** The steps of both checkpoints as found in them; none: they say nothing. */
  steps?: readonly [number, number];
  /** Predictors of the second save by `<group> <slot>`, as `save --explain` names them, for most of the elements. */
  predictors?: Readonly<Record<string, RegExp>>;
  /** Bytes of the second save, at most, as a multiple of those of plain safetensors. */
  most?: number;
}

/** At most this, as a multiple of what plain safetensors take. */
const MOST = 1.05;

interface Explained {
  group: string;
  slot: string;
  predictor: string;
  elements: number;
}

interface Saved {
  id: string;
  step: number | null;
  storedBytes: number;
  warnings: unknown[];
  explain: { groups: Explained[] };
}

interface Shown {
  tensors: { name: string; group: string; dtype: string; shape: number[] }[];
}

/** Declares the tests of one library's checkpoints. */
export function interopCase(wanted: InteropCase): void {
  const { interpreter } = wanted;
  if (interpreter === undefined) describe.skip(`${wanted.name}: not installed`, () => test('skipped'));
  else describe(wanted.name, () => declare(wanted, interpreter));
}

function declare({ script, args = [], ...wanted }: InteropCase, interpreter: string): void {
  const work = mkdtempSync(join(tmpdir(), 'thetalog-interop-'));
  const saves: Saved[] = [];
  const plain: Saved[] = [];
  const runScript = (command: string, folder: string): string => {
    const done = spawnSync(interpreter, [join(here, script), command, folder, ...args], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
    if (done.status !== 0) throw new Error(`${script} ${command}: ${done.stdout}${done.stderr}`);
    return done.stdout.trim().split('\n').at(-1) ?? '';
  };

  beforeAll(() => {
    runScript('write', work);
    for (const step of [1, 2]) {
      saves.push(save(join(work, 'store'), entriesOf(join(work, `step-${step}`))));
      plain.push(save(join(work, 'plain-store'), [join(work, `reference/step-${step}.safetensors`)]));
    }
  });
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  test('nothing in it is taken for damaged', () => {
    expect(saves.map(({ warnings }) => warnings)).toEqual([[], []]);
  });

  test('its step is found', () => {
    expect(saves.map(({ step }) => step)).toEqual([...(wanted.steps ?? [null, null])]);
  });

  test('its tensors are found, at both steps under the same names', () => {
    const [first, second] = saves.map(({ id }) => tensorsOf(join(work, 'store'), id));
    expect([...second]).toEqual([...first]);
    expect(Object.fromEntries(second)).toMatchObject(wanted.tensors);
  });

  test('it is restored byte for byte, and the library loads the same tensors from it', () => {
    for (const [at, { id }] of saves.entries()) {
      const original = join(work, `step-${at + 1}`);
      const restored = join(work, `restored-${at + 1}`);
      thetalog(join(work, 'store'), ['restore', id, '--out', restored]);
      assertSame(original, restored);
      expect(runScript('load', restored)).toEqual(runScript('load', original));
    }
  });

  test('one more step takes hardly more bytes than in plain safetensors', () => {
    const factor = saves[1].storedBytes / plain[1].storedBytes;
    console.log(
      `${wanted.name}: ${saves[1].storedBytes} bytes, ${plain[1].storedBytes} in plain safetensors: ${factor.toFixed(3)}`,
    );
    expect(factor).toBeLessThanOrEqual(wanted.most ?? MOST);
  });

  test('optimizers are used to predict', () => {
    const found: Record<string, string> = {};
    for (const part of Object.keys(wanted.predictors ?? {})) found[part] = mostUsed(saves[1], part);
    for (const [part, predictor] of Object.entries(wanted.predictors ?? {}))
      expect(found, `predictor of ${part}`).toMatchObject({ [part]: expect.stringMatching(predictor) });
  });
}

/** The predictor of most elements of a part. */
function mostUsed({ explain }: Saved, part: string): string {
  const groups = explain.groups.filter(({ group, slot }) => `${group} ${slot}`.trim() === part);
  const [most] = groups.sort((a, b) => b.elements - a.elements);
  return most?.predictor ?? 'no such part';
}

function thetalog(store: string, args: readonly string[]): unknown {
  const done = spawnSync(process.execPath, [cli, ...args, '--store', store, '--json'], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (done.status !== 0)
    throw new Error(`thetalog ${args.join(' ')}: exit ${done.status}\n${done.stdout}${done.stderr}`);
  return JSON.parse(done.stdout.trim().split('\n').at(-1) ?? 'null');
}

function save(store: string, paths: readonly string[]): Saved {
  if (!existsSync(join(store, 'thetalog.json'))) thetalog(store, ['init']);
  return thetalog(store, ['save', ...paths, '--run', 'r', '--explain']) as Saved;
}

function tensorsOf(store: string, id: string): Map<string, string> {
  const { tensors } = thetalog(store, ['show', id]) as Shown;
  return new Map(tensors.map(({ name, group }) => [name, group]));
}

function entriesOf(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
}

/** Files, folders and every byte. */
function assertSame(original: string, restored: string): void {
  if (!statSync(original).isDirectory()) {
    expect(readFileSync(original).equals(readFileSync(restored)), restored).toBe(true);
    return;
  }
  expect(readdirSync(restored).sort(), restored).toEqual(readdirSync(original).sort());
  for (const name of readdirSync(original)) assertSame(join(original, name), join(restored, name));
}
