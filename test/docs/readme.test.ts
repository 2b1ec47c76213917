/** The README keeps its word: every command and every program in it runs, and prints what it shows. Needs a build. */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { blocksOf, commandsOf, isTrimmedFrom } from './readme-blocks.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MAIN = join(ROOT, 'dist/cli/main.js');
const SAVED = ['step-100.pth', 'step-101.pth', 'step-110.pth'];

interface Outcome {
  exitCode: number;
  /** stdout, then stderr. */
  output: string;
}

let folder: string;

beforeAll(() => {
  if (!existsSync(MAIN)) throw new Error('dist is missing: run `npm run build` first');
  folder = mkdtempSync(join(tmpdir(), 'thetalog-readme-'));
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin/thetalog'), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`);
  chmodSync(join(folder, 'bin/thetalog'), 0o755);
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(ROOT, join(folder, 'node_modules/thetalog'), 'dir');
  for (const file of SAVED) copyFileSync(join(ROOT, 'fixtures/run', file), join(folder, file));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the commands of the README', () => {
  test('run in order and print what is shown', async () => {
    const commands = commandsOf();
    expect(commands.length).toBeGreaterThan(15);
    for (const { line, exitCode, output } of commands) {
      const outcome = await shell(line);
      expect(outcome.exitCode, `${line}\n${outcome.output}`).toBe(exitCode);
      const real = outcome.output.split('\n').slice(0, -1);
      if (!isTrimmedFrom(output, real)) expect(outcome.output, `output of: ${line}`).toBe(output.join('\n'));
    }
  }, 120_000);
});

describe('the programs of the README', () => {
  const programs = blocksOf('ts');

  test('are there', () => {
    expect(programs.length).toBeGreaterThan(3);
  });

  test.each(programs.map((text, index) => ({ text, index })))(
    'program $index runs',
    async ({ text, index }) => {
      const target = ts.ScriptTarget.ES2022;
      const { outputText } = ts.transpileModule(text, {
        compilerOptions: { target, module: ts.ModuleKind.ESNext },
      });
      const file = `program-${index}.mjs`;
      writeFileSync(join(folder, file), outputText);
      const outcome = await run(process.execPath, [file]);
      expect(outcome.exitCode, outcome.output).toBe(0);
    },
  );

  test('have the types that the package declares', () => {
    const files = programs.map((text, index) => {
      const file = join(folder, `program-${index}.mts`);
      writeFileSync(file, text);
      return file;
    });
    const program = ts.createProgram(files, {
      strict: true,
      noEmit: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleDetection: ts.ModuleDetectionKind.Force,
      skipLibCheck: true,
      types: ['node'],
      typeRoots: [join(ROOT, 'node_modules/@types')],
    });
    const problems = ts.getPreEmitDiagnostics(program).map(({ messageText }) => {
      return ts.flattenDiagnosticMessageText(messageText, '\n');
    });
    expect(problems).toEqual([]);
  });
});

/** Runs a line of the README; what it exports is not kept, so the one variable that it sets is given. */
function shell(line: string): Promise<Outcome> {
  return run('sh', ['-c', line]);
}

function run(command: string, args: string[]): Promise<Outcome> {
  const env = {
    PATH: `${join(folder, 'bin')}:${process.env.PATH ?? ''}`,
    HOME: folder,
    THETALOG_STORE: './store',
    NO_COLOR: '1',
  };
  return new Promise((resolve) => {
    execFile(command, args, { cwd: folder, env }, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ exitCode, output: stdout + stderr });
    });
  });
}
