// Whether people are told when a city cries at once, and when the cloud dies in the middle of it.
//
// Flood: 20 gateways, 10,000 points with a rule each, 1,000 of them beyond their limit a second for
// ten seconds, one in 500 of them of level I; meanwhile two other gateways catch up with a backlog
// at the pace of an edge. Every alarm goes to a hall that confirms each by machine; level I goes to
// a desk as well. What either had is counted from the reading, by the clock of one machine. All of
// them go to the robot of a group chat, too, whose server enforces the 20 messages a minute that are
// published, 5 of them kept for level I: none may be refused.
//
// Restart: alarms of level I are told to a desk that hangs; the cloud is killed and started again
// over the same folder, and the desk, well again, says how long after the start of the process it
// heard of the first that was pending, and which it had heard of before.
import { CONFIRM_WITHIN_MS } from '../cloud/notify/plan.ts';
import { chainOf } from '../cloud/notify/route.ts';
import type { NotifySettings } from '../cloud/notify/settings.ts';
import { systemRandom } from '../core/random.ts';
import type { Bed, Bench } from './bench.ts';
import { sleep } from './bench.ts';
import type { CloudStand } from './cloud-stand.ts';
import { AREA, allPages, standCloud } from './cloud-stand.ts';
import { quantile } from './figure.ts';
import type { Side } from './side.ts';
import type { PublisherSettings, Storm } from './sides/publisher.ts';
import { STORM_RULE } from './sides/publisher.ts';
import type { ReceiverSettings } from './sides/receiver.ts';
import type { RobotSideSettings } from './sides/robot.ts';

const GATEWAYS = 20;
const LATE_GATEWAYS = 2;
/** Of a gateway: 5 devices of 100. */
const DEVICES = 5;
const POINTS = 100;
const SECONDS = 10;
const STORM: Storm = { fromPoll: 5, pointsAPoll: 50, firstLevelEvery: 500 };
/** The pace of an edge that has one (edge/agent.ts). */
const BACKLOG_BYTES_PER_SECOND = 256 * 1024;
/** Some 22 s at that pace: it goes on for longer than the storm. */
const BACKLOG_POLLS = 4_000;
const SETTLE_MS = 60_000;
const PENDING = 100;

interface DeliveryObject {
  readonly alarm: string;
  readonly receiver: string;
  readonly transition: string;
  readonly confirmed: string | null;
}

interface AlarmObject {
  readonly id: string;
  readonly rule: string;
  readonly level: number;
  readonly began: string;
}

const makeSecret = () => `whsec_${Buffer.from(systemRandom.bytes(32)).toString('base64')}`;

async function runFlood(bed: Bed): Promise<void> {
  const secret = makeSecret();
  const desk = await bed.side('receiver', { secret } satisfies ReceiverSettings);
  const hall = await bed.side('receiver', { secret } satisfies ReceiverSettings);
  const webhook = { kind: 'webhook', secret };
  const keys = { token: 'bench', secret: 'SECbench' }; // Of nobody.
  const chat = await bed.side('robot', keys satisfies RobotSideSettings);
  const stand = await standCloud(bed, GATEWAYS + LATE_GATEWAYS, {
    receivers: [
      { ...webhook, id: 'desk', url: await desk.ask<string>('url') },
      { ...webhook, id: 'hall', url: await hall.ask<string>('url') },
      { ...keys, kind: 'dingtalk', id: 'chat', url: await chat.ask<string>('url') },
    ],
    routes: [
      { id: 'first', match: { levels: [1] }, chain: chainOf(['desk'], CONFIRM_WITHIN_MS) },
      { id: 'all', match: {}, chain: chainOf(['hall'], CONFIRM_WITHIN_MS) },
      { id: 'chat', match: {}, chain: chainOf(['chat'], CONFIRM_WITHIN_MS) },
    ],
  });
  const late = await publisher(bed, stand, stand.gateways.slice(GATEWAYS), {
    ...{ polls: BACKLOG_POLLS, isPaced: false },
    backlogBytesPerSecond: BACKLOG_BYTES_PER_SECOND,
  });
  const polls = STORM.fromPoll + SECONDS;
  const storm = await publisher(bed, stand, stand.gateways.slice(0, GATEWAYS), {
    ...{ polls, isPaced: true, storm: STORM },
  });
  const catchingUp = late.ask('send').then(() => Date.now());
  catchingUp.catch((error: unknown) => bed.note(String(error)));
  await sleep(2_000);
  await storm.ask('send');
  const stormEndMs = Date.now();
  const behindMs = await storm.ask<number>('labelsBehindMs');
  const expected = GATEWAYS * STORM.pointsAPoll * SECONDS;
  const told = await settled(stand, expected);
  const settledS = (Date.now() - stormEndMs) / 1_000;
  await report(bed, stand, { told, expected, behindMs, settledS });
  await reportChat(bed, chat);
  const backlogS = ((await catchingUp) - stormEndMs) / 1_000;
  bed.note(`the backlog was through ${backlogS.toFixed(1)} s after the storm`);
}

