/** Mean speeds of short tasks by tinybench: means, because those of `zstd -b`, which they are set against, are means too. */
import { Bench } from 'tinybench';
import { watchShare } from '../machine.mjs';

/** Bytes that memcpy is measured over: from memory to memory, more than the caches hold. */
const COPY_BYTES = 64 * 2 ** 20;
const copySource = new Uint8Array(COPY_BYTES).fill(1);
const copyTarget = new Uint8Array(COPY_BYTES).fill(2);
export const memcpy = { name: 'memcpy', bytes: COPY_BYTES, run: () => copyTarget.set(copySource) };

/**
 * Runs tasks `{ name, bytes, run }` one after the other; returns GB/s by name, as if the process had had a core to itself:
 * they only compute, so the time in which it had none was another program's.
 */
export async function speeds(tasks, milliseconds) {
  const found = {};
  for (const { name, bytes, run } of tasks) {
    const time = { time: milliseconds, warmupTime: milliseconds / 3, iterations: 2, warmupIterations: 1 };
    const bench = new Bench(time).add(name, run);
    const shareOf = watchShare();
    const [{ result }] = await bench.run();
    const share = shareOf();
    if (result?.latency === undefined) throw new Error(`${name} failed`, { cause: result?.error });
    found[name] = bytes / result.latency.mean / 1e6 / share;
  }
  return found;
}

/** Puts bytes into the memory of the kernels, where these use them in place. */
export function placed(kernels, bytes) {
  const place = kernels.arena.take(bytes.length);
  if (place === undefined) throw new Error('the arena of the kernels is full');
  place.set(bytes);
  return place;
}
