// The edge as its command runs it, in a process that says what it used: from source, or from the
// emitted JavaScript as gateways run it.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { GatewaySite } from '../gateway-file.ts';
import { gatewayOf } from '../gateway-file.ts';
import { noteLog } from '../note-log.ts';
import { serve } from '../side.ts';

export interface EdgeSettings {
  readonly site: GatewaySite;
  readonly secret: string;
  /** Report by exception off. */
  readonly reportAll: boolean;
}

async function load() {
  // The ending of this file, source or emitted, is that of the others.
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const file = (path: string) => `../../${path}.${ending}`;
  const [agent, outbox, gateway, profile, clock, random] = await Promise.all([
    import(file('edge/agent')) as Promise<typeof import('../../edge/agent.ts')>,
    import(file('edge/outbox/outbox')) as Promise<typeof import('../../edge/outbox/outbox.ts')>,
    import(file('edge/config/gateway')) as Promise<typeof import('../../edge/config/gateway.ts')>,
    import(file('device-profiles/profile')) as Promise<
      typeof import('../../device-profiles/profile.ts')
    >,
    import(file('core/clock')) as Promise<typeof import('../../core/clock.ts')>,
    import(file('core/random')) as Promise<typeof import('../../core/random.ts')>,
  ]);
  return { ...agent, ...outbox, ...gateway, ...profile, ...clock, ...random };
}

serve(async ({ site, secret, reportAll }: EdgeSettings) => {
  const { runAgent, openOutbox, systemClock, systemRandom, ...parsers } = await load();
  const log = noteLog(site.id);
  const config = gatewayOf(site, parsers);
  const durable = Promise.withResolvers<number>();
  const borders = {
    openOutbox: async () => {
      const outbox = await openOutbox(systemClock, systemRandom, log, config.outbox);
      const start = outbox.start.bind(outbox);
      outbox.start = (listener) => {
        const onCommitted: typeof listener.onCommitted = (entries) => {
          if (entries.some(({ record }) => record.readings > 0)) durable.resolve(Date.now());
          listener.onCommitted(entries);
        };
        start({
          onCommitted,
          onDebts: (debts) => listener.onDebts(debts),
          onScanned: () => listener.onScanned(),
        });
      };
      return outbox;
    },
  };
  const options = { secret, software: '0.0.0', reportAll, borders };
  const agent = await runAgent(systemClock, systemRandom, log, config, options);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  return {
    /** The longest its main thread was not free, since the last call. */
    blockedMs: () => {
      const longestMs = delay.max / 1_000_000;
      delay.enable(); // From the first call on: watching wakes it 200 times a second.
      delay.reset();
      return longestMs;
    },
    /** Wall time at which the first reading was on disk. */
    firstDurableMs: () => durable.promise,
    counters: () => agent.counters(),
    health: () => agent.health(),
    stopCollecting: () => agent.stopCollecting(),
    end: () => agent.close(0),
  };
});
