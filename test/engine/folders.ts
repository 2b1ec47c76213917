/** Folders of files for tests: made in a temporary place, read back as a map. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { randomNumbers } from './training-state.js';

/** Paths to contents; a path that ends in `/` is an empty directory. */
export type Tree = Record<string, string | Uint8Array>;

/** Makes an empty folder that is removed when the test ends. */
export async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'thetalog-files-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes files below a folder. */
export async function writeTree(folder: string, tree: Tree): Promise<void> {
  for (const [path, content] of Object.entries(tree)) {
    await mkdir(join(folder, path.endsWith('/') ? path : dirname(path)), { recursive: true });
    if (!path.endsWith('/')) await writeFile(join(folder, path), content);
  }
}

/** Reads all files below a folder, hidden ones included; empty directories end in `/`. */
export async function readTree(folder: string): Promise<Record<string, Uint8Array>> {
  const tree: Record<string, Uint8Array> = {};
  const visit = async (prefix: string): Promise<void> => {
    const entries = await readdir(join(folder, prefix), { withFileTypes: true });
    if (entries.length === 0 && prefix !== '') tree[prefix] = new Uint8Array();
    for (const entry of entries) {
      const path = `${prefix}${entry.name}`;
      if (entry.isDirectory()) await visit(`${path}/`);
      else tree[path] = new Uint8Array(await readFile(join(folder, path)));
    }
  };
  await visit('');
  return tree;
}

/** Returns bytes that do not compress, the same for the same seed. */
export function randomBytes(length: number, seed: number): Uint8Array {
  const next = randomNumbers(seed);
  return Uint8Array.from({ length }, () => Math.floor(next() * 256));
}

/** Returns a safetensors file of float32 tensors. */
export function safetensors(tensors: Record<string, Float32Array>): Uint8Array {
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, data]) => {
      const start = end;
      end += data.byteLength;
      return [name, { dtype: 'F32', shape: [data.length], data_offsets: [start, end] }];
    }),
  );
  const text = JSON.stringify(header).padEnd(Math.ceil(JSON.stringify(header).length / 8) * 8, ' ');
  const file = new Uint8Array(8 + text.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(new TextEncoder().encode(text), 8);
  let at = 8 + text.length;
  for (const data of Object.values(tensors)) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

/** Reads a safetensors file: name to dtype, shape and bytes. */
export function parseSafetensors(
  file: Uint8Array,
): Record<string, { dtype: string; shape: number[]; bytes: Uint8Array }> {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const body = file.subarray(8 + length);
  return Object.fromEntries(
    Object.entries(header)
      .filter(([name]) => name !== '__metadata__')
      .map(
        ([
          name,
          {
            dtype,
            shape,
            data_offsets: [start, end],
          },
        ]) => [name, { dtype, shape, bytes: body.slice(start, end) }],
      ),
  );
}
