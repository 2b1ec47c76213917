/** Does work on threads that is given up once the signal fires: jobs look at `stop`, in shared memory. */
export async function withStop<T>(
  signal: AbortSignal | undefined,
  work: (stop: Int32Array) => Promise<T>,
): Promise<T> {
  const stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const onAbort = () => Atomics.store(stop, 0, 1);
  signal?.addEventListener('abort', onAbort);
  try {
    return await work(stop);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
