// The edge as its command runs it, in a process that says what it used: from source, or from the
// emitted JavaScript as gateways run it.
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
  const [agent, gateway, profile, clock, random] = await Promise.all([
    import(file('edge/agent')) as Promise<typeof import('../../edge/agent.ts')>,
    import(file('edge/config/gateway')) as Promise<typeof import('../../edge/config/gateway.ts')>,
    import(file('device-profiles/profile')) as Promise<
      typeof import('../../device-profiles/profile.ts')
    >,
    import(file('core/clock')) as Promise<typeof import('../../core/clock.ts')>,
    import(file('core/random')) as Promise<typeof import('../../core/random.ts')>,
  ]);
  return { ...agent, ...gateway, ...profile, ...clock, ...random };
}

serve(async ({ site, secret, reportAll }: EdgeSettings) => {
  const { runAgent, systemClock, systemRandom, ...parsers } = await load();
  const config = gatewayOf(site, parsers);
  const options = { secret, software: '0.0.0', reportAll };
  const agent = await runAgent(systemClock, systemRandom, noteLog(site.id), config, options);
  return {
    counters: () => agent.counters(),
    health: () => agent.health(),
    stopCollecting: () => agent.stopCollecting(),
    end: () => agent.close(0),
  };
});
