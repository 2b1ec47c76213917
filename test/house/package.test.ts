import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { importsOf, readSources } from './source-tree.js';

/** Each with a reason in the README. */
const DEPENDENCIES = ['commander', 'fflate', 'msgpackr', 'xxhash-wasm'];
/** Optional: what a program that has them may use the package with. */
const PEERS = ['@tensorflow/tfjs'];
const DEVELOPMENT = [
  '@biomejs/biome',
  '@types/node',
  'assemblyscript',
  'fast-check',
  'hash-wasm',
  'rolldown',
  'tinybench',
  'typescript',
  'vitest',
];

const EXACT_VERSION = /^\d+\.\d+\.\d+$/;
/** Scripts that npm runs where the package is installed. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'preprepare', 'postprepare'];

const root = new URL('../../', import.meta.url);
const description = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));

describe('dependencies', () => {
  test('are the ones with a reason, and no others', () => {
    expect(Object.keys(description.dependencies).sort()).toEqual(DEPENDENCIES);
    expect(Object.keys(description.devDependencies).sort()).toEqual(DEVELOPMENT);
    expect(Object.keys(description)).not.toContain('optionalDependencies');
    expect(Object.keys(description.peerDependencies)).toEqual(PEERS);
  });

  test('that come from the program are optional, and nothing imports them', () => {
    expect(description.peerDependenciesMeta).toEqual(
      Object.fromEntries(PEERS.map((name) => [name, { optional: true }])),
    );
    const imported = readSources().flatMap(importsOf);
    expect(imported.filter(({ specifier }) => PEERS.includes(specifier))).toEqual([]);
  });

  test('have exact versions', () => {
    const versions: string[] = Object.values({ ...description.dependencies, ...description.devDependencies });
    expect(versions.filter((version) => !EXACT_VERSION.test(version))).toEqual([]);
  });

  test('are imported by the sources, and nothing else is', () => {
    const packages = readSources()
      .flatMap(importsOf)
      .filter(({ specifier }) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
      .map(({ specifier }) => specifier);
    expect([...new Set(packages)].sort()).toEqual(DEPENDENCIES);
  });

  test('are justified in the README', () => {
    const readme = readFileSync(new URL('README.md', root), 'utf8');
    const section = /^## Dependencies$(.*?)^## /ms.exec(readme)?.[1] ?? '';
    expect(
      [...DEPENDENCIES, ...PEERS, ...DEVELOPMENT].filter((name) => !section.includes(`\`${name}\``)),
    ).toEqual([]);
  });
});

describe('package.json', () => {
  test('runs nothing where the package is installed', () => {
    expect(INSTALL_SCRIPTS.filter((name) => name in description.scripts)).toEqual([]);
  });

  test('is an ES module for Node 20.20 and newer without side effects', () => {
    expect(description.type).toBe('module');
    expect(description.engines).toEqual({ node: '>=20.20' });
    expect(description.sideEffects).toBe(false);
  });

  test('packs the ways in, their types, the specification and the documents', () => {
    expect(description.files).toEqual([
      'dist/**/*.d.ts',
      'dist/index.js',
      'dist/tfjs/index.js',
      'dist/cli/main.js',
      'dist/compute/worker.js',
      'dist/shared',
      'src/format/FORMAT.md',
      'README.md',
      'CHANGELOG.md',
      'LICENSE',
    ]);
  });

  test('is under the Apache licence, which is there', () => {
    expect(description.license).toBe('Apache-2.0');
    expect(readFileSync(new URL('LICENSE', root), 'utf8')).toContain('Apache License');
  });
});
