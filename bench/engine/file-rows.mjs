/** Rows of saves from files and restores to files, by the built command, and of one tensor out of a large checkpoint. */
import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runTask, thetalog } from '../children.mjs';
import { median, row, skipped } from '../harness.mjs';
import { copyFileSeconds } from '../limits.mjs';
import { watchLoad } from '../machine.mjs';
import { inFolder, tooLarge } from './state-rows.mjs';

const MB = 1e6;

export async function fileRows(context) {
  const { report } = context;
  // The process that writes the files holds the state once.
  const reason = tooLarge(context.gib, 1.2);
  if (reason !== undefined) {
    const ids = ['files-1', 'files-100'].flatMap((id) => [`${id}-safetensors`, `${id}-pth`]);
    const others = ['restore-files-0', 'restore-files-1', 'memory-files'];
    report.add(...[...ids, ...others].map((id) => skipped(id, reason)));
    return;
  }
  const peaks = [];
  for (const format of ['safetensors', 'pth']) {
    await inFolder(context, async (folder) => {
      await runTask('file-tasks', 'writeFiles', { folder, gib: context.gib, format });
      const store = join(folder, 'store');
      await thetalog('init', store);
      const base = join(folder, `base.${format}`);
      const saved = await thetalog('save', base, '--run', 'bench', '--store', store);
      peaks.push(saved.peakBytes);
      for (const [id, name] of [
        [`files-1-${format}`, 'one'],
        [`files-100-${format}`, 'far'],
      ]) {
        peaks.push(
          await saveFileRow(context, { id, folder, store, next: join(folder, `${name}.${format}`) }),
        );
      }
      if (format === 'safetensors') peaks.push(await restoreFileRows(context, { folder, store, base }));
    });
  }
  const note = 'the command: saves of a first and a next file, restores';
  report.add(row('memory-files', Math.max(...peaks) / MB, 'peak memory of whole processes', { note }));
}

/** Saves one file into copies of a store that holds its base. */
async function saveFileRow({ report, rounds }, { id, folder, store, next }) {
  const { size } = statSync(next);
  const ratios = [];
  const copies = [];
  const seconds = [];
  let peak = 0;
  let stored = 0;
  const loadOf = watchLoad();
  for (let round = 0; round < rounds; round++) {
    const trial = join(folder, 'trial');
    // Objects never change once written, so links are as good as copies.
    execFileSync('cp', ['-al', store, trial]);
    const copy = copyFileSeconds(next, join(folder, 'copy'), { durable: true });
    const saved = await thetalog('save', next, '--run', 'bench', '--store', trial);
    rmSync(trial, { recursive: true });
    ratios.push(copy / saved.seconds);
    copies.push(size / copy / 1e9);
    seconds.push(saved.seconds);
    peak = Math.max(peak, saved.peakBytes);
    stored = saved.lines.at(-1).storedBytes;
  }
  const gigabytesPerSecond = size / median(seconds) / 1e9;
  const note = `${gigabytesPerSecond.toFixed(2)} GB/s, ${(size / stored).toFixed(2)}x smaller, ${(peak / MB).toFixed(0)} MB`;
  const how = 'thetalog save from process start to end; cp of the same file and fsync right before';
  report.add(row(id, ratios, how, { note, seconds, gigabytesPerSecond, peakBytes: peak, load: loadOf() }));
  report.limit('cp + fsync', copies);
  return peak;
}

async function restoreFileRows({ report, rounds }, { folder, store, base }) {
  const far = join(folder, 'far.safetensors');
  await thetalog('save', far, '--run', 'bench', '--store', store);
  const peaks = [];
  for (const [id, ref, original] of [
    ['restore-files-0', 'bench~1', base],
    ['restore-files-1', 'bench', far],
  ]) {
    const out = join(folder, 'out');
    const ratios = [];
    const seconds = [];
    const loadOf = watchLoad();
    for (let round = 0; round < rounds; round++) {
      const copy = copyFileSeconds(original, join(folder, 'copy'), { durable: false });
      const restored = await thetalog('restore', ref, '--out', out, '--store', store);
      if (round === 0) assertSameFile(original, out);
      rmSync(out, { recursive: true });
      ratios.push(copy / restored.seconds);
      seconds.push(restored.seconds);
      peaks.push(restored.peakBytes);
    }
    const gigabytesPerSecond = statSync(original).size / median(seconds) / 1e9;
    const note = `${gigabytesPerSecond.toFixed(2)} GB/s`;
    const how = 'thetalog restore from process start to end, synced; cp of the same file without';
    report.add(row(id, ratios, how, { note, seconds, gigabytesPerSecond, load: loadOf() }));
  }
  return Math.max(...peaks);
}

function assertSameFile(original, out) {
  const name = original.slice(original.lastIndexOf('/') + 1);
  if (spawnSync('cmp', [original, join(out, name)]).status !== 0) throw new Error(`${name} differs`);
}

export async function tensorRows(context) {
  const { report, quick, rounds, workers } = context;
  const bytes = (quick ? 0.2 : 10) * 2 ** 30;
  await inFolder(context, async (folder) => {
    await runTask('file-tasks', 'writeProbes', { folder, bytes });
    const store = join(folder, 'store');
    await thetalog('init', store);
    for (const name of ['probe-0', 'probe-1', 'probe-2'])
      await thetalog('save', join(folder, `${name}.safetensors`), '--run', 'bench', '--store', store);
    const found = await runTask('file-tasks', 'readProbe', { folder, rounds: 4 * rounds, workers });
    const [head] = (await thetalog('list', 'bench', '--last', '1', '--store', store)).lines;
    const first = `first read ${(1000 * found.first).toFixed(0)} ms`;
    const note = `depth ${head.height}, open ${(1000 * Math.min(...found.opened)).toFixed(1)} ms, ${first}`;
    const how = 'store.readTensor in a process that has read before, each time on a store opened anew';
    report.add(
      row(
        'tensor',
        found.read.map((seconds) => 1000 * seconds),
        how,
        { note, load: found.load },
      ),
    );
  });
}
