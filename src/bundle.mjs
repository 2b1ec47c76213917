/**
 * Puts the modules of each way in into few files: opening three hundred takes a command, and each of its threads, longer than
 * reading a small checkpoint. The modules that the compiler wrote stay beside them for tests and benchmarks. Run by
 * `npm run build`.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const dist = join(dirname(fileURLToPath(import.meta.url)), '../dist');

/** What package.json names, and the worker threads. What they share is put into files of its own. */
const ENTRIES = ['index', 'tfjs/index', 'cli/main', 'compute/worker'];

const bundle = await rolldown({
  input: Object.fromEntries(ENTRIES.map((name) => [name, join(dist, `${name}.js`)])),
  // Only what is ours: users get the dependencies that they install.
  external: (id) => !id.startsWith('.') && !id.startsWith('/'),
  platform: 'node',
});
await bundle.write({
  dir: dist,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'shared/[name].js',
});
