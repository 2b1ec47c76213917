/** Seen to fail when `WriterLease.release` deletes nothing. */
import { test } from 'vitest';
import { makeFolder } from '../engine/folders.js';
import { manySaves } from './many-saves.js';

test('300 saves leave no open file, temporary file or lease behind', async () => {
  await manySaves(await makeFolder(), 300);
});
