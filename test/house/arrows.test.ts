import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type ImportOf, importsOf, isAssembly, readSources, type SourceFile } from './source-tree.js';

/** The rooms from the ground up, as src/README.md lists them: each imports only rooms before it. */
const ROOMS = [
  'errors',
  'bytes',
  'recode',
  'kernels',
  'hash',
  'tensor',
  'codec',
  'format',
  'storage',
  'compute',
  'adapters',
  'packs',
  'checkpoints',
  'maintenance',
  'lifecycle',
  'index',
  'tfjs',
  'cli',
  'server',
];

/** Programs use the library as anybody else would. */
const PROGRAMS = ['tfjs', 'cli', 'server'];

const sources = readSources();
const imports = sources.flatMap(importsOf);
const relative = imports.filter((item): item is ImportOf & { target: string } => item.target !== undefined);
const crossing = relative
  .map((item) => ({ ...item, from: item.file.room, to: roomOf(item.target) }))
  .filter(({ from, to }) => from !== to);

describe('arrows between rooms', () => {
  test('the map in src/README.md lists the rooms in this order', () => {
    const map = readFileSync(new URL('../../src/README.md', import.meta.url), 'utf8');
    const listed = [...map.matchAll(/^\| `(\w+)(?:\/|\.ts)` \|/gm)].map(([, room]) => room);
    const present = new Set(sources.map(({ room }) => room));
    expect(listed).toEqual(ROOMS.filter((room) => present.has(room)));
  });

  test('every source file is in a room of the table', () => {
    const homeless = sources.filter(({ room }) => !ROOMS.includes(room)).map(({ path }) => `src/${path}`);
    expect(homeless).toEqual([]);
  });

  test('a room imports only rooms before it', () => {
    const offences = crossing
      .filter(({ from, to }) => ROOMS.indexOf(to) >= ROOMS.indexOf(from))
      .map((item) => `${place(item)} imports ${item.specifier}: ${item.to} is not below ${item.from}`);
    expect(offences).toEqual([]);
  });

  test('a room is entered through its door only', () => {
    const offences = crossing
      .filter(({ to, target }) => target !== `${to}.ts` && target !== `${to}/index.ts`)
      .map((item) => `${place(item)} imports ${item.specifier}, not ${item.to}/index.js`);
    expect(offences).toEqual([]);
  });

  test('programs import the public door only', () => {
    const offences = crossing
      .filter(({ from, to }) => PROGRAMS.includes(from) && to !== 'index')
      .map((item) => `${place(item)} imports ${item.specifier}`);
    expect(offences).toEqual([]);
  });

  test('relative imports name files that exist', () => {
    const known = new Set([...sources.map(({ path }) => path), 'kernels/wasm.generated.ts']);
    const offences = relative
      .filter(({ target }) => !known.has(target))
      .map((item) => `${place(item)} imports ${item.specifier}`);
    expect(offences).toEqual([]);
  });

  test('no files import one another in a circle', () => {
    expect(circles(sources.filter((file) => !isAssembly(file)))).toEqual([]);
  });
});

function roomOf(target: string): string {
  return target.replace(/\/.*|\.ts$/, '');
}

function place({ file, line }: ImportOf): string {
  return `src/${file.path}:${line}`;
}

/** Returns the circles that a depth-first walk over the imports runs into. */
function circles(files: readonly SourceFile[]): string[] {
  const targets = new Map<string, string[]>();
  for (const file of files) targets.set(file.path, []);
  for (const { file, target } of relative) targets.get(file.path)?.push(target);
  const found: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) found.push([...trail.slice(start), path].join(' -> '));
    if (start >= 0 || done.has(path)) return;
    for (const next of targets.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  };
  for (const { path } of files) walk(path, []);
  return found;
}
