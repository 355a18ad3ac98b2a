// A gas head that is not in service, from its registers to the alarm: a simulated Sensepoint XCD, a
// gateway file, the real driver, collector and dictionary, and the cloud's alarms; on simulated
// time.
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import { AlarmConsumer } from '../cloud/alarms/consumer.ts';
import type { DecodedRecord, SeriesEntry } from '../cloud/inbox/decoded.ts';
import { SimClock } from '../core/clock.ts';
import { silentLog } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { seededRandom } from '../core/random.ts';
import { loadProfile } from '../device-profiles/loader.ts';
import { Collector } from '../edge/collect/loop.ts';
import { parseGateway } from '../edge/config/gateway.ts';
import { packagedProfiles } from '../edge/config/loader.ts';
import type { PollReport, Sink } from '../edge/sink.ts';
import { TestLink } from '../protocols/driver.contract.ts';
import { modbus } from '../protocols/modbus/driver.ts';
import { Deframer, encodeFrame } from '../protocols/modbus/tcp-frames.ts';
import { buildDictionary, decodePart, encodePart } from '../protocols/uplink/dictionary.ts';
import { SimulatedDevice } from '../simulators/device.ts';
import { answerRequest } from '../simulators/modbus-answer.ts';

const EPOCH = '1-00000000000000aa';
const WALL = 1_790_000_000_000;

const file = `version: 1
gateway: { id: gw-1, area: east, name: { en: Gateway, zh: 网关 } }
cloud: { url: "mqtts://cloud:8883", credentials: "\${secret:cloud}" }
links:
  bus: { protocol: modbus, kind: tcp, host: 127.0.0.1 }
devices:
  - { id: gas-1, link: bus, unit: 1, profile: honeywell/sensepoint-xcd@1 }
`;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** Every report of a poll becomes a record with its coverage, as the cloud reads it. */
class Records implements Sink {
  readonly accepts = true;
  readonly #consumer: AlarmConsumer;
  #sequence = 1;

  constructor(consumer: AlarmConsumer, manifest: readonly SeriesEntry[]) {
    this.#consumer = consumer;
    consumer.apply([this.#record(0, null, { hash: 'a'.repeat(32), entries: manifest })], WALL);
  }

  missed(): void {}

  report(poll: PollReport): void {
    this.#consumer.apply([this.#record(poll.toMonoMs, poll, null)], WALL + poll.toMonoMs);
  }

  #record(
    nowMs: number,
    poll: PollReport | null,
    manifest: DecodedRecord['manifest'],
  ): DecodedRecord {
    const { alias = [], monoMs = [], values = [], qualities = [] } = poll ?? {};
    const sequence = this.#sequence++;
    const place = { row: sequence, area: 'east', gateway: 'gw-1', epoch: EPOCH, sequence };
    const numbers = values.map((value) => (value === null ? Number.NaN : Number(value)));
    const coverage = poll && {
      series: Array.from({ length: poll.points }, (_, at) => poll.firstAlias + at + 1),
      ...{ fromMonoMs: poll.fromMonoMs, toMonoMs: poll.toMonoMs, atMs: WALL + poll.toMonoMs },
      ...{ taken: poll.points, unchanged: poll.unchanged, failed: poll.failed },
    };
    return {
      row: { ...place, lane: 'live', receivedMs: WALL + nowMs, bytes: new Uint8Array() },
      clock: { wallOffsetMs: WALL, state: 'synchronised', errorMs: 10 },
      isState: false,
      readings: {
        count: alias.length,
        series: Uint32Array.from(alias, (place) => place + 1),
        monoMs: Float64Array.from(monoMs),
        atMs: Float64Array.from(monoMs, (ms) => WALL + ms),
        quality: Uint8Array.from(qualities),
        values: Float64Array.from(numbers),
        special: new Map(values.flatMap((value, at) => (value === null ? [[at, null]] : []))),
      },
      coverage: coverage ? [coverage] : [],
      gaps: [],
      clockSteps: [],
      manifest,
    };
  }
}

/** A link whose far end is the device. */
function linkTo(device: SimulatedDevice): TestLink {
  const link = new TestLink();
  const deframer = new Deframer();
  link.onSend = (sent) =>
    deframer.push(sent, {
      frame: (transaction, unit, bytes, start, end) =>
        link.onBytes(encodeFrame(transaction, unit, answerRequest(device, bytes, start, end))),
      garbage: () => expect.unreachable('the driver sends frames only'),
    });
  return link;
}

async function city() {
  const clock = new SimClock();
  const head = new SimulatedDevice(loadProfile('honeywell/sensepoint-xcd'));
  const config = parseGateway(file, 'gateway.yaml', packagedProfiles());
  // The rules go over the wire, as the dictionary carries them.
  const points = buildDictionary(config.points).parts.flatMap(({ part }) => {
    const read = decodePart(encodePart(part));
    return read.kind === 'page' ? read.points : [];
  });
  const database = new DatabaseSync(':memory:');
  closers.push(() => database.close());
  const consumer = new AlarmConsumer(database);
  const manifest = points.map((definition, at) => ({
    ...{ series: at + 1, gateway: 'gw-1', definition },
  }));
  const collector = new Collector(clock, seededRandom(1), silentLog, new Metrics(), {
    links: [{ id: 'bus', protocol: modbus, open: async () => linkTo(head) }],
    devices: config.devices,
    sink: new Records(consumer, manifest),
    reportAll: false,
  });
  const standing = () =>
    consumer
      .list({ state: 'all' })
      .filter(({ clearedMs }) => clearedMs === null)
      .map(({ key, rule }) => `${key}/${rule}`.replace('gw-1/gas-1/', ''))
      .sort();
  collector.start();
  return { clock, head, consumer, standing, collector };
}

test('60 %LEL of a warm-up is no gas alarm but a head not in service; back to normal, gas alarms as usual', async () => {
  const { clock, head, consumer, standing, collector } = await city();
  head.set('mode', 2);
  head.set('gas', 60);
  await clock.advance(50_000);
  expect(standing()).toEqual([]); // A warm-up of less than a minute is everyday.
  await clock.advance(250_000);
  expect(standing()).toEqual(['mode/not-in-service']); // Neither gas nor "no data".
  head.set('mode', 1);
  head.set('gas', 0);
  await clock.advance(10_000);
  expect(standing()).toEqual([]);
  head.set('gas', 60);
  await clock.advance(10_000);
  expect(standing()).toEqual(['gas/high', 'gas/high-high']);
  head.set('mode', 12); // Somebody calibrates while the alarm stands: it is held.
  head.set('gas', 0);
  await clock.advance(600_000);
  expect(standing()).toEqual(['gas/high', 'gas/high-high', 'mode/not-in-service']);
  head.set('mode', 1);
  await clock.advance(120_000);
  expect(standing()).toEqual([]);
  expect(consumer.list({ state: 'all' }).filter(({ rule }) => rule === 'no-data')).toEqual([]);
  await Promise.all([collector.stop(1000), clock.advance(5000)]);
});

test('a head that is set to another unit has no reading, and falls silent', async () => {
  const { clock, head, standing, collector } = await city();
  head.write('holding', 10, Uint16Array.of(4)); // ppm: 60 would be next to nothing.
  head.set('gas', 60);
  await clock.advance(60_000);
  expect(standing()).toEqual(['gas/no-data']);
  expect(collector.devices()[0]?.unfit).toEqual({ gas: { what: 'unit', found: '4 ([ppm])' } });
  await Promise.all([collector.stop(1000), clock.advance(5000)]);
});
