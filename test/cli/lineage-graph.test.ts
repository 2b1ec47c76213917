import { expect, test } from 'vitest';
import { connectedLineage, drawLineage } from '../../src/cli/lineage-graph.js';
import type { CheckpointInfo } from '../../src/index.js';

/** Checkpoints named by one letter, each with its parent, in the order they were saved. */
function lineage(...edges: string[]): CheckpointInfo[] {
  return edges.map((edge, index) => {
    const [id = '', parent] = edge.split('<');
    return {
      id,
      parent: parent ?? null,
      run: 'run',
      step: index,
      epoch: null,
      label: '',
      metrics: {},
      meta: {},
      groups: [],
      kind: 'files',
      createdAt: index,
      logicalBytes: 0,
      storedBytes: 0,
      height: 0,
      tags: [],
      pinned: false,
    };
  });
}

function drawing(checkpoints: CheckpointInfo[]): string[] {
  return drawLineage(checkpoints).map((row) => {
    const id = row.checkpoint?.id ?? row.forgottenId;
    return id === undefined ? row.graph : `${row.graph} ${id}`;
  });
}

test('a line', () => {
  expect(drawing(lineage('a', 'b<a', 'c<b'))).toEqual(['* c', '* b', '* a']);
});

test('a fork', () => {
  expect(drawing(lineage('a', 'b<a', 'x<a', 'c<b'))).toEqual(['* c', '| * x', '* | b', '|/', '* a']);
});

test('three lines that meet at once', () => {
  expect(drawing(lineage('a', 'x<a', 'y<a', 'z<a'))).toEqual([
    '* z',
    '| * y',
    '| | * x',
    '|_|/',
    '|/',
    '* a',
  ]);
});

test('runs apart from each other', () => {
  expect(drawing(lineage('a', 'x', 'b<a', 'y<x'))).toEqual(['* y', '| * b', '* | x', '  * a']);
});

test('a forgotten parent is where its children meet', () => {
  expect(drawing(lineage('b<a', 'x<a'))).toEqual(['* x', '| * b', '|/', 'o a']);
});

test('saves of the same millisecond: children still come first', () => {
  const checkpoints = lineage('a', 'b<a', 'c<b').map((checkpoint) => ({ ...checkpoint, createdAt: 0 }));
  expect(drawing(checkpoints)).toEqual(['* c', '* b', '* a']);
});

test('what shares an ancestor', () => {
  const checkpoints = lineage('a', 'b<a', 'x<a', 'p', 'q<p', 'm<gone', 'n<gone');
  const ids = (id: string) => connectedLineage(checkpoints, id).map((checkpoint) => checkpoint.id);
  expect(ids('x')).toEqual(['a', 'b', 'x']);
  expect(ids('q')).toEqual(['p', 'q']);
  expect(ids('m')).toEqual(['m', 'n']);
});
