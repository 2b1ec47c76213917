import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { importsOf, isAssembly, placeOf, readSources, visit } from './source-tree.js';

/** Rooms that turn values into values: the outside world is handed in, if they need it at all. */
const PURE_ROOMS = ['errors', 'bytes', 'recode', 'kernels', 'hash', 'tensor', 'codec', 'format'];

/** Globals that reach the outside world, or that only one JavaScript runtime has. */
const FORBIDDEN = [
  'Buffer',
  'Date',
  'clearInterval',
  'clearTimeout',
  'console',
  'crypto',
  'fetch',
  'global',
  'performance',
  'process',
  'queueMicrotask',
  'require',
  'setImmediate',
  'setInterval',
  'setTimeout',
];

/** The one file that asks the runtime for WebAssembly. */
const WEBASSEMBLY_FILE = 'kernels/wasm-module.ts';

const files = readSources().filter((file) => PURE_ROOMS.includes(file.room) && !isAssembly(file));

describe('pure rooms', () => {
  test('import nothing of Node', () => {
    const offences = files
      .flatMap(importsOf)
      .filter(({ specifier }) => specifier.startsWith('node:'))
      .map(({ file, line, specifier }) => `src/${file.path}:${line} imports ${specifier}`);
    expect(offences).toEqual([]);
  });

  test('use no clock, random source, environment, console or Buffer', () => {
    expect(usesOf((name) => FORBIDDEN.includes(name))).toEqual([]);
  });

  test('draw no random numbers', () => {
    const offences: string[] = [];
    for (const file of files) {
      visit(file.tree, (node) => {
        if (ts.isPropertyAccessExpression(node) && node.getText(file.tree) === 'Math.random')
          offences.push(placeOf(file, node));
      });
    }
    expect(offences).toEqual([]);
  });

  test('reach for WebAssembly in one file only', () => {
    const places = usesOf((name) => name === 'globalThis' || name === 'WebAssembly');
    expect(places.filter((place) => !place.startsWith(`src/${WEBASSEMBLY_FILE}:`))).toEqual([]);
  });
});

/** Returns where a name is used as a value; property names of other objects do not count. */
function usesOf(isForbidden: (name: string) => boolean): string[] {
  const places: string[] = [];
  for (const file of files) {
    visit(file.tree, (node) => {
      if (ts.isIdentifier(node) && isForbidden(node.text) && !isMemberName(node))
        places.push(`${placeOf(file, node)} ${node.text}`);
    });
  }
  return places;
}

function isMemberName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isQualifiedName(parent)) return !isFirst(parent, node);
  return (
    (ts.isPropertyAssignment(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodDeclaration(parent) ||
      ts.isMethodSignature(parent)) &&
    parent.name === node
  );
}

function isFirst(parent: ts.PropertyAccessExpression | ts.QualifiedName, node: ts.Identifier): boolean {
  return (ts.isQualifiedName(parent) ? parent.left : parent.expression) === node;
}
