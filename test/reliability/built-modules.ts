/** Test files as JavaScript over the built library, for processes that are started without a test runner. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';

const SOURCES = fileURLToPath(new URL('../../src/', import.meta.url));
const BUILT = fileURLToPath(new URL('../../dist/', import.meta.url));
const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };

/** Translates a test file and all that it imports into a directory; returns the path of the result. Needs a build. */
export function buildModule(source: string, directory: string): string {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  const done = new Set<string>();
  const translate = (path: string): string => {
    const name = `${basename(path, '.ts')}.js`;
    if (done.has(path)) return name;
    done.add(path);
    const { outputText } = ts.transpileModule(readFileSync(path, 'utf8'), { compilerOptions });
    const linked = outputText.replaceAll(/(from\s+|import\s+)'(\.[^']+)\.js'/g, (_, keyword, target) => {
      const imported = `${resolve(dirname(path), target)}.ts`;
      const specifier = imported.startsWith(SOURCES)
        ? pathToFileURL(join(BUILT, imported.slice(SOURCES.length).replace(/\.ts$/, '.js'))).href
        : `./${translate(imported)}`;
      return `${keyword}'${specifier}'`;
    });
    writeFileSync(join(directory, name), linked);
    return name;
  };
  return join(directory, translate(source));
}
