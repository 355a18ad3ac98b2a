import { SimClock } from '../../core/clock.ts';
import { MemoryStore } from './memory.ts';
import { storeContract } from './store.contract.ts';

storeContract('the store in memory', async () => {
  const store = new MemoryStore();
  return {
    store,
    clock: new SimClock(),
    reopen: async () => store,
    dispose: () => store.close(),
  };
});
