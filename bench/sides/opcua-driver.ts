// The driver of this project alone: one session by `connect`, a device of 100 points after the
// other, each polled at the period of its points, which takes out of the driver what came; what
// comes out is counted and thrown away.
import { join } from 'node:path';
import { systemClock } from '../../core/clock.ts';
import { GOOD } from '../../core/quality.ts';
import { systemRandom } from '../../core/random.ts';
import { openTrust } from '../../edge/links/opcua-trust.ts';
import type { OpcuaAddress } from '../../protocols/opcua/address.ts';
import { opcua } from '../../protocols/opcua/driver.ts';
import type { OpcuaPlace } from '../../protocols/opcua/place.ts';
import { placeDefaults } from '../../protocols/opcua/place.ts';
import { itemGroups, itemName, NAMESPACE, POINTS_A_DEVICE, PUBLISHING_MS } from '../opcua-items.ts';
import { serve } from '../side.ts';

export interface OpcUaDriverSettings {
  readonly endpoint: string;
  readonly items: number;
  readonly pkiFolder: string;
  readonly policy: 'None' | 'Basic256Sha256';
}

serve(async ({ endpoint, items, pkiFolder, policy }: OpcUaDriverSettings) => {
  const trust = openTrust(systemClock, systemRandom, {
    folder: join(pkiFolder, 'pki'),
    gateway: 'gw-bench',
  });
  const place: OpcuaPlace = {
    ...placeDefaults,
    endpoint,
    security: {
      policy,
      mode: policy === 'None' ? 'None' : 'SignAndEncrypt',
      host: null,
      expired: 'refuse',
    },
    identity: { kind: 'anonymous' },
    // The server of the bench is believed: who it is, is not measured.
    trust: { own: () => trust.own(), refusal: () => null },
    publishingMs: PUBLISHING_MS,
    limits: {},
  };
  const { signal } = new AbortController();
  const session = await opcua.connect!(systemClock, systemRandom, place, signal);
  let ended: string | null = null;
  session.onClose = (why) => {
    ended = why?.message ?? 'closed';
  };
  const handle = session.device({ namespaces: { b: NAMESPACE }, timeoutMs: 5_000 });
  const sums = { polls: 0, taken: 0, more: 0, bad: 0, lost: 0 };
  const timers: NodeJS.Timeout[] = [];
  for (const { periodMs, from, to } of itemGroups(items)) {
    for (let first = from; first < to; first += POINTS_A_DEVICE) {
      const count = Math.min(POINTS_A_DEVICE, to - first);
      const addresses = Array.from(
        { length: count },
        (_, at): OpcuaAddress => ({
          kind: 'value',
          node: { kind: 'id', prefix: 'b', type: 's', value: `Bench.${itemName(first + at)}` },
          type: 'double',
          element: [],
          mode: 'subscribe',
          samplingMs: periodMs,
          queue: 2,
          deadband: null,
          history: false,
        }),
      );
      const plan = handle.plan(addresses);
      let isRunning = false;
      const poll = async () => {
        if (isRunning) return;
        isRunning = true;
        const { qualities, more = [], lost = 0 } = await handle.poll(plan, signal);
        sums.polls++;
        sums.taken += qualities.length;
        sums.more += more.length;
        sums.lost += lost;
        for (const quality of qualities) if (quality !== GOOD) sums.bad++;
        isRunning = false;
      };
      timers.push(setInterval(() => void poll(), periodMs));
    }
  }
  return {
    sums: () => ({ ...sums }),
    ended: () => ended,
    end: () => {
      for (const timer of timers) clearInterval(timer);
      session.close();
    },
  };
});
