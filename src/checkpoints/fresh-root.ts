import { isThetalogError } from '../errors.js';
import type { StoreContext } from './context.js';

/**
 * Runs a reading operation; if an object that it needed is gone because gc or compaction went on meanwhile, runs it once
 * more on the new root.
 */
export async function withFreshRoot<T>(context: StoreContext, operation: () => Promise<T>): Promise<T> {
  const { generation } = await context.roots.read();
  try {
    return await operation();
  } catch (error) {
    if (!isThetalogError(error, 'corrupt') || error.code !== 'missing-object') throw error;
    if ((await context.roots.read()).generation === generation) throw error;
    return operation();
  }
}
