export { checkStore } from './check.js';
export { type CompactOptions, compactStore } from './compact.js';
export { diffCheckpoints } from './diff.js';
export { forgetCheckpoints } from './forget.js';
export { collectGarbage } from './gc.js';
export { readoptChunks } from './readopt.js';
export { repairStore } from './repair.js';
export { rescueCheckpoint } from './rescue.js';
export { storeStats } from './stats.js';
