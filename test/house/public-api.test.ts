import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, test } from 'vitest';
import * as api from '../../src/index.js';
import { readSources, visit } from './source-tree.js';

/** What the package exports at run time. A name that goes from here breaks programs: that takes a major version. */
const VALUES = ['MemoryStorage', 'ThetalogError', 'createStore', 'isThetalogError', 'keep', 'openStore'];

/** The same for types. */
const TYPES = [
  'ChainOptions',
  'CheckReport',
  'CheckpointDetail',
  'CheckpointInfo',
  'CheckpointSizes',
  'CompactReason',
  'CompactResult',
  'CompactedCheckpoint',
  'CreateOptions',
  'DType',
  'Damage',
  'DamagedCheckpoint',
  'DiffOptions',
  'Difference',
  'Environment',
  'ErrorDetails',
  'ErrorKind',
  'ExplainedGroup',
  'FileInfo',
  'ForgetDecision',
  'ForgetResult',
  'GcResult',
  'Group',
  'KeepPolicy',
  'KeepRule',
  'LostParts',
  'ManagedSave',
  'Manager',
  'ManagerOptions',
  'OnBusy',
  'OpenOptions',
  'OperationOptions',
  'PlainDifference',
  'Progress',
  'RepairOptions',
  'RepairResult',
  'RepairedCheckpoint',
  'RestoreFilesOptions',
  'RestoreResult',
  'RestoreStateOptions',
  'ResumeOptions',
  'Resumed',
  'RetentionResult',
  'Run',
  'RunSizes',
  'SaveExplanation',
  'SaveFilesOptions',
  'SaveHandle',
  'SaveInterval',
  'SaveOnSignalOptions',
  'SaveOptions',
  'SavePhase',
  'SaveResult',
  'SaveStateOptions',
  'SignalOptions',
  'SignalOutcome',
  'SignalWatch',
  'Sizes',
  'SkippedCheckpoint',
  'Space',
  'StateDifference',
  'StateValue',
  'Storage',
  'Store',
  'StoreSizes',
  'StoreStats',
  'StoredObject',
  'Tensor',
  'TensorData',
  'TensorDifference',
  'TensorInfo',
  'TrainingProgress',
  'TypedArray',
  'VerifyOptions',
  'VerifyResult',
  'Versioned',
  'Warning',
];

test('the public door exports exactly the values on record', () => {
  expect(Object.keys(api).sort()).toEqual(VALUES);
});

test('the public door exports exactly the types on record, each by name', () => {
  const door = readSources().find((file) => file.path === 'index.ts');
  const types: string[] = [];
  const others: string[] = [];
  visit(door?.tree ?? ts.createSourceFile('', '', ts.ScriptTarget.ES2022), (node) => {
    if (!ts.isExportDeclaration(node)) return;
    if (node.exportClause === undefined || !ts.isNamedExports(node.exportClause)) others.push(node.getText());
    else {
      for (const element of node.exportClause.elements) {
        if (node.isTypeOnly || element.isTypeOnly) types.push(element.name.text);
      }
    }
  });
  expect(others).toEqual([]);
  expect(types.sort()).toEqual(TYPES);
});

test('the public door holds no logic', () => {
  const door = readSources().find((file) => file.path === 'index.ts');
  const statements = door?.tree.statements ?? [];
  expect(statements.length).toBeGreaterThan(0);
  expect(statements.filter((statement) => !ts.isExportDeclaration(statement)).length).toBe(0);
});

test('the package exports the door and its own description', () => {
  const { exports, bin } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(exports).toEqual({
    '.': { types: './dist/index.d.ts', default: './dist/index.js' },
    './package.json': './package.json',
  });
  expect(bin).toEqual({ thetalog: './dist/cli/main.js' });
});
