/** Lets maintenance work where nothing more can be written: what it must write before it can free anything has a reserve. */
import type { StoreContext } from '../checkpoints/index.js';
import { isThetalogError } from '../errors.js';

/**
 * Performs the operation; if the disk is full, performs it again in the space of the reserve, which is made anew afterwards
 * if there is room.
 */
export async function onFullDisk<T>(context: StoreContext, perform: () => Promise<T>): Promise<T> {
  const { space } = context.storage;
  try {
    return await perform();
  } catch (error) {
    if (!(isThetalogError(error) && error.code === 'disk-full')) throw error;
    if (!(await space?.releaseReserve())) throw error;
    return await perform();
  } finally {
    await space?.keepReserve();
  }
}
