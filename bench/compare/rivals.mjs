/**
 * Other ways to keep a checkpoint whose predecessor is kept already. Each takes `{ base, next, folder }`, verifies that the
 * file comes back, and answers with the bytes that the next one took and the seconds to save and restore it.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { gunzipSync, gzipSync } from 'fflate';
import { thetalog } from '../children.mjs';
import { filesBelow } from '../engine/restore-tasks.mjs';
import { secondsOf } from '../harness.mjs';

function run(command, arguments_, options = {}) {
  execFileSync(command, arguments_, { stdio: ['ignore', 'ignore', 'pipe'], ...options });
}

/** Waits until a file is on disk. */
function sync(path) {
  const file = openSync(path, 'r+');
  fsyncSync(file);
  closeSync(file);
}

const sizeBelow = (folder) => filesBelow(folder).reduce((sum, path) => sum + statSync(path).size, 0);

function assertSame(a, b) {
  if (spawnSync('cmp', [a, b]).status !== 0) throw new Error(`${basename(a)} differs`);
}

/** One file made from the next checkpoint, and back. */
function oneFile(make, unmake) {
  return ({ base, next, folder }) => {
    const [kept, restored] = [join(folder, 'kept'), join(folder, 'restored')];
    const save = secondsOf(() => {
      make({ base, next, kept });
      sync(kept);
    });
    const restore = secondsOf(() => unmake({ base, kept, restored }));
    assertSame(next, restored);
    return { bytes: statSync(kept).size, save, restore };
  };
}

const zstd = (...options) =>
  oneFile(
    ({ next, kept }) => run('zstd', ['-qf', ...options, next, '-o', kept]),
    ({ kept, restored }) => run('zstd', ['-dqf', kept, '-o', restored]),
  );

/** A window that spans both files. */
const LONG = ['--long=31'];

/** A repository that holds the base before the next one comes. */
function repository({ init, save, restore, environment = {} }) {
  return ({ base, next, folder }) => {
    const place = join(folder, 'repository');
    const out = join(folder, 'out');
    const source = join(folder, 'source');
    mkdirSync(out);
    mkdirSync(source);
    const env = { ...process.env, HOME: folder, ...environment };
    const call = ([command, ...arguments_], cwd = source) => run(command, arguments_, { env, cwd });
    call(init(place));
    // Both checkpoints under one name, as backups of a file that changes.
    const name = join(source, 'checkpoint');
    copyFileSync(base, name);
    call(save(place, 'base'));
    const before = sizeBelow(place);
    copyFileSync(next, name);
    const saveSeconds = secondsOf(() => call(save(place, 'next')));
    const bytes = sizeBelow(place) - before;
    const restoreSeconds = secondsOf(() => call(restore(place, out), out));
    assertSame(next, filesBelow(out)[0]);
    return { bytes, save: saveSeconds, restore: restoreSeconds };
  };
}

const restic = repository({
  init: (place) => ['restic', '-r', place, 'init'],
  save: (place) => ['restic', '-r', place, 'backup', 'checkpoint'],
  restore: (place, out) => ['restic', '-r', place, 'restore', 'latest', '--target', out],
  environment: { RESTIC_PASSWORD: 'bench' },
});

const borg = repository({
  init: (place) => ['borg', 'init', '-e', 'none', place],
  save: (place, name) => ['borg', 'create', `${place}::${name}`, 'checkpoint'],
  restore: (place) => ['borg', 'extract', `${place}::next`],
  environment: { BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes' },
});

async function ours({ base, next, folder }) {
  const store = join(folder, 'store');
  const out = join(folder, 'out');
  await thetalog('init', store);
  await thetalog('save', base, '--run', 'bench', '--store', store);
  const before = sizeBelow(store);
  const saved = await thetalog('save', next, '--run', 'bench', '--store', store);
  const bytes = sizeBelow(store) - before;
  const restored = await thetalog('restore', 'bench', '--out', out, '--store', store);
  assertSame(next, join(out, basename(next)));
  return { bytes, save: saved.seconds, restore: restored.seconds };
}

/** Methods by name; `needs` is a command that must be there. */
export const RIVALS = [
  { method: 'thetalog', run: ours },
  {
    method: 'whole copy',
    run: oneFile(
      ({ next, kept }) => run('cp', [next, kept]),
      ({ kept, restored }) => run('cp', [kept, restored]),
    ),
  },
  {
    method: 'gzip -6 (fflate)',
    run: oneFile(
      ({ next, kept }) => writeFileSync(kept, gzipSync(readFileSync(next), { level: 6 })),
      ({ kept, restored }) => writeFileSync(restored, gunzipSync(readFileSync(kept))),
    ),
  },
  { method: 'zstd -1', needs: 'zstd', run: zstd('-1') },
  { method: 'zstd -3', needs: 'zstd', run: zstd('-3') },
  {
    method: 'zstd -3 --patch-from',
    needs: 'zstd',
    run: oneFile(
      ({ base, next, kept }) => run('zstd', ['-qf', '-3', ...LONG, `--patch-from=${base}`, next, '-o', kept]),
      ({ base, kept, restored }) =>
        run('zstd', ['-dqf', ...LONG, `--patch-from=${base}`, kept, '-o', restored]),
    ),
  },
  { method: 'restic', needs: 'restic', run: restic },
  { method: 'borg (lz4)', needs: 'borg', run: borg },
];

/** Whether a command can be started. */
export function isHere(command) {
  return command === undefined || spawnSync(command, ['--version']).error === undefined;
}

/** Runs one method in a fresh folder; answers with why where it fails or is not here. */
export async function measure({ method, needs, run: perform }, { base, next, folder }) {
  if (!isHere(needs)) return { method, skipped: `${needs} is not here` };
  mkdirSync(folder);
  try {
    const found = await perform({ base, next, folder });
    const size = statSync(next).size;
    const [save, restore] = [found.save, found.restore].map((seconds) => size / seconds / 1e9);
    return { method, bytes: found.bytes, ratio: size / found.bytes, save, restore };
  } catch (error) {
    return { method, skipped: `${error.message}`.split('\n')[0] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
