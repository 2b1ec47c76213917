/** The files of src/ as syntax trees, for the tests that keep the house in order. Asserts nothing itself. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const SRC = resolve(dirname(fileURLToPath(import.meta.url)), '../../src');
/** Made by the build, not by people. */
const GENERATED = new Set(['kernels/wasm.generated.ts']);

export interface SourceFile {
  /** From src/, with `/`. */
  path: string;
  /** First part of the path, without `.ts`: `codec`, `errors`, `index`. */
  room: string;
  text: string;
  tree: ts.SourceFile;
}

export interface ImportOf {
  file: SourceFile;
  line: number;
  /** As written. */
  specifier: string;
  /** From src/, for relative ones. */
  target: string | undefined;
}

/** Returns all TypeScript files of src/ but generated ones, in a fixed order. */
export function readSources(): SourceFile[] {
  const paths = readdirSync(SRC, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(SRC, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !GENERATED.has(path));
  return paths.sort().map((path) => {
    const text = readFileSync(join(SRC, path), 'utf8');
    const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
    return { path, room: path.replace(/\/.*|\.ts$/, ''), text, tree };
  });
}

/** Returns true for AssemblyScript, which has rules of its own. */
export function isAssembly(file: SourceFile): boolean {
  return file.path.startsWith('kernels/assembly/');
}

/** Returns every import of a file: types, re-exports and `import()` count. */
export function importsOf(file: SourceFile): ImportOf[] {
  const found: ImportOf[] = [];
  visit(file.tree, (node) => {
    const specifier = specifierOf(node);
    if (specifier === undefined) return;
    const isRelative = specifier.text.startsWith('.');
    const joined = posix.join(posix.dirname(file.path), specifier.text).replace(/\.js$/, '.ts');
    const target = isRelative ? (/\.ts$/.test(joined) ? joined : `${joined}.ts`) : undefined;
    found.push({ file, line: lineOf(file, specifier), specifier: specifier.text, target });
  });
  return found;
}

function specifierOf(node: ts.Node): ts.StringLiteral | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    return node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)
      ? node.moduleSpecifier
      : undefined;
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return ts.isStringLiteral(node.argument.literal) ? node.argument.literal : undefined;
  }
  const isDynamic = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword;
  const argument = isDynamic ? node.arguments[0] : undefined;
  return argument !== undefined && ts.isStringLiteral(argument) ? argument : undefined;
}

/** Calls `look` for a node and all below it. */
export function visit(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  ts.forEachChild(node, (child) => visit(child, look));
}

/** Returns the line on which a node starts, from 1. */
export function lineOf(file: SourceFile, node: ts.Node): number {
  return file.tree.getLineAndCharacterOfPosition(node.getStart(file.tree)).line + 1;
}

/** Returns `src/file.ts:line`, which editors open. */
export function placeOf(file: SourceFile, node: ts.Node): string {
  return `src/${file.path}:${lineOf(file, node)}`;
}
