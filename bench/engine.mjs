/**
 * Whole operations on a state or a file of N GiB, each in a process of its own, against limits of the same run.
 *
 *   node bench/engine.mjs [--gib N] [--workers N] [--only NAME,...] [--dir DIR] [--rounds N] [--checkpoints N] [--quick] [--json]
 *
 * One GiB needs about twenty minutes, 8 GB of disk and 4 GB of memory. `--quick` only tries that everything works.
 */
import { accessSync, constants, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { chainRows } from './engine/chain-rows.mjs';
import { fileRows, tensorRows } from './engine/file-rows.mjs';
import { growthRows, millionRows } from './engine/growth-rows.mjs';
import { firstSaveRows, memoryRows, restoreRows, saveRows, scalingRows } from './engine/state-rows.mjs';
import { Report } from './harness.mjs';

const SCENARIOS = {
  save: saveRows,
  first: firstSaveRows,
  restore: restoreRows,
  files: fileRows,
  tensor: tensorRows,
  chain: chainRows,
  memory: memoryRows,
  scaling: scalingRows,
  million: millionRows,
  growth: growthRows,
};

const { values } = parseArgs({
  options: {
    gib: { type: 'string', default: '1' },
    workers: { type: 'string' },
    only: { type: 'string' },
    dir: { type: 'string', default: tmpdir() },
    rounds: { type: 'string' },
    checkpoints: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

const gib = Number(values.gib);
const names = values.only?.split(',') ?? Object.keys(SCENARIOS);
const unknown = names.find((name) => !(name in SCENARIOS));
if (unknown !== undefined || !(gib > 0)) {
  console.error(`usage: --gib N, --only ${Object.keys(SCENARIOS).join(',')}`);
  process.exit(2);
}

/** A file system in memory with room for the scaling rows, where the disk must be no limit. */
function memoryFolder() {
  try {
    const folder = '/dev/shm';
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize > 6 * 2 ** 30 ? folder : undefined;
  } catch {
    return undefined;
  }
}

const settings = {
  gib,
  rounds: Number(values.rounds ?? (values.quick ? 2 : 5)),
  workers: values.workers === undefined ? undefined : Number(values.workers),
  checkpoints: Number(values.checkpoints ?? (values.quick ? 40 : 10_000)),
  quick: values.quick,
};
const dir = resolve(values.dir);
const size = gib === 1 ? 'engine' : `engine-${gib}-gib`;
// Parts of a run are written apart, so that they add to what a whole run measured and do not replace it.
const name = `${size}${values.only === undefined ? '' : `-${names.join('-')}`}${values.quick ? '-quick' : ''}`;
const report = new Report(name, { json: values.json, folder: dir, settings });
for (const scenario of names)
  await SCENARIOS[scenario]({ ...settings, report, dir, memoryFolder: memoryFolder() });
report.finish();
