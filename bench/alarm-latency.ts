// From a register that changes to a person's desk that confirms: a value beyond its limit is put
// into a simulated device at a random moment; the edge polls it at 1 s, the cloud raises the alarm,
// the desk is told and confirms by its own word. Once with nothing else going on, once beside
// 20,000 readings a second of other gateways. Both ends are stamped by the wall clock of one
// machine: by the device's process when the register changed, by the cloud when it had the word.
import { join } from 'node:path';
import { systemRandom } from '../core/random.ts';
import type { Bed, Bench } from './bench.ts';
import { sleep } from './bench.ts';
import type { CloudStand } from './cloud-stand.ts';
import { AREA, standCloud } from './cloud-stand.ts';
import { benchFolder, codeToRun, unitFlags } from './emitted.ts';
import { quantile } from './figure.ts';
import type { Side } from './side.ts';
import type { DevicesSettings } from './sides/devices.ts';
import type { EdgeSettings } from './sides/edge.ts';
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

async function run(bed: Bed): Promise<void> {
  const secret = `whsec_${Buffer.from(systemRandom.bytes(32)).toString('base64')}`;
  const desk = await bed.side('receiver', { secret } satisfies ReceiverSettings);
  const url = await desk.ask<string>('url');
  const stand = await standCloud(bed, OTHER_GATEWAYS + 1, {
    receivers: [{ id: 'desk', kind: 'webhook', url, secret }],
    routes: [{ id: 'all', match: {}, chain: ['desk'] }],
  });
  const own = stand.gateways.at(-1)!;
  const devices = await startEdge(bed, stand, own);
  await sleep(5_000); // Everything was read once, and no alarm was raised.
  const samples = bed.pick(200, 40);
  const registers = Array.from({ length: DEVICES * REGISTERS }, (_, at) => at);
  const idle = await change(devices, own.id, registers.slice(0, samples));
  await report(bed, stand, idle, 'idle');
  const others = await startOthers(bed, stand, samples);
  await sleep(3_000);
  const from = registers.length / 2;
  const busy = await change(devices, own.id, registers.slice(from, from + samples));
  await report(bed, stand, busy, 'beside 20,000 readings/s');
  await others.ask('stop');
}

async function startEdge(
  bed: Bed,
  { brokerUrl }: CloudStand,
  { id, secret }: CloudStand['gateways'][number],
): Promise<Side> {
  const devices = await bed.side('devices', {
    ...{ devices: DEVICES, registers: REGISTERS, answers: 'together', signal: 'still' },
  } satisfies DevicesSettings);
  const ports = await devices.ask<number[]>('ports');
  const place = { id, area: AREA, brokerUrl, folder: join(bed.folder, 'outbox') };
  const site = {
    ...{ ...place, outboxSize: '256MiB', ports, registers: REGISTERS },
    ...{ periodMs: PERIOD_MS, limit: LIMIT },
  };
  const settings: EdgeSettings = { site, secret, reportAll: false };
  const code = codeToRun();
  await bed.side('edge', settings, { folder: benchFolder(code), execArgv: unitFlags() });
  return devices;
}

/** Other gateways that send 1,000 readings a second each, for long enough. */
async function startOthers(bed: Bed, stand: CloudStand, samples: number): Promise<Side> {
  const seconds = Math.ceil((samples * APART_MS * 1.5 + CONFIRM_WAIT_MS) / 1_000) + 10;
  const publisher = await bed.side('publisher', {
    ...{ broker: stand.brokerUrl, area: AREA, gateways: stand.gateways.slice(0, OTHER_GATEWAYS) },
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

interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string | null;
}

async function all<Item>({ apiUrl, token }: CloudStand, path: string): Promise<Item[]> {
  const items: Item[] = [];
  const headers = { authorization: `Bearer ${token}` };
  for (let after = ''; ; ) {
    const response = await fetch(`${apiUrl}${path}&limit=200${after}`, { headers });
    const page = (await response.json()) as Page<Item>;
    items.push(...page.items);
    if (page.next === null) return items;
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}

async function report(
  bed: Bed,
  stand: CloudStand,
  changes: readonly Change[],
  when: string,
): Promise<void> {
  const alarms = await all<{ id: string; point: string }>(stand, '/v1/alarms?state=all');
  const deliveries = await all<{ alarm: string; confirmed: string | null }>(
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
    target: `<= ${PERIOD_MS + 100}`,
  });
}

export const alarmLatency: Bench = {
  name: 'alarm-latency',
  about: 'from a register beyond its limit to the desk that confirms, poll 1 s',
  run,
};
