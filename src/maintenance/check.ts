import type { CheckReport, OperationOptions, StoreContext } from '../checkpoints/index.js';

export async function checkStore(
  _context: StoreContext,
  _options: OperationOptions & { readData?: number },
): Promise<CheckReport> {
  throw new Error('being written');
}
