/** Real processes on one store at once. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';

const COMMAND = join(import.meta.dirname, '../../dist/cli/main.js');
const scratch = mkdtempSync(join(tmpdir(), 'thetalog-processes-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const run = promisify(execFile);

function thetalog(...args: string[]): Promise<{ stdout: string }> {
  return run(process.execPath, [COMMAND, ...args, '--json']);
}

/** Writes a file of mostly equal bytes that differs from every other. */
function writeFile(name: string, seed: number): string {
  const bytes = new Uint8Array(200_000).map(
    (_, index) => (index * 31 + (index % 977 === seed % 977 ? seed : 0)) & 0xff,
  );
  const path = join(scratch, name);
  writeFileSync(path, bytes);
  return path;
}

describe('several processes on one store', () => {
  it('all save into one run at once: nothing is lost and every checkpoint comes back', async () => {
    const store = join(scratch, 'store');
    execFileSync(process.execPath, [COMMAND, 'init', store]);
    const files = Array.from({ length: 12 }, (_, index) => writeFile(`file-${index}.bin`, index + 1));
    const saver = async (own: string[]): Promise<string[]> => {
      const ids: string[] = [];
      for (const file of own) {
        const { stdout } = await thetalog('save', file, '--run', 'shared', '--store', store);
        ids.push(JSON.parse(stdout.trim().split('\n').at(-1) ?? '').id);
      }
      return ids;
    };
    const ids = (await Promise.all([0, 1, 2, 3].map((at) => saver(files.slice(at * 3, at * 3 + 3))))).flat();
    const { stdout } = await thetalog('list', 'shared', '--store', store);
    const listed = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).id);
    expect([...listed].sort()).toEqual([...ids].sort());
    for (const [index, id] of ids.entries()) {
      const out = join(scratch, `out-${index}`);
      await thetalog('restore', id, '--out', out, '--store', store);
      expect(readFileSync(join(out, `file-${index}.bin`)).equals(readFileSync(files[index]))).toBe(true);
    }
    await expect(thetalog('check', '--read-data', '--store', store)).resolves.toBeDefined();
  });
});
