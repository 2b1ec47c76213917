/** The results of all runs so far: of each target the latest figure. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RESULTS } from '../harness.mjs';
import { goalText, TARGETS } from '../targets.mjs';

/** Reads results/*.json, oldest first; trials that only tried whether everything works are left out. */
export function readRuns() {
  if (!existsSync(RESULTS)) return [];
  return readdirSync(RESULTS)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(RESULTS, name), 'utf8')))
    .filter(({ settings }) => settings?.quick !== true)
    .sort((a, b) => a.started.localeCompare(b.started));
}

/** The size of the state that a run of whole operations worked on; undefined for other runs. */
const sizeOf = (run) => (run.name.startsWith('engine') ? run.settings.gib : undefined);

/**
 * Rows in the order of the targets, each with the machine and time of its run. Whole operations of `gib` GiB only; a
 * target without a figure says so.
 */
export function latestRows(runs, gib = 1) {
  const found = new Map();
  for (const run of runs) {
    if (run.name === 'compare' || ![undefined, gib].includes(sizeOf(run))) continue;
    for (const row of run.rows) {
      if (row.ok === null && found.get(row.id)?.ok !== undefined) continue;
      found.set(row.id, { ...row, started: run.started });
    }
  }
  return TARGETS.map((target) => {
    const missing = { ...target, target: goalText(target), reached: null, ok: null, skipped: 'not run' };
    return { ...(found.get(target.id) ?? missing), row: target.row };
  });
}

/** Limits by name: the latest of each. */
export function latestLimits(runs, gib = 1) {
  const limits = {};
  for (const run of runs) if ([undefined, gib].includes(sizeOf(run))) Object.assign(limits, run.limits);
  return limits;
}

/** The latest run against other programs, or undefined. */
export function comparison(runs) {
  return runs.findLast(({ name }) => name === 'compare');
}

/** Sizes of states that whole operations were measured on. */
export function engineSizes(runs) {
  return [...new Set(runs.map(sizeOf).filter((size) => size !== undefined))].sort((a, b) => a - b);
}
