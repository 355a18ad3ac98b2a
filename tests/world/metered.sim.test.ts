// What the second path costs while the first works: an hour of a gateway on simulated time, its
// messages over the metered path counted as MQTT 3.1.1 frames them, both ways.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { seededRandom } from '../../core/random.ts';
import { ClockWatch } from '../../edge/clock-watch.ts';
import { OutboxCore, SHARE_BYTES_MIN } from '../../edge/outbox/core.ts';
import { Outbox } from '../../edge/outbox/outbox.ts';
import { portOver } from '../../edge/outbox/thread.ts';
import { Sealer } from '../../edge/seal.ts';
import type { LinkParts, PathLink } from '../../edge/uplink/path.ts';
import { Uplink } from '../../edge/uplink/uplink.ts';
import type { BrokerLink } from '../../protocols/uplink/broker-link.ts';
import { encodeAck } from '../../protocols/uplink/control.ts';
import { readEnvelope } from '../../protocols/uplink/envelope.ts';
import { KEEPALIVE_SECONDS, parseTopic, topicOf } from '../../protocols/uplink/topics.ts';
import { pointOf } from '../sealed.ts';

const POINTS = 50;
const HOUR_S = 3_600;
const PERIOD_S = 5;
/** A rule turns so often: gas that comes and goes, a pump that starts. */
const URGENT_EVERY_S = 600;

const folder = mkdtempSync(join(tmpdir(), 'metered-'));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Fixed header of 2 to 3 bytes, topic with its length, at QoS 1 an identifier and its ack of 4. */
function frameBytes(topic: string, payload: Uint8Array, qos: number): number {
  const rest = 2 + topic.length + payload.length + (qos > 0 ? 2 : 0);
  return 1 + (rest < 128 ? 1 : 2) + rest + (qos > 0 ? 4 : 0);
}

/** A path that is always there, to a cloud that acks each record on every path that listens. */
class CountedLink implements PathLink {
  onUp = () => {};
  onDown: BrokerLink['onDown'] = () => {};
  onMessage: BrokerLink['onMessage'] = () => {};
  pendingBytes = 0;
  bytes = 0;
  readonly kinds = new Map<string, number>();
  filters: readonly string[];
  readonly #onRecord: (payload: Uint8Array) => void;

  constructor(parts: LinkParts, onRecord: (payload: Uint8Array) => void) {
    this.filters = parts.subscriptions.map(({ filter }) => filter);
    this.#onRecord = onRecord;
  }
  start(): void {}
  setSubscriptions(list: LinkParts['subscriptions']): void {
    this.filters = list.map(({ filter }) => filter);
  }
  publish(topic: string, payload: Uint8Array, { qos }: { readonly qos: 0 | 1 }): boolean {
    this.bytes += frameBytes(topic, payload, qos);
    const kind = parseTopic(topic)?.kind ?? '';
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
    if (readEnvelope(payload).ok) this.#onRecord(payload);
    return true;
  }
  hear(topic: string, payload: Uint8Array): void {
    if (!this.filters.includes(topic)) return;
    this.bytes += frameBytes(topic, payload, 1);
    this.onMessage({ topic, payload, retained: false });
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}

test('in an hour of usual running the metered path carries what is urgent, and little of that', {
  timeout: 60_000,
}, async () => {
  const clock = new SimClock();
  const core = OutboxCore.open({ folder, bytesMax: SHARE_BYTES_MIN, random: seededRandom(1) });
  const outbox = new Outbox(clock, silentLog, portOver(core));
  const watch = new ClockWatch(clock, outbox.openedMonoMs, () => null);
  const links: CountedLink[] = [];
  const ackTopic = topicOf('north', 'gw-0001', 'ack');
  const onRecord = (payload: Uint8Array) => {
    const reading = readEnvelope(payload);
    if (!reading.ok) return;
    const { epoch, sequence } = reading.envelope;
    const stored = [{ first: 1, last: sequence }];
    const epochs = [{ epoch, stored, refused: [], wanted: [] }];
    const ack = encodeAck({ storeId: 'store', epochs, needed: [], creditBytes: 1e6 });
    clock.after(50, () => {
      for (const link of links) link.hear(ackTopic, ack);
    });
  };
  const uplink = new Uplink(clock, seededRandom(2), silentLog, outbox, watch, {
    ...{ area: 'north', gateway: 'gw-0001', software: '1.0.0', configuration: 'a'.repeat(32) },
    backlogBytesPerSecond: 256 * 1024,
    second: { isMetered: true, carriesTrends: true, carriesBacklog: false },
    connect: (parts) => {
      const link = new CountedLink(parts, onRecord);
      links.push(link);
      return link;
    },
    onMessage: () => {},
    reported: () => new Uint8Array(24),
  });
  const points = Array.from({ length: POINTS }, (_, at) => pointOf('rtu-1', `p-${at}`));
  const sealer = new Sealer(clock, outbox, watch, {
    points,
    onRecord: (...sealed) => uplink.offer(...sealed),
  });
  uplink.start(sealer);
  for (const link of links) link.onUp();
  const random = seededRandom(3);
  for (let second = 0; second < HOUR_S; second += PERIOD_S) {
    const nowMs = clock.monoMs();
    const alias = points.map((_, at) => at);
    sealer.report({
      ...{ firstAlias: 0, points: POINTS, fromMonoMs: nowMs, toMonoMs: nowMs, alias },
      monoMs: alias.map(() => nowMs),
      values: alias.map(() => Math.floor(random.next() * 1_000) / 10),
      qualities: alias.map(() => 0),
      ...{ unchanged: 0, failed: 0, urgent: second % URGENT_EVERY_S === PERIOD_S },
    });
    await clock.advance(PERIOD_S * 1_000);
  }
  const keepaliveBytes = (HOUR_S / KEEPALIVE_SECONDS) * 4; // A request and its answer, 2 bytes each.
  const [first, second] = links;
  console.log(
    `an hour, ${POINTS} points every ${PERIOD_S} s: ${first!.bytes + keepaliveBytes} bytes by the first path, ` +
      `${second!.bytes + keepaliveBytes} by the metered one (${JSON.stringify([...second!.kinds])})`,
  );
  expect(Object.fromEntries(second!.kinds)).toEqual({
    ...{ 'status-2': 1, reported: 1, live: HOUR_S / URGENT_EVERY_S },
    // The second birth says what the older files hold; the events are the dictionary, sealed
    // before there was a path.
    ...{ birth: 2, event: 2 },
  });
  expect(second!.bytes + keepaliveBytes).toBeLessThan(8 * 1024);
  expect(uplink.counts.openRecords).toBeLessThan(3);
  core.abandon();
});
