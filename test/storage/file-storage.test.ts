import { afterAll } from 'vitest';
import { createFileStorage } from '../../src/storage/index.js';
import { storageContract } from '../contract/storage-suite.js';
import { TemporaryDirectories } from './temporary-directories.js';

const directories = new TemporaryDirectories();
afterAll(() => directories.removeAll());

storageContract('file', async () => createFileStorage(await directories.make()), { modelRuns: 15 });
storageContract(
  'file, all objects past the page cache',
  async () => createFileStorage(await directories.make(), { directBytesMin: 0 }),
  { modelRuns: 15 },
);
