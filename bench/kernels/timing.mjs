/** Mean speeds of short tasks by tinybench: means, because those of `zstd -b`, which they are set against, are means too. */
import { Bench } from 'tinybench';

/** Bytes that memcpy is measured over: more than the caches of a core hold twice. */
const COPY_BYTES = 8 * 2 ** 20;
const copySource = new Uint8Array(COPY_BYTES).fill(1);
const copyTarget = new Uint8Array(COPY_BYTES).fill(2);
export const memcpy = { name: 'memcpy', bytes: COPY_BYTES, run: () => copyTarget.set(copySource) };

/** Runs tasks `{ name, bytes, run }` one after the other; returns GB/s by name. */
export async function speeds(tasks, milliseconds) {
  const bench = new Bench({
    time: milliseconds,
    warmupTime: milliseconds / 3,
    iterations: 2,
    warmupIterations: 1,
  });
  for (const task of tasks) bench.add(task.name, task.run);
  await bench.run();
  const entries = tasks.map((task, index) => {
    const { result } = bench.tasks[index];
    if (result?.latency === undefined) throw new Error(`${task.name} failed`, { cause: result?.error });
    return [task.name, task.bytes / result.latency.mean / 1e6];
  });
  return Object.fromEntries(entries);
}

/** Puts bytes into the memory of the kernels, where these use them in place. */
export function placed(kernels, bytes) {
  const place = kernels.arena.take(bytes.length);
  if (place === undefined) throw new Error('the arena of the kernels is full');
  place.set(bytes);
  return place;
}
