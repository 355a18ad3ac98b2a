// From a register that changes to a person's desk that confirms: a value beyond its limit is put
// into a simulated device at a random moment; the edge polls it at 1 s, the cloud raises the alarm,
// the desk is told and confirms by its own word. With nothing else going on, beside other gateways
// that send records sealed beforehand, and over a network of 200 ms round trip that loses every
// twentieth packet, both from the gateway to the broker and from the cloud to the desk. Both ends
// are stamped by the wall clock of one machine: by the device's process when the register changed,
// by the cloud when it had the word.
//
// The network is a proxy on loopback (tests/proxy.ts): what is lost is sent again after a round trip
// and 200 ms, and holds up what is behind it. Connections stand or are made at once.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { CONFIRM_WITHIN_MS } from '../cloud/notify/plan.ts';
import { chainOf } from '../cloud/notify/route.ts';
import { systemRandom } from '../core/random.ts';
import type { Bed, Bench } from './bench.ts';
import { sleep } from './bench.ts';
import type { CloudStand } from './cloud-stand.ts';
import { AREA, allPages, standCloud } from './cloud-stand.ts';
import { benchFolder, codeToRun, unitFlags } from './emitted.ts';
import { quantile } from './figure.ts';
import type { Side } from './side.ts';
import type { DevicesSettings } from './sides/devices.ts';
import type { EdgeSettings } from './sides/edge.ts';
import type { ProxySideSettings } from './sides/proxy.ts';
import type { PublisherSettings } from './sides/publisher.ts';
import type { ReceiverSettings } from './sides/receiver.ts';

const DEVICES = 6;
const REGISTERS = 100;
const PERIOD_MS = 1_000;
/** Raw; the rule raises at 1,500 of a tenth each, and no register begins above 12,000. */
const BEYOND = 20_000;
const LIMIT = 1_500;
/** Between two changes, on average: each its own poll, and the desk is never flooded. */
const APART_MS = 150;
const CONFIRM_WAIT_MS = 5_000;
const OTHER_GATEWAYS = 20;
const OTHER_DEVICES = 10;

interface Change {
  readonly point: string;
  readonly atMs: number;
}

interface Condition {
  readonly when: string;
  /** Of 1,000 readings a second each. */
  readonly others: number;
  readonly isLossy: boolean;
  /** Beyond the poll. */
  readonly targetMs: number;
}

const idle: Condition = { when: 'idle', others: 0, isLossy: false, targetMs: 100 };
const beside = (others: number): Condition => ({
  when: `beside ${others},000 readings/s`,
  others,
  isLossy: false,
  targetMs: 100,
});
const lossy: Condition = {
  when: '5 % loss, 200 ms round trip',
  others: 0,
  isLossy: true,
  targetMs: 1_000,
};
const NETWORK = { delayMs: 100, lossPerChunk: 0.05 };

async function run(bed: Bed, conditions: readonly Condition[]): Promise<void> {
  // Each its own stand: an alarm that was raised once is not raised again.
  for (const condition of conditions) await measure(bed, condition);
}

async function measure(bed: Bed, condition: Condition): Promise<void> {
  const { others: count, isLossy } = condition;
  const secret = `whsec_${Buffer.from(systemRandom.bytes(32)).toString('base64')}`;
  const sides: Side[] = [];
  const side = async (name: string, settings: unknown) => {
    const started = await bed.side(name, settings);
    sides.unshift(started);
    return started;
  };
  const through = async (url: string) => {
    if (!isLossy) return url;
    const port = Number(new URL(url).port);
    const settings: ProxySideSettings = { port, network: NETWORK };
    const proxy = await side('proxy', settings);
    return url.replace(`:${port}`, `:${await proxy.ask<number>('port')}`);
  };
  const desk = await side('receiver', { secret } satisfies ReceiverSettings);
  const url = await through(await desk.ask<string>('url'));
  const stand = await standCloud(bed, OTHER_GATEWAYS + 1, {
    receivers: [{ id: 'desk', kind: 'webhook', url, secret }],
    routes: [{ id: 'all', match: {}, chain: chainOf(['desk'], CONFIRM_WITHIN_MS) }],
  });
  const own = stand.gateways.at(-1)!;
  const brokerUrl = await through(stand.brokerUrl);
  const [devices, edge] = await startEdge(bed, { ...stand, brokerUrl }, own);
  await sleep(5_000); // Everything was read once, and no alarm was raised.
  const samples = bed.pick(200, 40);
  const registers = Array.from({ length: samples }, (_, at) => at);
  const others = count === 0 ? null : await startOthers(bed, stand, count, samples);
  if (others) await sleep(3_000);
  const changes = await change(devices, own.id, registers);
  await report(bed, stand, changes, condition);
  await others?.ask('stop');
  for (const each of [edge, devices, ...(others ? [others] : []), stand.cloud, ...sides]) {
    await each.end();
  }
  await stand.broker.end();
}

