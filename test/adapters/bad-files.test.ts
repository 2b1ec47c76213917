/** Every file of fixtures/bad reports what the manifest says; see fixtures/make_bad.py. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { segmentFile } from '../../src/adapters/index.js';
import { expectSound, onDisk } from './sources.js';

interface Expectation {
  kind: string | null;
  code: string | null;
  offset: boolean;
  format: string;
  why: string;
}

/** The worst takes a third of a second of a quiet core; without bounds it would take hours. */
const CPU_SECONDS_MAX = 2;
const FOLDER = new URL('../../fixtures/bad/', import.meta.url).pathname;
const MANIFEST: Record<string, Expectation> = JSON.parse(readFileSync(`${FOLDER}manifest.json`, 'utf8'));

test.for(Object.entries(MANIFEST))('%s', async ([name, { kind, code, offset, format }]) => {
  const source = onDisk(FOLDER + name);
  const before = process.cpuUsage();
  const result = await segmentFile(source);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(CPU_SECONDS_MAX);
  expectSound(result, source);
  const { segmentation, problem } = result;
  expect({ kind: problem?.kind ?? null, code: problem?.code ?? null }).toEqual({ kind, code });
  expect(segmentation.format).toBe(format);
  if (problem === undefined) return;
  expect(problem.object).toBe(source.name);
  expect(problem.offset !== undefined).toBe(offset);
  expect(problem.offset ?? 0).toBeLessThanOrEqual(source.size);
});

test('the manifest names every file', () => {
  const files = readdirSync(FOLDER, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  expect(files).toHaveLength(Object.keys(MANIFEST).length + 1);
});

test('reading the pickle that calls a program called nothing', () => {
  expect(existsSync('/tmp/thetalog-pwned')).toBe(false);
});
