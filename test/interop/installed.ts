/** What `npm run test:interop` has installed for these tests; test/interop.mjs writes it down. */
import { readFileSync } from 'node:fs';

/** Python libraries by the name that test/interop.mjs gives them. */
export type PythonLibrary =
  | 'torch'
  | 'torch 1.13'
  | 'transformers'
  | 'lightning'
  | 'tensorflow'
  | 'jax'
  | 'orbax'
  | 'gguf';

interface Installed {
  python: Partial<Record<PythonLibrary, string>>;
  npm: string | null;
}

const list = process.env.THETALOG_INTEROP_INSTALLED;
const installed: Installed =
  list === undefined || list === '' ? { python: {}, npm: null } : JSON.parse(readFileSync(list, 'utf8'));

/** Returns an interpreter that can import the library, or undefined. */
export function pythonWith(library: PythonLibrary): string | undefined {
  return installed.python[library];
}

/** The folder whose `node_modules` has TensorFlow.js, or undefined. */
export const npmFolder: string | undefined = installed.npm ?? undefined;