async function startEdge(
  bed: Bed,
  { brokerUrl }: Pick<CloudStand, 'brokerUrl'>,
  { id, secret }: CloudStand['gateways'][number],
): Promise<[Side, Side]> {
  const devices = await bed.side('devices', {
    ...{ devices: DEVICES, registers: REGISTERS, answers: 'together', signal: 'still' },
  } satisfies DevicesSettings);
  const ports = await devices.ask<number[]>('ports');
  const place = { id, area: AREA, brokerUrl, folder: mkdtempSync(join(bed.folder, 'outbox-')) };
  const site = {
    ...{ ...place, outboxSize: '256MiB', ports, registers: REGISTERS },
    ...{ periodMs: PERIOD_MS, limit: LIMIT },
  };
  const settings: EdgeSettings = { site, secret, reportAll: false };
  const code = codeToRun();
  const side = { folder: benchFolder(code), execArgv: unitFlags() };
  return [devices, await bed.side('edge', settings, side)];
}

/** Other gateways that send 1,000 readings a second each, for long enough. */
async function startOthers(
  bed: Bed,
  stand: CloudStand,
  count: number,
  samples: number,
): Promise<Side> {
  const seconds = Math.ceil((samples * APART_MS * 1.5 + CONFIRM_WAIT_MS) / 1_000) + 10;
  const publisher = await bed.side('publisher', {
    ...{ broker: stand.brokerUrl, area: AREA, gateways: stand.gateways.slice(0, count) },
    ...{ devices: OTHER_DEVICES, points: 100, devicesARecord: 1 },
    ...{ polls: seconds, periodMs: 1_000, isPaced: true },
  } satisfies PublisherSettings);
  await publisher.ask('prepare');
  publisher.ask('send').catch((error: unknown) => bed.note(String(error)));
  return publisher;
}

async function change(
  devices: Side,
  gateway: string,
  registers: readonly number[],
): Promise<Change[]> {
  const changes: Change[] = [];
  for (const at of registers) {
    await sleep(APART_MS * (0.5 + Math.random()));
    const device = at % DEVICES;
    const register = Math.floor(at / DEVICES);
    const atMs = await devices.ask<number>('set', { device, register, value: BEYOND });
    changes.push({ point: `${gateway}/device-${device}/r${register}`, atMs });
  }
  await sleep(CONFIRM_WAIT_MS);
  return changes;
}

async function report(
  bed: Bed,
  stand: CloudStand,
  changes: readonly Change[],
  { when, targetMs }: Condition,
): Promise<void> {
  const alarms = await allPages<{ id: string; point: string }>(stand, '/v1/alarms?state=all');
  const deliveries = await allPages<{ alarm: string; confirmed: string | null }>(
    stand,
    '/v1/deliveries?',
  );
  const pointOf = new Map(alarms.map(({ id, point }) => [id, point]));
  const confirmedMs = new Map<string, number>();
  for (const { alarm, confirmed } of deliveries) {
    const point = pointOf.get(alarm);
    if (point && confirmed) confirmedMs.set(point, Date.parse(confirmed));
  }
  const waits = changes.flatMap(({ point, atMs }) => {
    const at = confirmedMs.get(point);
    return at === undefined ? [] : [at - atMs];
  });
  const about = {
    alarms: changes.length,
    confirmed: waits.length,
    pollMs: PERIOD_MS,
    worstMs: Math.max(...waits),
  };
  const unit = 'ms';
  bed.report({ name: `p50, ${when}`, value: quantile(waits, 0.5), unit, with: about });
  bed.report({
    ...{ name: `p99, ${when}`, value: quantile(waits, 0.99), unit, with: about },
    target: `<= ${PERIOD_MS + targetMs}`,
  });
}

export const alarmLatency: Bench = {
  name: 'alarm-latency',
  about: 'from a register beyond its limit to the desk that confirms, poll 1 s',
  run: (bed) => run(bed, [idle, beside(20)]),
};

export const deliveryLatency: Bench = {
  name: 'delivery-latency',
  about:
    'the same beside 1,000 and 20,000 readings a second, and over a network that loses packets',
  run: (bed) => run(bed, [beside(1), beside(20), lossy]),
};
