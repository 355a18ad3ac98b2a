import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { systemRandom } from '../../core/random.ts';
import { freePort, startMosquitto, writeBrokerFiles } from '../../tests/foreign-broker.ts';
import { program } from '../../tests/programs.ts';
import { openBroker } from './broker.ts';
import { type CheckedRight, checkRights, type RightsCheck } from './check.ts';
import { mosquittoFiles, mosquittoPassword } from './mosquitto.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const own = { area: 'east', gateway: 'gw-1', secret: 'secret of gw-1' };
const other = { area: 'east', gateway: 'gw-2' };
const cloud = { name: 'cloud', secret: 'secret of the cloud' };
const check = (url: string, more: Partial<RightsCheck> = {}) =>
  checkRights(systemClock, { url, ...own, other, cloud: null, ...more });

const words = ({ what, topic, verdict }: CheckedRight) => `${verdict} ${what} ${topic}`.trim();
const broken = (rights: readonly CheckedRight[]) =>
  rights.filter(({ verdict }) => verdict === 'broken').map(words);
const unshown = (rights: readonly CheckedRight[]) =>
  rights.filter(({ verdict }) => verdict === 'unshown').map(words);

const mosquittoPath = program('mosquitto');
type Files = Record<string, string>;

async function mosquitto(spoil: (files: Files) => Files = (files) => files) {
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-rights-'));
  closers.push(() => rmSync(folder, { recursive: true }));
  const port = await freePort();
  const password = (secret: string) => mosquittoPassword(systemRandom, secret);
  const files = mosquittoFiles({
    ...{ host: '127.0.0.1', port, tls: null, folder },
    gateways: [
      { id: 'gw-1', area: 'east', password: password(own.secret) },
      { id: 'gw-2', area: 'east', password: password('secret of gw-2') },
    ],
    cloud: { name: 'cloud', password: password(cloud.secret) },
  });
  writeBrokerFiles(folder, spoil({ ...files }));
  const broker = await startMosquitto(mosquittoPath!, folder, port);
  closers.push(() => broker.kill());
  return broker;
}

async function embedded() {
  const sha256 = (secret: string) => createHash('sha256').update(secret).digest('hex');
  const broker = await openBroker({
    port: 0,
    credentials: [
      { name: 'gw-1', sha256: sha256(own.secret), role: 'gateway', area: 'east' },
      { name: 'gw-2', sha256: sha256('secret of gw-2'), role: 'gateway', area: 'east' },
    ],
  });
  closers.push(() => broker.close());
  return { broker, url: `mqtt://127.0.0.1:${broker.port}` };
}

test('at the embedded broker every right is shown with the credential of the gateway alone', async () => {
  const { url, broker } = await embedded();
  const rights = await check(url);
  expect([broken(rights), unshown(rights)]).toEqual([[], []]);
  expect(rights.map(words)).toContain('holds right-no-publish lifeline/v1/east/gw-1/ack');
  // What was not to be possible was refused by the broker, not by a mistake of the check.
  const { refused } = await broker.stats();
  expect(refused).toMatchObject({ wrong_secret: 1, unknown_name: 2, wrong_client_id: 1 });
  expect(refused.foreign_topic).toBeGreaterThan(10);
  expect(refused.protocol).toBeLessThan(3);
});

test('a secret that is wrong is said, and nothing more is tried', async () => {
  const { url } = await embedded();
  expect((await check(url, { secret: 'x' })).map(words)).toEqual(['broken right-login']);
});

test('nobody there, or nobody who speaks MQTT, is a fault with a name', async () => {
  const url = `mqtt://127.0.0.1:${await freePort()}`;
  await expect(check(url)).rejects.toMatchObject({ code: 'broker_unreachable' });
});

