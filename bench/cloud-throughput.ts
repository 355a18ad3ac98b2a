// Readings a CPU-second of the cloud, from MQTT to committed and queryable: gateways in another
// process send records sealed beforehand as fast as the cloud's credit allows; each reading is put
// into the inbox, acked, evaluated against an alarm rule, shown to a reader of the live stream who
// looks at one device, stored, and found by a query. The broker is a process of its own, and none
// of its CPU counts.
import type { Bed, Bench } from './bench.ts';
import { sleep } from './bench.ts';
import { AREA, standCloud } from './cloud-stand.ts';
import { spent } from './side.ts';
import type { PublisherSettings } from './sides/publisher.ts';
import type { ReaderSettings } from './sides/stream-reader.ts';

const GATEWAYS = 20;
const DEVICES = 5;
const POINTS = 100;
const LOOK_MS = 100;
const SETTLE_MS = 1_000;
const GIVE_UP_MS = 60_000;

async function run(bed: Bed): Promise<void> {
  await withRecordsOf(bed, 1);
  await withRecordsOf(bed, DEVICES);
}

async function withRecordsOf(bed: Bed, devicesARecord: number): Promise<void> {
  const stand = await standCloud(bed, GATEWAYS);
  const { cloud, gateways, brokerUrl: broker, apiUrl: url, scopedToken: token } = stand;
  const reader = await bed.side('stream-reader', {
    ...{ url, token, topics: 'readings' },
  } satisfies ReaderSettings);
  const settings: PublisherSettings = {
    ...{ broker, area: AREA, gateways, devices: DEVICES, points: POINTS, devicesARecord },
    ...{ polls: bed.pick(400, 100), periodMs: 1_000, isPaced: false },
  };
  const publisher = await bed.side('publisher', settings);
  const readings = await publisher.ask<number>('prepare');
  // Ten thousand points and their rules are taken in before; that is not what is measured.
  while ((await cloud.ask<number>('metric', 'alarms_lag_rows')) > 0) await sleep(LOOK_MS);
  await sleep(SETTLE_MS);
  await cloud.ask('blockedMs');
  const before = await cloud.usage();
  const began = performance.now();
  const sending = publisher.ask('send').then(() => performance.now() - began);
  sending.catch(() => {}); // Told below, when it is waited for.
  const evaluated = () => cloud.ask<number>('metric', 'alarms_readings_total');
  while ((await evaluated()) < readings || (await stand.stored()) < readings) {
    if (performance.now() - began > GIVE_UP_MS) {
      const found = `${await evaluated()} evaluated, ${await stand.stored()} stored`;

      throw new Error(`of ${readings} readings ${found} after ${GIVE_UP_MS} ms`);
    }
    await sleep(LOOK_MS);
  }
  const after = await cloud.usage();
  const { cpuS, wallS } = spent(before, after);
  const blockedMs = await cloud.ask<number>('blockedMs');
  const { events } = await reader.ask<{ events: number }>('counts');
  bed.report({
    name: `${devicesARecord * POINTS} readings a record`,
    value: readings / cpuS,
    unit: 'readings/CPU-s',
    target: '>= 200000 now, 500000 to come',
    with: {
      readings,
      gateways: GATEWAYS,
      points: GATEWAYS * DEVICES * POINTS,
      cpuS: round(cpuS),
      wallS: round(wallS),
      ackedAfterS: round((await sending) / 1_000),
      streamEvents: events,
      blockedMs: Math.round(blockedMs),
      residentMiB: Math.round(after.residentBytes / 1024 ** 2),
    },
  });
  for (const side of [publisher, reader, cloud, stand.broker]) await side.end();
}

const round = (value: number) => Number(value.toFixed(2));

export const cloudThroughput: Bench = {
  name: 'cloud-throughput',
  about: 'readings a CPU-second of the cloud, from MQTT to committed and queryable',
  run,
};
