import type { Difference, OperationOptions, StoreContext } from '../checkpoints/index.js';

export async function diffCheckpoints(
  _context: StoreContext,
  _a: string,
  _b: string,
  _options: OperationOptions,
): Promise<Difference> {
  throw new Error('being written');
}
