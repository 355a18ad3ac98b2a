// The OPC UA server of the bench: items that change as their group says, each with every change a
// value it did not have before.
import { openOpcUaServer } from '../../simulators/opcua-server.ts';
import { itemGroups, itemName, NAMESPACE } from '../opcua-items.ts';
import { serve } from '../side.ts';

export interface OpcUaServerSettings {
  readonly items: number;
  readonly pkiFolder: string;
  readonly port: number;
  readonly policy: 'None' | 'Basic256Sha256';
}

serve(async ({ items, pkiFolder, port, policy }: OpcUaServerSettings) => {
  const paths = Array.from({ length: items }, (_, place) => `b:Bench/b:${itemName(place)}`);
  const server = await openOpcUaServer({
    host: '127.0.0.1',
    port,
    pkiFolder,
    securityPolicies: [policy],
    namespaces: { b: NAMESPACE },
    nodes: paths.map((path) => ({ path, type: 'double', value: 0 })),
  });
  let changes = 0;
  const timers = itemGroups(items).map(({ periodMs, from, to }) => {
    // A group is spread over its period in steps of 20 ms, as devices are that know nothing of
    // each other.
    const steps = periodMs / 20;
    let step = 0;
    return setInterval(() => {
      const at = step++ % steps;
      const value = step / steps;
      for (let place = from + at; place < to; place += steps) {
        server.space.set(paths[place]!, value);
        changes++;
      }
    }, 20);
  });
  return {
    place: () => ({ endpoint: server.endpoint, port: server.port }),
    changes: () => changes,
    counts: () => ({ ...server.counts }),
    end: async () => {
      for (const timer of timers) clearInterval(timer);
      await server.close();
    },
  };
});