async function publisher(
  bed: Bed,
  { brokerUrl }: Pick<CloudStand, 'brokerUrl'>,
  gateways: CloudStand['gateways'],
  more: Partial<PublisherSettings> & Pick<PublisherSettings, 'polls' | 'isPaced'>,
): Promise<Side> {
  const settings: PublisherSettings = {
    ...{ broker: brokerUrl, area: AREA, gateways, devices: DEVICES, points: POINTS },
    ...{ devicesARecord: 1, periodMs: 1_000, ...more },
  };
  const side = await bed.side('publisher', settings);
  await side.ask('prepare');
  return side;
}

/** Waits until so many were confirmed at the hall, or for SETTLE_MS. */
async function settled(stand: CloudStand, expected: number): Promise<DeliveryObject[]> {
  const endMs = Date.now() + SETTLE_MS;
  for (;;) {
    const all = await allPages<DeliveryObject>(stand, '/v1/deliveries?');
    const told = all.filter(({ transition }) => transition === 'raised');
    const done = told.filter(({ receiver, confirmed }) => receiver === 'hall' && confirmed);
    if (done.length >= expected || Date.now() > endMs) return told;
    await sleep(2_000);
  }
}

interface Told {
  readonly told: readonly DeliveryObject[];
  readonly expected: number;
  readonly behindMs: number;
  readonly settledS: number;
}

async function report(bed: Bed, stand: CloudStand, { told, expected, ...rest }: Told) {
  const everything = await allPages<AlarmObject>(stand, '/v1/alarms?state=all');
  // Not those of the gateways themselves: the senders here say nothing of their rules.
  const alarms = everything.filter(({ rule }) => rule === STORM_RULE);
  const byId = new Map(alarms.map((alarm) => [alarm.id, alarm]));
  const waits = (receiver: string, level: number) =>
    told.flatMap((delivery) => {
      const alarm = byId.get(delivery.alarm);
      if (delivery.receiver !== receiver || alarm?.level !== level) return [];
      if (delivery.confirmed === null) return [];
      const readMs = Date.parse(alarm.began) + rest.behindMs;
      return [{ readMs, ms: Date.parse(delivery.confirmed) - readMs }];
    });
  const first = waits('desk', 1).sort((a, b) => a.readMs - b.readMs);
  const others = waits('hall', 3).map(({ ms }) => ms);
  const confirmed = new Set(
    told.filter((it) => it.confirmed !== null && byId.has(it.alarm)).map(({ alarm }) => alarm),
  );
  const about = { alarms: expected, raised: alarms.length, settledS: rest.settledS };
  const lost = expected - confirmed.size;
  bed.report({ name: 'alarms lost', value: lost, unit: 'alarms', target: '0', with: about });
  const unit = 'ms';
  const firstMs = first.map(({ ms }) => ms);
  bed.report({
    ...{ name: 'first level I, reading to confirmed', value: firstMs[0] ?? Number.NaN, unit },
    ...{ target: '<= 1,000', with: { levelI: first.length } },
  });
  for (const share of [0.5, 0.99]) {
    const p = `p${share * 100}`;
    bed.report({ name: `level I, ${p}`, value: quantile(firstMs, share), unit });
    bed.report({ name: `level III, ${p}`, value: quantile(others, share), unit });
  }
}

