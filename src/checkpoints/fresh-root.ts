import type { Root } from '../format/index.js';
import type { StoreContext } from './context.js';
import { isMissingObject } from './root-store.js';

/** Times that gc may take what an operation was reading before it gives up. */
const ATTEMPTS_MAX = 10;

/**
 * Runs a reading operation on the current root; if an object that it needed is gone because gc or compaction went on meanwhile, runs it again
 * on the new root.
 */
export async function withFreshRoot<T>(
  context: StoreContext,
  operation: (root: Root) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const root = await context.roots.read();
    const { generation } = root;
    try {
      return await operation(root);
    } catch (error) {
      if (!isMissingObject(error) || attempt === ATTEMPTS_MAX) throw error;
      if ((await context.roots.read()).generation === generation) throw error;
    }
  }
}
