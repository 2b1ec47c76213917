import ts from 'typescript';
import { expect, test } from 'vitest';
import { placeOf, readSources, visit } from './source-tree.js';

/** The command line has the process to itself; of the library one file listens to signals and may raise them again. */
const ALLOWED = ['cli/main.ts', 'lifecycle/signal-watch.ts'];
const CALLS = ['on', 'once', 'off', 'addListener', 'removeListener', 'kill', 'exit', 'abort'];

/** Signal 0 is none: it only says whether there is such a process. */
function asksWhetherOneIsThere(call: ts.Node): boolean {
  return ts.isCallExpression(call) && call.arguments.at(1)?.getText() === '0';
}

test('nothing else touches the signals of the process, or ends it', () => {
  const places: string[] = [];
  for (const file of readSources().filter(({ path }) => !ALLOWED.includes(path))) {
    visit(file.tree, (node) => {
      if (
        ts.isPropertyAccessExpression(node) &&
        node.expression.getText(file.tree) === 'process' &&
        CALLS.includes(node.name.text) &&
        !asksWhetherOneIsThere(node.parent)
      )
        places.push(placeOf(file, node));
    });
  }
  expect(places).toEqual([]);
});
