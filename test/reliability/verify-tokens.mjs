/** Restores every checkpoint of a store and prints each with its token and whether it is exact. Usage: node verify-tokens.mjs STORE OUT */
import { openStore } from '../../dist/index.js';
import { isExact } from './token-content.mjs';

const [location, out] = process.argv.slice(2);
const store = await openStore(location, { workers: 0 });
const { damaged } = await store.check({ readData: 100 });
const checkpoints = [];
for (const info of await store.list())
  checkpoints.push({
    id: info.id,
    run: info.run,
    token: info.meta.token,
    exact: await isExact(store, info, out),
  });
process.stdout.write(JSON.stringify({ damaged, checkpoints }));
await store.close();
