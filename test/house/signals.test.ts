import ts from 'typescript';
import { expect, test } from 'vitest';
import { placeOf, readSources, visit } from './source-tree.js';

/** The command line has the process to itself; of the library one file listens to signals and may raise them again. */
const ALLOWED = ['cli/main.ts', 'lifecycle/signal-watch.ts'];
const CALLS = ['on', 'once', 'off', 'addListener', 'removeListener', 'kill', 'exit', 'abort'];

test('nothing else touches the signals of the process, or ends it', () => {
  const places: string[] = [];
  for (const file of readSources().filter(({ path }) => !ALLOWED.includes(path))) {
    visit(file.tree, (node) => {
      if (
        ts.isPropertyAccessExpression(node) &&
        node.expression.getText(file.tree) === 'process' &&
        CALLS.includes(node.name.text)
      )
        places.push(placeOf(file, node));
    });
  }
  expect(places).toEqual([]);
});
