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

const STEP_MS = 20;

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
  const groups = itemGroups(items).map((group) => ({ ...group, step: 0 }));
  const startMs = performance.now();
  // A group is spread over its period in steps of STEP_MS, as devices are that know nothing of each
  // other. Steps that came late are made up for, so that the load is the same on a busy machine.
  const timer = setInterval(() => {
    const due = Math.floor((performance.now() - startMs) / STEP_MS);
    for (const group of groups) {
      const steps = group.periodMs / STEP_MS;
      group.step = Math.max(group.step, due - steps); // No item changes twice at once.
      for (; group.step < due; group.step++) {
        const value = group.step / steps;
        for (let place = group.from + (group.step % steps); place < group.to; place += steps) {
          server.space.set(paths[place]!, value);
          changes++;
        }
      }
    }
  }, STEP_MS);
  return {
    place: () => ({ endpoint: server.endpoint, port: server.port }),
    changes: () => changes,
    counts: () => ({ ...server.counts }),
    notified: () => server.notified,
    end: async () => {
      clearInterval(timer);
      await server.close();
    },
  };
});
