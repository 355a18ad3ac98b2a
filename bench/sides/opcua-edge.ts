// The edge as far as OPC UA goes: a gateway file with one link and devices of 100 points, collected
// and sealed as the agent does it: session, polls, normalising with report by exception, records
// with the origin of each value, packed and hashed. What is sealed is counted and thrown away: no
// outbox, no uplink.
import { systemClock } from '../../core/clock.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { parseProfile } from '../../device-profiles/profile.ts';
import { ClockWatch } from '../../edge/clock-watch.ts';
import { Collector } from '../../edge/collect/loop.ts';
import { parseGateway } from '../../edge/config/gateway.ts';
import { placeOf } from '../../edge/links/opcua.ts';
import { openTrust } from '../../edge/links/opcua-trust.ts';
import { Sealer } from '../../edge/seal.ts';
import { noteLog } from '../note-log.ts';
import { gatewayText, profileTexts } from '../opcua-items.ts';
import { serve } from '../side.ts';
import type { OpcUaDriverSettings } from './opcua-driver.ts';

serve(async ({ endpoint, items, pkiFolder, policy }: OpcUaDriverSettings) => {
  const texts = profileTexts(items);
  const profiles = {
    ids: [...texts.keys()],
    load: (reference: string) => {
      const id = reference.split('@')[0]!;
      return parseProfile(texts.get(id)!, id);
    },
    text: (id: string) => texts.get(id)!,
  };
  const config = parseGateway(gatewayText(endpoint, items, policy), 'bench.yaml', profiles);
  const trust = openTrust(systemClock, systemRandom, { folder: pkiFolder, gateway: 'gw-bench' });
  // The server of the bench is believed: who it is, is not measured.
  const believing = { own: () => trust.own(), refusal: () => null };
  const log = noteLog('opcua-edge');
  const metrics = new Metrics();
  const openedMonoMs = systemClock.monoMs();
  const sums = { records: 0, bytes: 0, readings: 0 };
  /** When a record with readings was sealed last. */
  let newestMs = 0;
  const words = new Map<string, string>();
  const outbox = {
    epoch: '1-0123456789abcdef',
    openedMonoMs,
    accepts: true,
    parts: [],
    word: (name: string) => words.get(name),
    setWord: (name: string, value: string) => void words.set(name, value),
    append: () => {},
  };
  const watch = new ClockWatch(systemClock, openedMonoMs, () => null);
  const sealer = new Sealer(systemClock, outbox, watch, {
    points: config.points,
    onRecord: ({ bytes, readings }) => {
      sums.records++;
      sums.bytes += bytes.length;
      sums.readings += readings;
      if (readings > 0) newestMs = Date.now();
    },
  });
  const collector = new Collector(systemClock, systemRandom, log, metrics, {
    links: config.links.map((link) => {
      const { id, protocol, line, answerMs } = link;
      if (link.kind !== 'opcua') throw new Error('the bench has one kind of link');
      return {
        id,
        protocol,
        line,
        answerMs,
        place: placeOf(link, { trust: believing, identity: undefined }),
      };
    }),
    devices: config.devices,
    sink: sealer,
    reportAll: false,
  });
  collector.start();
  return {
    sums: () => ({ ...sums, ...sealer.counts }),
    newestMs: () => newestMs,
    links: () => collector.links(),
    end: () => collector.stop(0),
  };
});
