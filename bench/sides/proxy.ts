// A network between two sides: delay and loss of packets as TCP shows them.
import { systemRandom } from '../../core/random.ts';
import type { ProxySettings } from '../../tests/proxy.ts';
import { startProxy } from '../../tests/proxy.ts';
import { serve } from '../side.ts';

export interface ProxySideSettings {
  readonly port: number;
  readonly network: Partial<ProxySettings>;
}

serve(async ({ port, network }: ProxySideSettings) => {
  const target = { host: '127.0.0.1', port };
  const proxy = await startProxy({ target, port: 0, random: systemRandom, settings: network });
  return { port: () => proxy.port, end: () => proxy.close() };
});