const MINUTE_MS = 60_000;
const FIRST_LEVEL = /I red|I级红色/;

async function reportChat(bed: Bed, chat: Side): Promise<void> {
  const posted = await chat.ask<{ atMs: number; content: string }[]>('posted');
  const refused = await chat.ask<Record<string, number>>('refused');
  const most = (list: typeof posted) =>
    Math.max(
      0,
      ...list.map(({ atMs: from }) => {
        const within = list.filter(({ atMs }) => atMs >= from && atMs < from + MINUTE_MS);
        return within.length;
      }),
    );
  const others = posted.filter(({ content }) => !FIRST_LEVEL.test(content));
  const about = { messages: posted.length, refused: JSON.stringify(refused) };
  const unit = 'messages';
  const throttled = refused['throttled'] ?? 0;
  bed.report({ name: 'chat, throttled', value: throttled, unit, target: '0', with: about });
  bed.report({ name: 'chat, most in a minute', value: most(posted), unit, target: '<= 20' });
  bed.report({
    ...{ name: 'chat, most in a minute without level I', value: most(others), unit },
    target: '<= 15',
  });
}

async function runRestart(bed: Bed): Promise<void> {
  const secret = makeSecret();
  const desk = await bed.side('receiver', { secret } satisfies ReceiverSettings);
  const url = await desk.ask<string>('url');
  const notify: Partial<NotifySettings> = {
    receivers: [{ id: 'desk', kind: 'webhook', url, secret }],
    routes: [{ id: 'all', match: {}, chain: chainOf(['desk'], CONFIRM_WITHIN_MS) }],
  };
  const stand = await standCloud(bed, 1, notify);
  const storm: Storm = { fromPoll: 5, pointsAPoll: PENDING, firstLevelEvery: 1 };
  const plant = await publisher(bed, stand, stand.gateways, { polls: 6, isPaced: true, storm });
  await desk.ask('behave', { kind: 'hang' });
  await plant.ask('send');
  await sleep(2_000); // As many as a receiver gets at once are under way, the others wait.
  const before = await pages(desk);
  await stand.cloud.kill();
  await desk.ask('behave', { kind: 'confirm' });
  const startedMs = Date.now();
  const cloud = await bed.side('cloud', stand.config);
  const readyMs = Date.now() - startedMs;
  const endMs = Date.now() + SETTLE_MS;
  let after = await pages(desk);
  while (after.length < PENDING && Date.now() < endMs) {
    await sleep(200);
    after = await pages(desk);
  }
  await sleep(2_000); // What would come again has come.
  after = await pages(desk);
  await cloud.end();
  const firstMs = Math.min(...after.map(({ atMs }) => atMs)) - startedMs;
  const alarmOf = ({ id }: Arrival) => id.slice(0, id.lastIndexOf('.'));
  const twice = after.length - new Set(after.map(alarmOf)).size;
  const about = {
    ...{ pending: PENDING, told: after.length, toldBefore: before.length, readyMs },
    repeatedUnderTheirId: after.filter(({ times }) => times > 1).length,
  };
  bed.report({
    name: 'restart to first pending sent',
    value: firstMs / 1_000,
    unit: 's',
    with: about,
  });
  bed.report({ name: 'paged twice', value: twice, unit: 'pages', target: '0', with: about });
}

interface Arrival {
  readonly id: string;
  readonly atMs: number;
  readonly times: number;
}

const pages = (desk: Side) => desk.ask<Arrival[]>('received');

export const deliveryFlood: Bench = {
  name: 'delivery-flood',
  about: '10,000 alarms in 10 s beside a backlog: lost, level I from its reading, quotas',
  run: runFlood,
};

export const deliveryRestart: Bench = {
  name: 'delivery-restart',
  about: 'the cloud killed with alarms pending: until the first is sent, and who is told twice',
  run: runRestart,
};
