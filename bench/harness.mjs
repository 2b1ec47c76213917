/**
 * What every benchmark shares: rounds and their medians, rows set against their targets, reports. A benchmark verifies
 * that results are equal before it times anything; times are reported, never asserted.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { machine } from './machine.mjs';
import { goalText, isReached, targetOf } from './targets.mjs';

export const RESULTS = join(import.meta.dirname, 'results');

/** mulberry32: the same data on every machine. */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}

/** Throws unless both arrays hold the same bytes. */
export function verifySame(what, actual, expected) {
  const [a, b] = [actual, expected].map((view) => Buffer.from(view.buffer, view.byteOffset, view.byteLength));
  if (a.compare(b) !== 0) throw new Error(`${what}: results differ, nothing was timed`);
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median, least and greatest of some numbers, and how many they are. */
export function spread(numbers) {
  return {
    median: median(numbers),
    least: Math.min(...numbers),
    most: Math.max(...numbers),
    rounds: numbers.length,
  };
}

/** Seconds that an operation takes. */
export function secondsOf(operation) {
  const started = process.hrtime.bigint();
  operation();
  return Number(process.hrtime.bigint() - started) / 1e9;
}

/** Seconds until an operation's promise resolves. */
export async function secondsUntil(operation) {
  const started = process.hrtime.bigint();
  await operation();
  return Number(process.hrtime.bigint() - started) / 1e9;
}

/**
 * A figure set against its target. `reached` is a number, or numbers of several rounds; `how` says what was measured against
 * what, and `more` holds whatever else is worth knowing (sizes, seconds, load).
 */
export function row(id, reached, how, more = {}) {
  const { section, row: name, goal, sense, unit } = targetOf(id);
  const figures = spread(Array.isArray(reached) ? reached : [reached]);
  const ok = isReached({ goal, sense }, figures.median);
  const target = goalText({ goal, sense, unit });
  return {
    section,
    id,
    row: name,
    target,
    goal,
    sense,
    unit,
    reached: figures.median,
    ok,
    figures,
    how,
    ...more,
  };
}

/** A target that was not measured, and why. */
export function skipped(id, reason) {
  const { section, row: name, goal, sense, unit } = targetOf(id);
  const target = goalText({ goal, sense, unit });
  return { section, id, row: name, target, goal, sense, unit, reached: null, ok: null, skipped: reason };
}

/** Collects rows and facts of a run; prints them as they come, and keeps them in a file, so that a run that is cut off keeps its figures. */
export class Report {
  constructor(name, { json = false, folder, settings = {} } = {}) {
    this.name = name;
    this.json = json;
    this.started = new Date().toISOString();
    this.machine = machine(folder);
    this.settings = settings;
    this.limits = {};
    this.rows = [];
    this.others = [];
    this.announce();
  }

  announce() {
    const { node, platform, cpu, cores, memoryGib, fileSystem } = this.machine;
    const place = fileSystem === undefined ? '' : `, files on ${fileSystem}`;
    this.say(`${this.name}: Node ${node}, ${platform}, ${cores} x ${cpu}, ${memoryGib} GiB${place}`);
  }

  say(line) {
    if (!this.json) console.log(line);
  }

  line(object) {
    if (this.json) console.log(JSON.stringify(object));
  }

  /** A physical limit or a peer, measured in this run, in GB/s. */
  limit(name, gigabytesPerSecond) {
    this.limits[name] = spread([gigabytesPerSecond].flat());
    this.line({ limit: name, ...this.limits[name] });
    const { median: middle, least, most } = this.limits[name];
    this.say(`  limit ${name.padEnd(34)} ${fixed(middle)} GB/s  (${fixed(least)} to ${fixed(most)})`);
  }

  /** A row of the tables. */
  add(...rows) {
    for (const entry of rows) {
      this.rows.push(entry);
      this.line(entry);
      this.say(rowText(entry));
    }
    this.write();
  }

  /** Something worth printing that no target asks for. */
  note(entry) {
    this.others.push(entry);
    this.line(entry);
    const size = entry.size === undefined ? '' : `  ${entry.size}`;
    this.say(`        ${entry.name.padEnd(44)} ${fixed(entry.gigabytesPerSecond).padStart(8)} GB/s${size}`);
  }

  /** Writes results/NAME.json. */
  write(more = {}) {
    const { name, started, settings, limits, rows, others } = this;
    const result = { name, started, machine: this.machine, settings, limits, rows, others, ...more };
    mkdirSync(RESULTS, { recursive: true });
    writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify(result, undefined, 1)}\n`);
    return result;
  }

  /** Prints the result, with more where given, as one object and writes it to results/NAME.json. */
  finish(more = {}) {
    const { name, rows } = this;
    const result = this.write(more);
    this.line(result);
    if (rows.length === 0) return result;
    const measured = rows.filter(({ ok }) => ok !== null);
    const short = measured.filter(({ ok }) => !ok).length;
    this.say(
      `${name}: ${measured.length} figures, ${short} short, ${rows.length - measured.length} not measured`,
    );
    return result;
  }
}

/** Three significant digits, as people read them. */
export function fixed(number) {
  if (number === null || number === undefined || !Number.isFinite(number)) return '-';
  const size = Math.abs(number);
  return number.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** A figure as people read it, with more digits where three hide that it falls short. */
export function shownFigure({ reached, goal, ok }) {
  const short = fixed(reached);
  return ok === false && short === fixed(goal) ? reached.toPrecision(5) : short;
}

function rowText(entry) {
  const { row: name, target, ok, figures, skipped: reason, load, note } = entry;
  if (ok === null) return `  -     ${name.padEnd(62)} not measured: ${reason}`;
  const range = figures.rounds > 1 ? `  (${fixed(figures.least)} to ${fixed(figures.most)})` : '';
  const loaded = load?.loaded ? `  LOADED: others used ${fixed(load.other + load.steal)} cores` : '';
  const text = note === undefined ? '' : `  ${note}`;
  return `  ${ok ? 'ok   ' : 'SHORT'} ${name.padEnd(62)} ${shownFigure(entry).padStart(7)}  ${target}${range}${text}${loaded}`;
}
