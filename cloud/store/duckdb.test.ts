import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { DuckStore } from './duckdb.ts';
import { storeContract } from './store.contract.ts';

storeContract('the store on DuckDB', async () => {
  const clock = new SimClock();
  const folder = await mkdtemp(join(tmpdir(), 'lifeline-store-'));
  const open = () => DuckStore.open(clock, silentLog, { folder });
  let store = await open();
  return {
    store,
    clock,
    reopen: async () => {
      await store.close();
      store = await open();
      return store;
    },
    dispose: async () => {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
});
