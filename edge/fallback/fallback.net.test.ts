// The whole edge with real parts: a gas detector and a relay module over Modbus TCP, and a broker
// that is cut.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { openBroker } from '../../cloud/broker/broker.ts';
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { seededRandom, systemRandom } from '../../core/random.ts';
import { parseProfile } from '../../device-profiles/profile.ts';
import type { Reply } from '../../protocols/uplink/control.ts';
import { decodeReply, encodeCloudStatus, encodeConfirm } from '../../protocols/uplink/control.ts';
import {
  CLOUD_STATUS_TOPIC,
  parseTopic,
  topicOf,
  upFilters,
} from '../../protocols/uplink/topics.ts';
import { SimulatedDevice } from '../../simulators/device.ts';
import { ModbusServer } from '../../simulators/modbus-server.ts';
import { runAgent } from '../agent.ts';
import { parseGateway } from '../config/gateway.ts';
import { packagedProfiles } from '../config/loader.ts';
import { mqttLink } from '../uplink/mqtt.ts';

const soon = <T>(read: () => T) => expect.poll(read, { timeout: 20_000 });
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const GAS = `version: 1
profile:
  id: acme/gas
  revision: 1.0.0
  kind: gas-detector
  vendor: Acme
  models: [G]
  title: { en: Gas detector, zh: 气体探测器 }
  source: { document: Register map rev C, status: official }
protocol: modbus
points:
  ch4:
    title: { en: Methane, zh: 甲烷 }
    read: { table: input, address: 0, type: uint16 }
    range: [0, 100]
    class: life-safety
    poll: 200ms
    alarms: { high: { raise: 20, clear: 15, level: 1, delay: 0s, off_delay: 0s } }
`;
const packaged = packagedProfiles();
const profiles = {
  ids: ['acme/gas', 'generic/relay-8'],
  text: (id: string) => (id === 'acme/gas' ? GAS : packaged.text(id)),
  load: (reference: string) =>
    reference.startsWith('acme') ? parseProfile(GAS, 'acme/gas') : packaged.load(reference),
};
const file = (broker: number, device: number, folder: string) => `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:${broker}, credentials: "\${env:SECRET}" }
outbox: { folder: ${folder}, size: 64MiB }
status: { port: 0 }
links: { bus: { protocol: modbus, kind: tcp, host: 127.0.0.1, port: ${device} } }
devices:
  - { id: gas-1, link: bus, unit: 1, profile: acme/gas@1 }
  - id: relays
    link: bus
    unit: 2
    profile: generic/relay-8@1
    poll: 1s
    commands: { allow: [relay-3.set] }
fallback:
  - { id: fan-on-gas, confirm_within: 800ms, output: { device: relays, point: relay-3, value: true } }
`;

const sha256 = (secret: string) => createHash('sha256').update(secret).digest('hex');
const brokerAt = (port: number) =>
  openBroker({
    port,
    credentials: [
      { name: 'cloud', sha256: sha256('c'), role: 'cloud' },
      { name: 'gw-1', sha256: sha256('g'), role: 'gateway', area: 'east' },
    ],
  });

/** The cloud's side of the broker: what gateways reply, and confirming. */
function listen(port: number) {
  const replies: Reply[] = [];
  const link = mqttLink(systemClock, seededRandom(1), {
    ...{ url: `mqtt://127.0.0.1:${port}`, clientId: 'cloud', username: 'cloud' },
    ...{ password: 'c', keepaliveSeconds: 30, subscriptions: upFilters('east'), will: () => null },
  });
  link.onMessage = ({ topic, payload }) => {
    if (parseTopic(topic)?.kind === 'reply') replies.push(decodeReply(payload));
  };
  link.onUp = () => {
    const payload = encodeCloudStatus({ online: true });
    link.publish(CLOUD_STATUS_TOPIC, payload, { qos: 1, retain: true });
  };
  link.start();
  closers.push(() => link.close(100));
  const confirm = (occurrence: string) => {
    const payload = encodeConfirm({ occurrence, by: 'li', atMs: 0 });
    link.publish(topicOf('east', 'gw-1', 'confirm'), payload, { qos: 1, retain: false });
  };
  return { replies, confirm };
}

test('a relay closes when nobody confirms, opens when somebody does, and works and is told of while the broker is away', async () => {
  const gas = new SimulatedDevice(parseProfile(GAS, 'acme/gas'));
  const relays = new SimulatedDevice(packaged.load('generic/relay-8@1'));
  const banks = new Map([
    [1, gas],
    [2, relays],
  ]);
  const server = await ModbusServer.listen({ host: '127.0.0.1', port: 0, banks });
  closers.push(() => server.close());
  const broker = await brokerAt(0);
  const { port } = broker;
  const { replies, confirm } = listen(port);
  const folder = mkdtempSync(join(tmpdir(), 'fallback-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const config = parseGateway(file(port, server.port, folder), 'gateway.yaml', profiles);
  const options = { secret: 'g', software: 'test' };
  const agent = await runAgent(systemClock, systemRandom, silentLog, config, options);
  closers.push(() => agent.close(0));
  const state = () => agent.health().fallbacks[0]!;
  const relay = () => relays.get('relay-3').value;
  const told = () => replies.map(({ outcome, issued }) => `${issued?.fallback?.act} ${outcome}`);
  await soon(() => state().rules).toBe(1);
  await soon(() => agent.health().uplink.up).toBe(true);

  gas.set('ch4', 30);
  await soon(() => state().state).toBe('fired');
  expect(relay()).toBe(true);
  const [{ occurrence } = { occurrence: '' }] = state().alarms;
  await soon(told).toEqual(['fire done']);
  expect(replies[0]?.issued?.fallback?.alarms).toEqual([
    { occurrence, device: 'gas-1', point: 'ch4', rule: 'high' },
  ]);
  confirm(occurrence);
  await soon(relay).toBe(false);
  gas.set('ch4', 5);
  await soon(() => state().state).toBe('armed');

  await broker.close();
  gas.set('ch4', 30);
  await soon(() => state().state).toBe('fired');
  expect(relay()).toBe(true);
  const second = await brokerAt(port);
  closers.push(() => second.close());
  const name = state().alarms[0]?.occurrence;
  await soon(() => replies.map(({ issued }) => issued?.fallback?.alarms[0]?.occurrence)).toContain(
    name,
  );
}, 60_000);
