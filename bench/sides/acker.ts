// Stands for the cloud where only the edge is measured: takes every record, counts what its
// envelope says, acks it within a few milliseconds, and keeps nothing.

import { MqttLink } from '../../cloud/ingest/mqtt.ts';
import { systemClock } from '../../core/clock.ts';
import { systemRandom } from '../../core/random.ts';
import { RangeSet } from '../../core/ranges.ts';
import { ACK_RANGES_MAX, encodeAck } from '../../protocols/uplink/control.ts';
import { readEnvelope } from '../../protocols/uplink/envelope.ts';
import {
  KEEPALIVE_SECONDS,
  parseTopic,
  topicOf,
  upFilters,
} from '../../protocols/uplink/topics.ts';
import { serve } from '../side.ts';

export interface AckerSettings {
  readonly broker: string;
  readonly name: string;
  readonly secret: string;
}

const ACK_EVERY_MS = 10;
/** As much as the cloud gives at most. */
const CREDIT_BYTES = 1024 * 1024;

serve(async ({ broker, name, secret }: AckerSettings) => {
  const up = Promise.withResolvers<void>();
  const counts = { records: 0, readings: 0, bytes: 0, duplicates: 0, live: 0, backfill: 0 };
  const stored = new Map<string, RangeSet>();
  const touched = new Map<string, { readonly topic: string; readonly epochs: Set<string> }>();
  const link = new MqttLink(systemClock, systemRandom, {
    ...{ url: broker, clientId: name, username: name, password: secret },
    keepaliveSeconds: KEEPALIVE_SECONDS,
    subscriptions: upFilters(),
    will: () => null,
  });
  link.onUp = () => up.resolve();
  link.onMessage = ({ topic, payload }) => {
    const parts = parseTopic(topic);
    if (!parts || !['live', 'backfill', 'event'].includes(parts.kind)) return;
    const reading = readEnvelope(payload);
    if (!reading.ok) throw new Error(`a record that cannot be read: ${reading.reason}`);
    const { epoch, sequence, readings, taken } = reading.envelope;
    let set = stored.get(epoch);
    if (!set) stored.set(epoch, (set = new RangeSet()));
    const { area, gateway } = parts;
    let touch = touched.get(gateway);
    if (!touch) {
      touch = { topic: topicOf(area, gateway, 'ack'), epochs: new Set() };
      touched.set(gateway, touch);
    }
    touch.epochs.add(epoch);
    if (set.has(sequence)) {
      counts.duplicates++;
      return;
    }
    set.add(sequence);
    counts.records++;
    counts.bytes += payload.length;
    if (parts.kind !== 'event') counts[parts.kind as 'live' | 'backfill'] += readings;
    if (taken > 0) counts.readings += readings;
  };
  const timer = setInterval(() => {
    for (const { topic, epochs } of touched.values()) {
      const list = [...epochs].map((epoch) => ({
        epoch,
        stored: stored.get(epoch)!.toArray().slice(-ACK_RANGES_MAX),
        refused: [],
        wanted: [],
      }));
      const ack = { storeId: 'bench', epochs: list, needed: [], creditBytes: CREDIT_BYTES };
      link.publish(topic, encodeAck(ack), { qos: 0, retain: false });
    }
    touched.clear();
  }, ACK_EVERY_MS);
  link.start();
  await up.promise;
  return {
    counts: () => counts,
    end: async () => {
      clearInterval(timer);
      await link.close(500);
    },
  };
});
