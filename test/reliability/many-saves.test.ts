/** Seen to fail when `WriterLease.release` deletes nothing. */
import { test } from 'vitest';
import { manySaves } from './many-saves.js';
import { scratchFolder } from './scratch-folder.js';

test('300 saves leave no open file, temporary file or lease behind', async () => {
  await manySaves(scratchFolder(), 300);
});
