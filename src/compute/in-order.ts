/** Many things under way at once, results in the order of the inputs. */

export interface InOrderOptions<Input> {
  /** Inputs under way at most. */
  ahead: number;
  /** Bytes of inputs under way at most, however large a single one is. */
  bytesMax: number;
  bytesOf(input: Input): number;
}

/**
 * Yields what `work` makes of each input, in order, while it is already at the next ones. Once anything throws nothing new
 * is begun; what is under way is waited for, then that is thrown.
 */
export async function* inOrder<Input, Output>(
  inputs: Iterable<Input> | AsyncIterable<Input>,
  { ahead, bytesMax, bytesOf }: InOrderOptions<Input>,
  work: (input: Input) => Promise<Output>,
): AsyncGenerator<Output> {
  const running: { promise: Promise<Output>; bytes: number }[] = [];
  let bytesRunning = 0;
  const first = async (): Promise<Output> => {
    const output = await running[0].promise;
    bytesRunning -= running[0].bytes;
    running.shift();
    return output;
  };
  try {
    for await (const input of inputs) {
      const bytes = bytesOf(input);
      while (running.length >= ahead || (running.length > 0 && bytesRunning + bytes > bytesMax))
        yield await first();
      const promise = work(input);
      promise.catch(() => {});
      running.push({ promise, bytes });
      bytesRunning += bytes;
    }
    while (running.length > 0) yield await first();
  } finally {
    await Promise.allSettled(running.map(({ promise }) => promise));
  }
}
