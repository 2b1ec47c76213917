import { MemoryStorage } from '../../src/storage/index.js';
import { storageContract } from '../contract/storage-suite.js';

storageContract('memory', async () => new MemoryStorage());
