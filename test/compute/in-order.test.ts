import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { inOrder } from '../../src/compute/index.js';

async function collect<T>(outputs: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const output of outputs) all.push(output);
  return all;
}

describe('many things under way at once', () => {
  it('give their results in the order of the inputs', async () => {
    const options = { ahead: 4, bytesMax: 100, bytesOf: () => 1 };
    const work = async (milliseconds: number) => {
      await delay(milliseconds);
      return milliseconds;
    };
    expect(await collect(inOrder([9, 1, 5, 0, 3], options, work))).toEqual([9, 1, 5, 0, 3]);
  });

  it.each([
    { ahead: 3, bytesMax: 100, most: 3 },
    { ahead: 10, bytesMax: 25, most: 2 },
    { ahead: 10, bytesMax: 5, most: 1 },
  ])('are at most $ahead and $bytesMax bytes: $most of 10 bytes', async ({ ahead, bytesMax, most }) => {
    let running = 0;
    let largest = 0;
    const work = async () => {
      running += 1;
      largest = Math.max(largest, running);
      await delay(1);
      running -= 1;
    };
    await collect(inOrder(new Array(12).fill(0), { ahead, bytesMax, bytesOf: () => 10 }, work));
    expect(largest).toBe(most);
  });

  it('end with the first failure, once what was under way has ended', async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const work = async (input: number) => {
      begun.push(input);
      await delay(input);
      ended.push(input);
      if (input === 2) throw new Error('two');
    };
    const options = { ahead: 2, bytesMax: 100, bytesOf: () => 1 };
    await expect(collect(inOrder([2, 9, 3, 4], options, work))).rejects.toThrow('two');
    expect(begun).toEqual([2, 9]);
    expect(ended).toEqual([2, 9]);
  });
});
