/** Rows of saves and restores of a state in memory. */
import { rmSync } from 'node:fs';
import { runTask, scratchFolder } from '../children.mjs';
import { median, row, skipped } from '../harness.mjs';
import { availableMemory } from '../machine.mjs';
import { threadSpeed } from './kernel-threads.mjs';

const GIB = 2 ** 30;
const MB = 1e6;

/** A folder for one scenario, removed after it. */
export async function inFolder({ dir }, work) {
  const folder = scratchFolder(dir);
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const ratios = (results, top, bottom) => results.map((result) => result[top] / result[bottom]);

/** Says why a state does not fit into memory `times` over, or undefined where it does. */
export function tooLarge(gib, times) {
  const free = availableMemory() / GIB;
  if (gib * times + 0.5 <= free) return undefined;
  return `needs ${(gib * times).toFixed(1)} GiB of memory, ${free.toFixed(1)} are free`;
}

/** States in memory at once: with a copy of the state and one of its base, with its base alone, with neither; and some more. */
const COPIES = { ahead: 3.3, based: 2.3, alone: 1.3 };

/**
 * Saves of a state: unchanged, one step, ten and a hundred steps apart; the stall is of those one step apart. Where copies of the
 * state do not fit into memory, saves are synchronous, and there is no stall to measure.
 */
export async function saveRows(context) {
  const { report, gib, rounds, workers } = context;
  const noCopy = tooLarge(gib, COPIES.ahead);
  const scenarios = [
    { id: 'save-1', steps: 1, against: 'write' },
    { id: 'save-10', steps: 10, against: 'write' },
    { id: 'save-100', steps: 100, against: 'write' },
    { id: 'same-memory', steps: 0, against: 'memcpy' },
    { id: 'same-disk', steps: 0, against: 'memcpy', base: 'disk' },
  ];
  if (noCopy !== undefined) report.add(skipped('stall', noCopy));
  for (const { id, steps, against, base = 'memory' } of scenarios) {
    const synchronous = base === 'disk' || noCopy !== undefined;
    const reason = tooLarge(gib, base === 'disk' ? COPIES.alone : COPIES.based);
    if (reason !== undefined) {
      report.add(skipped(id, reason));
      continue;
    }
    const { results, second, bytes, load, peakBytes } = await inFolder(context, (folder) =>
      runTask('save-tasks', 'saveRepeatedly', { folder, gib, steps, rounds, workers, base, synchronous }),
    );
    const more = { load, peakBytes, ...speedOf(results, bytes) };
    const how = `a state of ${gib} GiB saved ${rounds} times${synchronous ? ' without a copy' : ''}, ${against} of the same bytes right before each`;
    report.add(row(id, ratios(results, against, 'durable'), how, more));
    if (id !== 'save-1') continue;
    if (second !== undefined) {
      const mapping = (second.stall / second.memcpy).toFixed(1);
      const text = `until save() resolves; ${how}; the second save of a run, which maps new memory: ${mapping} x`;
      report.add(row('stall', ratios(results, 'stall', 'memcpy'), text, { load }));
    }
    for (const [name, limit] of [
      ['memcpy', 'memcpy'],
      ['raw write + fsync', 'write'],
    ])
      report.limit(
        name,
        results.map((result) => bytes / result[limit] / 1e9),
      );
  }
}

function speedOf(results, bytes) {
  const seconds = results.map(({ durable }) => durable);
  const gigabytesPerSecond = bytes / median(seconds) / 1e9;
  const smaller = `${(bytes / results.at(-1).stored).toFixed(2)}x smaller`;
  return { seconds, gigabytesPerSecond, note: `${gigabytesPerSecond.toFixed(2)} GB/s, ${smaller}` };
}

export async function firstSaveRows(context) {
  const { report, gib, rounds, workers } = context;
  const reason = tooLarge(gib, COPIES.alone);
  if (reason !== undefined) return report.add(skipped('first-save', reason));
  const { results, bytes, load, peakBytes } = await inFolder(context, (folder) =>
    runTask('save-tasks', 'saveFirst', { folder, gib, rounds, workers }),
  );
  const more = { load, peakBytes, ...speedOf(results, bytes) };
  report.add(row('first-save', ratios(results, 'write', 'durable'), 'into a fresh store, durable', more));
}

export async function restoreRows(context) {
  const { report, gib, rounds, workers } = context;
  const reason = tooLarge(gib, COPIES.alone);
  if (reason !== undefined) {
    report.add(skipped('restore-cold', reason), skipped('restore-warm', reason));
    return;
  }
  await inFolder(context, async (folder) => {
    const { bytes } = await runTask('restore-tasks', 'prepareFull', { folder, gib, workers });
    const mapped = [];
    for (const [id, against] of [
      ['restore-cold', 'read'],
      ['restore-warm', 'memcpy'],
    ]) {
      const cold = id === 'restore-cold';
      const results = [];
      for (let round = 0; round < rounds; round++) {
        results.push(await runTask('restore-tasks', 'restoreOnce', { folder, workers, cold }));
        mapped.push(await runTask('restore-tasks', 'touchNewMemory', { bytes }));
      }
      const gigabytesPerSecond = bytes / median(results.map(({ seconds }) => seconds)) / 1e9;
      const unproven = cold && results.some(({ isCold }) => !isCold) ? ', not proven cold' : '';
      const again = median(results.map(({ memcpy, again: seconds }) => memcpy / seconds)).toFixed(3);
      const touched = `again in the same process, into the arrays of the first: ${again} x memcpy`;
      const note = `${gigabytesPerSecond.toFixed(2)} GB/s into new memory${unproven}; ${touched}`;
      const how = 'run.restore() in a fresh process, store opened before';
      const peakBytes = Math.max(...results.map((result) => result.peakBytes));
      report.add(
        row(id, ratios(results, against, 'seconds'), how, {
          note,
          load: results[0].load,
          peakBytes,
          gigabytesPerSecond,
        }),
      );
      const name = cold ? 'raw cold read' : 'raw warm read';
      report.limit(
        name,
        results.map(({ read }) => bytes / read / 1e9),
      );
    }
    report.limit(
      'new memory, a byte of each page',
      mapped.map(({ seconds }) => bytes / seconds / 1e9),
    );
  });
}

/** Memory above the state, in processes that do nothing else. */
export async function memoryRows(context) {
  const { report, gib, workers } = context;
  const cases = [
    { id: 'memory-sync', base: 'memory', copies: COPIES.based, bound: (bytes) => bytes + 256 * MB },
    { id: 'memory-disk', base: 'disk', copies: COPIES.alone, bound: () => MB },
    { id: 'memory-async', base: 'memory', copies: COPIES.ahead, bound: (bytes) => 2 * bytes + 256 * MB },
  ];
  for (const { id, base, copies, bound } of cases) {
    const reason = tooLarge(gib, copies);
    if (reason !== undefined) {
      report.add(skipped(id, reason));
      continue;
    }
    const { bytes, above, load } = await inFolder(context, (folder) =>
      runTask('save-tasks', 'saveMemory', { folder, gib, workers, base, ahead: copies === COPIES.ahead }),
    );
    const note = `${(above / MB).toFixed(0)} MB above a state of ${(bytes / MB).toFixed(0)} MB`;
    const how = 'peak of a process that saves three times, less what it held before the first';
    report.add(row(id, above / bound(bytes), how, { note, load }));
  }
}

/** From one worker to two, where the disk is no limit. */
export async function scalingRows(context) {
  const { report, gib, rounds, memoryFolder } = context;
  const kernels = { one: [], two: [] };
  for (let round = 0; round < rounds; round++) {
    kernels.one.push(await threadSpeed(1));
    kernels.two.push(await threadSpeed(2));
  }
  report.limit('codec.encode on one thread', kernels.one);
  report.limit('codec.encode on two threads', kernels.two);
  const most = median(kernels.two.map((speed, round) => speed / kernels.one[round]));
  const small = Math.min(gib, 0.5);
  const place = { dir: memoryFolder ?? context.dir };
  const where = memoryFolder === undefined ? 'on disk' : 'on a file system in memory';
  const times = { save: [], restore: [] };
  for (const workers of [1, 2]) {
    await inFolder(place, async (folder) => {
      const parameters = {
        folder,
        gib: small,
        steps: 1,
        rounds,
        workers,
        base: 'memory',
        synchronous: false,
      };
      const { results } = await runTask('save-tasks', 'saveRepeatedly', parameters);
      times.save.push(results.map(({ durable }) => durable));
    });
    await inFolder(place, async (folder) => {
      await runTask('restore-tasks', 'prepareFull', { folder, gib: small, workers });
      const seconds = [];
      for (let round = 0; round < rounds; round++) {
        const found = await runTask('restore-tasks', 'restoreOnce', { folder, workers, cold: false });
        seconds.push(found.seconds);
      }
      times.restore.push(seconds);
    });
  }
  const note = `two threads that only encode do ${most.toFixed(2)} x what one does here`;
  const how = `${small} GiB ${where}; the seconds with one worker over those with two`;
  for (const [name, [one, two]] of Object.entries(times)) {
    report.add(
      row(
        `scaling-${name}`,
        one.map((seconds, round) => seconds / two[round]),
        how,
        { note },
      ),
    );
  }
}
