/**
 * Proves that restored checkpoints load in real torch: saves the fixtures through the command line, restores every
 * checkpoint after the saves, after forget, after compact and after gc, and compares each file byte for byte and, with
 * compare_restored.py, tensor for tensor.
 *
 * Usage: node test/torch/run.mjs [PYTHON] [CLI]      PYTHON: an interpreter that has torch; needs the built dist/
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const fixtures = resolve(here, '../../fixtures');
const python = process.argv[2] ?? 'python3';
const cli = resolve(process.argv[3] ?? join(here, '../../dist/cli/main.js'));
const work = mkdtempSync(join(tmpdir(), 'thetalog-torch-'));
const store = join(work, 'store');

/** Checkpoints in the order of saving: { id, run, step, sources }; forgotten ones leave the list. */
let checkpoints = [];
let comparedFiles = 0;

function fail(message) {
  throw new Error(message);
}

/** Runs the command line and returns its result, the last object that --json prints. */
function thetalog(args, expectedCode = 0) {
  const run = spawnSync(process.execPath, [cli, ...args, '--store', store, '--json'], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (run.status !== expectedCode) {
    fail(
      `thetalog ${args.join(' ')}: exit ${run.status}, expected ${expectedCode}\n${run.stdout}${run.stderr}`,
    );
  }
  const lines = run.stdout.split('\n').filter((line) => line.trim() !== '');
  return lines.length > 0 ? JSON.parse(lines[lines.length - 1]) : undefined;
}

function save(run, sources, options = []) {
  const result = thetalog(['save', ...sources, '--run', run, ...options]);
  if (result.warnings.length > 0) fail(`${sources}: unexpected warnings ${JSON.stringify(result.warnings)}`);
  checkpoints.push({ id: result.id, run, step: result.step, sources });
  return result;
}

/** The files of a folder of fixtures, by step where their names have one. */
function filesOf(folder) {
  const stepOf = (name) => Number(/-(\d+)\./.exec(name)?.[1] ?? Number.MAX_SAFE_INTEGER);
  return readdirSync(join(fixtures, folder))
    .sort((a, b) => stepOf(a) - stepOf(b) || (a < b ? -1 : 1))
    .map((name) => join(fixtures, folder, name));
}

function saveFixtures() {
  const metrics = JSON.parse(readFileSync(join(fixtures, 'run-metrics.json'), 'utf8'));
  for (const file of filesOf('run')) {
    const step = Number(/step-(\d+)/.exec(file)?.[1]);
    const result = save('run', [file], ['--metric', `loss=${metrics[step].loss}`]);
    if (result.step !== step) fail(`${file}: step ${result.step} instead of the one in the file`);
  }
  for (const folder of ['run-safetensors', 'bf16']) {
    for (const file of filesOf(folder)) {
      save(folder, [file], ['--step', /step-(\d+)/.exec(file)?.[1] ?? '']);
    }
  }
  for (const folder of ['tied', 'torch']) {
    for (const file of filesOf(folder)) save(folder, [file]);
  }
  save('numpy', [join(fixtures, 'numpy')]);
  save('both', [join(fixtures, 'run/step-100.pth'), join(fixtures, 'run-safetensors/step-100.safetensors')]);
  for (const name of readdirSync(join(fixtures, 'hf-trainer')).sort()) {
    const copy = join(work, 'hf', name);
    cpSync(join(fixtures, 'hf-trainer', name), copy, { recursive: true });
    mkdirSync(join(copy, 'empty-folder'));
    writeFileSync(join(copy, 'empty-file'), '');
    save('hf', [copy], ['--step', name.replace('checkpoint-', '')]);
  }
}

/** Bytes, file names and empty folders of two paths. */
function assertSame(original, restored) {
  if (!existsSync(restored)) fail(`${restored} was not restored`);
  if (!statSync(original).isDirectory()) {
    if (!readFileSync(original).equals(readFileSync(restored))) fail(`${restored} differs from ${original}`);
    return;
  }
  const names = readdirSync(original).sort();
  const found = readdirSync(restored).sort();
  if (names.join('/') !== found.join('/')) fail(`${restored} holds ${found}, not ${names}`);
  for (const name of names) assertSame(join(original, name), join(restored, name));
}

function compareAll(when) {
  const out = join(work, 'out');
  const pairs = [];
  for (const { id, sources } of checkpoints) {
    thetalog(['restore', id, '--out', join(out, id)]);
    const names = readdirSync(join(out, id)).sort();
    const expected = sources.map((source) => basename(source)).sort();
    if (names.join('/') !== expected.join('/')) fail(`checkpoint ${id} restored ${names}, not ${expected}`);
    for (const source of sources) {
      assertSame(source, join(out, id, basename(source)));
      pairs.push(source, join(out, id, basename(source)));
    }
  }
  const compared = spawnSync(python, ['-W', 'ignore', join(here, 'compare_restored.py'), ...pairs], {
    encoding: 'utf8',
  });
  if (compared.error) throw compared.error;
  const summary = /torch (\d+)\.(\d+)\S*: (\d+) files.* (\d+) files by bytes only/.exec(compared.stdout);
  if (compared.status !== 0 || summary === null)
    fail(`compare_restored.py:\n${compared.stdout}${compared.stderr}`);
  const [major, minor, files, bytesOnly] = summary.slice(1).map(Number);
  // The torch that made the fixtures must load all of them; an older one lacks the newest dtypes.
  if (bytesOnly > 0 && (major > 2 || (major === 2 && minor >= 13))) fail(compared.stdout);
  thetalog(['check', '--read-data']);
  rmSync(out, { recursive: true });
  comparedFiles += files;
  console.log(
    `${when}: ${checkpoints.length} checkpoints equal; ${compared.stdout.trim().split('\n').pop()}`,
  );
}

function forgetSome() {
  thetalog(['forget', 'run', '--keep-last', '2', '--keep-best', '1:loss:min', '--keep-every', '100']);
  const bases = checkpoints.filter(({ run, step }) => run === 'bf16' && step === 100);
  thetalog(['forget', ...bases.map(({ id }) => id)]);
  const kept = ({ run, step }) =>
    run === 'run' ? [100, 200, 210].includes(step) : run !== 'bf16' || step !== 100;
  for (const { id } of checkpoints.filter((checkpoint) => !kept(checkpoint))) {
    thetalog(['restore', id, '--out', join(work, 'forgotten')], 3);
  }
  checkpoints = checkpoints.filter(kept);
}

try {
  thetalog(['init']);
  saveFixtures();
  compareAll('after the saves');
  forgetSome();
  compareAll('after forget');
  thetalog(['compact']);
  compareAll('after compact');
  thetalog(['gc']);
  compareAll('after gc');
  console.log(`torch check passed: ${comparedFiles} restored files loaded and compared`);
} catch (error) {
  console.log(`torch check FAILED: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