test.skipIf(!mosquittoPath)(
  'at Mosquitto with our files every right holds, all shown with the cloud’s credential too',
  async () => {
    const { url, log } = await mosquitto();
    const alone = await check(url);
    expect(broken(alone)).toEqual([]);
    // It grants every subscription: what nobody but the cloud says cannot be shown without it.
    expect(unshown(alone).map((line) => line.split(' ').slice(1).join(' '))).toEqual([
      'right-will lifeline/v1/east/nobody-of-this-name/status',
      ...['ack', 'desired', 'command', 'confirm'].flatMap((kind) => [
        `right-no-hear lifeline/v1/east/nobody-of-this-name/${kind}`,
      ]),
      ...['ack', 'desired', 'command', 'confirm'].map(
        (kind) => `right-no-hear lifeline/v1/east/+/${kind}`,
      ),
    ]);
    const whole = await check(url, { cloud });
    expect([broken(whole), unshown(whole)]).toEqual([[], []]);
    expect(whole).toHaveLength(alone.length);
    expect(log()).not.toMatch(/Error|Warning/);
  },
);

const line = (text: string) => (files: Files) => ({
  ...files,
  acl: files['acl']!.replace('user gw-1\n', `user gw-1\n${text}\n`),
});
const without = (text: string) => (files: Files) => ({
  ...files,
  acl: files['acl']!.replace(`${text}\n`, ''),
});
const conf = (from: string, to: string) => (files: Files) => ({
  ...files,
  'mosquitto.conf': files['mosquitto.conf']!.replace(from, to),
});

// Without a name nobody gets in where the name is the client id, so the first two go together.
const ownIds = conf('use_username_as_clientid true', 'use_username_as_clientid false');
const mistakes: readonly (readonly [string, (files: Files) => Files, string])[] = [
  [
    'anybody is let in',
    (files) => ownIds(conf('allow_anonymous false', 'allow_anonymous true')(files)),
    'right-anonymous',
  ],
  ['a client id of one’s own choice', ownIds, 'right-client-id'],
  [
    'writing for another gateway',
    line('topic write lifeline/v1/east/gw-2/live'),
    'right-no-publish lifeline/v1/east/gw-2/live',
  ],
  [
    'acknowledging oneself',
    line('topic readwrite lifeline/v1/east/gw-1/ack'),
    'right-no-publish lifeline/v1/east/gw-1/ack',
  ],
  [
    'writing in another area',
    line('topic write lifeline/v1/+/gw-1/live'),
    'right-no-publish lifeline/v1/nobody-of-this-name/gw-1/live',
  ],
  [
    'hearing everybody’s readings',
    line('topic read lifeline/v1/+/+/live'),
    'right-no-hear lifeline/v1/+/+/live',
  ],
  ['hearing everything', line('topic read #'), 'right-no-hear #'],
  [
    'hearing what the cloud tells others',
    line('topic read lifeline/v1/east/+/command'),
    'right-no-hear lifeline/v1/east/nobody-of-this-name/command',
  ],
  [
    'a last will for another gateway',
    line('topic write lifeline/v1/east/+/status'),
    'right-will lifeline/v1/east/nobody-of-this-name/status',
  ],
  [
    'a kind it may not publish although it must',
    without('topic write lifeline/v1/east/gw-1/birth'),
    'right-publish lifeline/v1/east/gw-1/birth',
  ],
  [
    'an ack it cannot hear',
    without('topic read lifeline/v1/east/gw-1/ack'),
    'right-hear lifeline/v1/east/gw-1/ack',
  ],
];

for (const [name, spoil, expected] of mistakes) {
  test.skipIf(!mosquittoPath)(`a mistake in the files is found: ${name}`, async () => {
    const { url } = await mosquitto(spoil);
    expect(broken(await check(url, { cloud }))).toContain(`broken ${expected}`);
  });
}

test.skipIf(!mosquittoPath)('a broker that has an old password of the cloud is said', async () => {
  const { url } = await mosquitto();
  const wrong = check(url, { cloud: { name: 'cloud', secret: 'of yesterday' } });
  await expect(wrong).rejects.toMatchObject({ code: 'broker_cloud_refused' });
});
