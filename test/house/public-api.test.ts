import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import * as api from '../../src/index.js';
import * as tfjs from '../../src/tfjs/index.js';
import { readSources, visit } from './source-tree.js';

/** What the package exports at run time. A name that goes from here breaks programs: that takes a major version. */
const VALUES = [
  'MemoryStorage',
  'ThetalogError',
  'createStore',
  'estimateFiles',
  'isThetalogError',
  'keep',
  'openStore',
];

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
  'Estimate',
  'EstimateOptions',
  'EstimatedCheckpoint',
  'EstimatedPart',
  'ExplainedGroup',
  'ExportOptions',
  'ExportResult',
  'FileInfo',
  'ForgetDecision',
  'ForgetResult',
  'GcResult',
  'Group',
  'ImportOptions',
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
  'TakenCheckpoint',
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
  'WatchOptions',
  'WatchProblem',
  'WatchResult',
];

/** The same of `thetalog/tfjs`. */
const TFJS_VALUES = ['applyState', 'captureState', 'captureStateAsync'];
const TFJS_TYPES = [
  'CapturedOptimizer',
  'CapturedState',
  'RestoredTraining',
  'Tf',
  'TfDType',
  'TfLayer',
  'TfLayerVariable',
  'TfLayersModel',
  'TfNewTensor',
  'TfOptimizer',
  'TfTensor',
  'TfVariable',
  'Training',
];

const DOORS = [
  { door: 'index.ts', values: VALUES, types: TYPES, exported: api },
  { door: 'tfjs/index.ts', values: TFJS_VALUES, types: TFJS_TYPES, exported: tfjs },
];

describe.each(DOORS)('the public door $door', ({ door, values, types, exported }) => {
  const tree = readSources().find((file) => file.path === door)?.tree;
  const source = tree ?? ts.createSourceFile('', '', ts.ScriptTarget.ES2022);

  test('exports exactly the values on record', () => {
    expect(Object.keys(exported).sort()).toEqual(values);
  });

  test('exports exactly the types on record, each by name', () => {
    const found: string[] = [];
    const others: string[] = [];
    visit(source, (node) => {
      if (!ts.isExportDeclaration(node)) return;
      if (node.exportClause === undefined || !ts.isNamedExports(node.exportClause))
        others.push(node.getText());
      else {
        for (const element of node.exportClause.elements) {
          if (node.isTypeOnly || element.isTypeOnly) found.push(element.name.text);
        }
      }
    });
    expect(others).toEqual([]);
    expect(found.sort()).toEqual(types);
  });

  test('holds no logic', () => {
    expect(source.statements.length).toBeGreaterThan(0);
    expect(source.statements.filter((statement) => !ts.isExportDeclaration(statement)).length).toBe(0);
  });
});

test('the package exports the doors and its own description', () => {
  const { exports, bin } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(exports).toEqual({
    '.': { types: './dist/index.d.ts', default: './dist/index.js' },
    './tfjs': { types: './dist/tfjs/index.d.ts', default: './dist/tfjs/index.js' },
    './package.json': './package.json',
  });
  expect(bin).toEqual({ thetalog: './dist/cli/main.js' });
});
