/**
 * What every benchmark shares: seeded data, timed tasks, a report. Equality is verified by the benchmark before it times
 * anything; times are reported, never asserted.
 */
import { cpus } from 'node:os';
import { Bench } from 'tinybench';

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
  if (Buffer.compare(actual, expected) !== 0) throw new Error(`${what}: results differ, nothing was timed`);
}

export function machine() {
  const processors = cpus();
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
  };
}

/**
 * Times tasks `{ name, bytes, run }` one after the other, and returns their median and best speed in GB/s of `bytes`, and
 * the ratio of the median to that of the task named `reference`.
 */
export async function timeTasks(tasks, { reference, milliseconds = 300 }) {
  const bench = new Bench({ time: milliseconds, warmupTime: milliseconds / 3, iterations: 5 });
  for (const task of tasks) bench.add(task.name, task.run);
  await bench.run();
  const rows = tasks.map((task, index) => {
    const { result } = bench.tasks[index];
    if (result?.latency === undefined) throw new Error(`${task.name} failed`, { cause: result?.error });
    const speed = (time) => task.bytes / time / 1e6;
    return { name: task.name, median: speed(result.latency.p50), best: speed(result.latency.min) };
  });
  const limit = rows.find((row) => row.name === reference)?.median;
  return rows.map((row, index) => ({ ...row, ratio: row.median / limit, note: tasks[index].note ?? '' }));
}

/** Prints a report for people, or one JSON object. */
export function printReport(title, rows, asJson) {
  if (asJson) {
    console.log(JSON.stringify({ title, machine: machine(), rows }));
    return;
  }
  const { node, platform, cpu, cores } = machine();
  console.log(`${title}: Node ${node}, ${platform}, ${cores} x ${cpu}`);
  const width = Math.max(...rows.map((row) => row.name.length));
  console.log(`${''.padEnd(width)}   median     best   x memcpy`);
  for (const { name, median, best, ratio, note } of rows) {
    const figures = [
      median.toFixed(2).padStart(7),
      best.toFixed(2).padStart(7),
      ratio.toFixed(3).padStart(8),
    ];
    console.log(`${name.padEnd(width)}  ${figures.join('  ')}  ${note}`);
  }
}
