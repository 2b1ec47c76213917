/** Runs the built command line in processes of its own, as users do, and makes the files they would save. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const EXECUTABLE = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
  /** stdout as it came. */
  bytes: Buffer;
}

/** Runs `thetalog` with these arguments; THETALOG_STORE is what `env` says, or unset. */
export function thetalog(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  if (!existsSync(EXECUTABLE)) throw new Error('dist/cli/main.js is missing: run `npm run build` first');
  const { THETALOG_STORE: _unset, ...inherited } = process.env;
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [EXECUTABLE, ...args],
      { env: { ...inherited, ...env }, encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 },
      (_error, stdout, stderr) => {
        if (child.exitCode === null) reject(new Error(`thetalog ${args.join(' ')} was killed`));
        else
          resolve({
            code: child.exitCode,
            stdout: stdout.toString(),
            stderr: stderr.toString(),
            bytes: stdout,
          });
      },
    );
  });
}

/** The objects of newline-delimited JSON. */
export function jsonLines(outcome: Outcome): Record<string, unknown>[] {
  return outcome.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** The result: the last object. */
export function jsonResult(outcome: Outcome): Record<string, unknown> {
  const result = jsonLines(outcome).at(-1);
  if (result === undefined) throw new Error(`no JSON on stdout; stderr: ${outcome.stderr}`);
  return result;
}

/** The error object of a command that failed with `--json`. */
export function jsonError(outcome: Outcome): Record<string, unknown> {
  return jsonResult(outcome).error as Record<string, unknown>;
}

/** Makes a folder that goes away after the tests of the file. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'thetalog-cli-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Makes an empty store in a folder and returns its path. */
export async function newStore(folder: string, name = 'store'): Promise<string> {
  const store = join(folder, name);
  const outcome = await thetalog(['init', store]);
  if (outcome.code !== 0) throw new Error(`init failed: ${outcome.stderr}`);
  return store;
}

export interface FileTensor {
  name: string;
  /** As safetensors writes it: `F32`, `BF16`, ... */
  dtype: string;
  shape: number[];
  data: Uint8Array;
}

/** Returns the bytes of a safetensors file. */
export function safetensorsBytes(tensors: readonly FileTensor[]): Buffer {
  const header: Record<string, object> = {};
  let end = 0;
  for (const { name, dtype, shape, data } of tensors) {
    header[name] = { dtype, shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([text, Buffer.alloc((8 - (text.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...tensors.map((tensor) => tensor.data)]);
}

/** Returns the little-endian bytes of float32 values. */
export function float32Bytes(values: readonly number[]): Uint8Array {
  return new Uint8Array(new Float32Array(values).buffer);
}

/** Writes a small safetensors file whose values depend on the seed, and returns its path. */
export async function writeWeights(path: string, seed: number): Promise<string> {
  const values = Array.from({ length: 512 }, (_, index) => Math.sin(index * 0.37) + seed * 1e-4);
  const tensors = [
    { name: 'layer.weight', dtype: 'F32', shape: [16, 32], data: float32Bytes(values) },
    { name: 'layer.bias', dtype: 'F32', shape: [2], data: float32Bytes([1, 2]) },
  ];
  await writeFile(path, safetensorsBytes(tensors));
  return path;
}
