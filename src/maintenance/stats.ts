import type { StoreContext, StoreStats } from '../checkpoints/index.js';

export async function storeStats(_context: StoreContext, _ref: string | undefined): Promise<StoreStats> {
  throw new Error('being written');
}
