/** Saves a plan, and what else saving does: chunks that were lost and are stored again come back to older checkpoints. */
import {
  type SavedCheckpoint,
  type SavePlan,
  type SaveRequest,
  type SaveResult,
  type SaveTimeline,
  type StoreContext,
  saveCheckpoint,
} from '../checkpoints/index.js';
import { isThetalogError } from '../errors.js';
import { readoptChunks } from '../maintenance/index.js';

/** Saves a plan. The checkpoint is durable when this resolves, whether or not older ones could be healed. */
export async function savePlan(
  context: StoreContext,
  plan: SavePlan,
  request: SaveRequest,
  timeline?: SaveTimeline,
): Promise<SavedCheckpoint> {
  const saved = await saveCheckpoint(context, plan, request, timeline);
  if (!saved.baseWasIncomplete) return saved;
  try {
    await readoptChunks(context, saved.entry);
  } catch (error) {
    if (!isThetalogError(error)) throw error;
    const { code, object, offset } = error;
    const message = `older checkpoints could not be healed: ${error.message}`;
    plan.warnings.push({ code, message, object: object ?? '', offset: offset ?? null });
  }
  return saved;
}

/** Saves a plan of files once it is made, and closes it. */
export async function saveFilePlan(
  context: StoreContext,
  planned: Promise<SavePlan>,
  request: SaveRequest,
): Promise<SaveResult> {
  const started = context.environment.now();
  const plan = await planned;
  try {
    const { entry, storedBytes, timeline, explain } = await savePlan(context, plan, request);
    return {
      id: entry.id,
      run: request.run,
      step: entry.step,
      logicalBytes: entry.logicalBytes,
      storedBytes,
      seconds: (context.environment.now() - started) / 1000,
      warnings: plan.warnings,
      timeline,
      ...(explain && { explain }),
    };
  } finally {
    await plan.close();
  }
}
