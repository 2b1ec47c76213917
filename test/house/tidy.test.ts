import { spawnSync } from 'node:child_process';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import {
  importsOf,
  isAssembly,
  lineOf,
  placeOf,
  readSources,
  type SourceFile,
  visit,
} from './source-tree.js';

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 60;

/** Names that say where something was put, not what it is. */
const DRAWER_NAMES = /(^|[-/])(utils?|helpers?|common|core|misc|shared|stuff)([-./]|$)/;
const KEBAB_CASE = /^[a-z][a-z0-9]*(-[a-z0-9]+)*\.ts$/;

/** Files that something other than an import starts. */
const ENTRIES = [
  'index.ts',
  'tfjs/index.ts',
  'cli/main.ts',
  'compute/worker.ts',
  'kernels/assembly/index.ts',
];

const sources = readSources();
const typescript = sources.filter((file) => !isAssembly(file));

/** The agreed top level, beside configurations and what starts with a dot. */
const TOP_LEVEL = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'bench',
  'fixtures',
  'package-lock.json',
  'package.json',
  'src',
  'test',
];
const CONFIGURATION = /^(\..+|tsconfig(\.\w+)?\.json|biome\.json|vitest(\.\w+)?\.config\.ts)$/;

const root = new URL('../..', import.meta.url);
const tracked = spawnSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' });

// Seen to fail with the logs of a profiler at the top. A tree that git does not know may hold anything.
test.skipIf(tracked.status !== 0)('nothing else is at the top level of the repository', () => {
  const names = tracked.stdout
    .trim()
    .split('\n')
    .map((path) => path.split('/')[0]);
  const top = [...new Set(names)];
  expect(top.filter((name) => !TOP_LEVEL.includes(name) && !CONFIGURATION.test(name))).toEqual([]);
});

describe('sizes', () => {
  test(`a file has at most ${FILE_LINES_MAX} lines`, () => {
    const long = sources
      .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > FILE_LINES_MAX);
    expect(long).toEqual([]);
  });

  test(`a function has at most ${FUNCTION_LINES_MAX} lines`, () => {
    const long = sources.flatMap((file) =>
      functionsOf(file)
        .map((node) => ({ place: placeOf(file, node), lines: linesOf(file, node) }))
        .filter(({ lines }) => lines > FUNCTION_LINES_MAX),
    );
    expect(long).toEqual([]);
  });
});

describe('names', () => {
  test('no file or room is a drawer', () => {
    expect(sources.map(({ path }) => path).filter((path) => DRAWER_NAMES.test(path))).toEqual([]);
  });

  test('file names are kebab-case', () => {
    expect(sources.map(({ path }) => path).filter((path) => !KEBAB_CASE.test(baseName(path)))).toEqual([]);
  });

  test('a file name occurs once in the whole tree, index.ts apart', () => {
    const byName = new Map<string, string[]>();
    for (const { path } of sources) {
      if (baseName(path) === 'index.ts') continue;
      byName.set(baseName(path), [...(byName.get(baseName(path)) ?? []), path]);
    }
    expect([...byName.values()].filter((paths) => paths.length > 1)).toEqual([]);
  });
});

describe('leftovers', () => {
  test('nothing is left to be done', () => {
    const marks = sources.flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => {
        return /\b(TODO|FIXME|XXX|HACK)\b|Error\('(being written|not (yet )?implemented)/.test(line)
          ? [`src/${path}:${index + 1}`]
          : [];
      }),
    );
    expect(marks).toEqual([]);
  });

  test('every file is imported by another', () => {
    const imported = new Set(sources.flatMap(importsOf).map(({ target }) => target));
    const unused = sources.map(({ path }) => path).filter((path) => !imported.has(path));
    expect(unused.filter((path) => !ENTRIES.includes(path))).toEqual([]);
  });
});

describe('types', () => {
  test('no value is of type any', () => {
    expect(placesOf((node) => node.kind === ts.SyntaxKind.AnyKeyword)).toEqual([]);
  });

  test('no assertion that something is not null', () => {
    expect(placesOf(ts.isNonNullExpression)).toEqual([]);
  });

  test('no comment switches the compiler or the linter off', () => {
    const marks = typescript.flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => {
        return /@ts-(ignore|expect-error|nocheck)|biome-ignore/.test(line)
          ? [`src/${path}:${index + 1}`]
          : [];
      }),
    );
    expect(marks).toEqual([]);
  });
});

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function functionsOf(file: SourceFile): ts.Node[] {
  const found: ts.Node[] = [];
  visit(file.tree, (node) => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) found.push(node);
  });
  return found;
}

function linesOf(file: SourceFile, node: ts.Node): number {
  return file.tree.getLineAndCharacterOfPosition(node.getEnd()).line + 2 - lineOf(file, node);
}

function placesOf(isOffence: (node: ts.Node) => boolean): string[] {
  const places: string[] = [];
  for (const file of typescript) {
    visit(file.tree, (node) => {
      if (isOffence(node)) places.push(placeOf(file, node));
    });
  }
  return places;
}
