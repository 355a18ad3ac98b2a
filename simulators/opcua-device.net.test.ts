// The driver of this project against a device made from a profile, over a real connection.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../core/clock.ts';
import { engineeringValue } from '../core/point.ts';
import { Problems } from '../core/problems.ts';
import { qualityOf } from '../core/quality.ts';
import { systemRandom } from '../core/random.ts';
import { rawToWrite } from '../device-profiles/commands.ts';
import { loadProfile } from '../device-profiles/loader.ts';
import { openTrust } from '../edge/links/opcua-trust.ts';
import type { DeviceHandle, OwnSession } from '../protocols/driver.ts';
import type { OpcuaAddress, OpcuaDevice } from '../protocols/opcua/address.ts';
import { parseDevice } from '../protocols/opcua/address.ts';
import { opcua } from '../protocols/opcua/driver.ts';
import type { OpcuaPlace } from '../protocols/opcua/place.ts';
import { OpcUaDevice } from './opcua-device.ts';
import type { SimulatedOpcUa } from './opcua-server.ts';
import { openOpcUaServer } from './opcua-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'opcua-device-'));
const profile = loadProfile('generic/pump-station');
const points = profile.points.map(({ id }) => id);
let device: OpcUaDevice;
let server: SimulatedOpcUa;
let session: OwnSession<OpcuaAddress, OpcuaDevice>;
let handle: DeviceHandle<OpcuaAddress>;
let shown: () => Promise<Readonly<Record<string, unknown>>>;

beforeEach(async () => {
  device = new OpcUaDevice(profile);
  const [host, port] = ['127.0.0.1', 0];
  const pkiFolder = join(folder, 'server');
  const securityPolicies = ['None'] as const;
  server = await openOpcUaServer({ host, port, pkiFolder, securityPolicies, ...device.space() });
  device.show(server.space);
  const place: OpcuaPlace = {
    endpoint: server.endpoint,
    security: { policy: 'None', mode: 'None', host: null, expired: 'refuse' },
    identity: { kind: 'anonymous' },
    trust: openTrust(systemClock, systemRandom, { folder: join(folder, 'pki'), gateway: 'gw' }),
    timeoutMs: 5_000,
    sessionTimeoutMs: 60_000,
    publishingMs: 50,
    keepAliveMs: 1_000,
    limits: {},
  };
  const { signal } = new AbortController();
  session = (await opcua.connect!(systemClock, systemRandom, place, signal)) as typeof session;
  handle = session.device(parseDevice(profile.device, [], new Problems('test'))!);
  const addresses = profile.points.map(({ address }) => address as unknown as OpcuaAddress);
  const plan = handle.plan(addresses);
  shown = async () => {
    const { values, qualities } = await handle.poll(plan, signal);
    const entries = profile.points.map(({ id, definition }, at) => {
      const { quality, reason } = qualityOf(qualities[at]!)!;
      const value = engineeringValue(values[at]!, definition.scale, definition.offset);
      return [id, quality === 'good' ? value : reason] as const;
    });
    return Object.fromEntries(entries);
  };
}, 30_000);

afterEach(async () => {
  session.close();
  await server.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('every point of the profile is where it says, and shows what is set', async () => {
  await expect
    .poll(shown, { timeout: 8_000 })
    .toMatchObject({ 'pump-1-running': false, 'sump-low': false });
  device.set('pump-1-running', true);
  device.set('pump-1-power', 48.25);
  device.set('sump-level', 2.75);
  device.set('sump-low', true);
  await expect.poll(shown, { timeout: 8_000 }).toMatchObject({
    'pump-1-running': true,
    'pump-1-power': 48.25,
    'sump-level': 2.75,
    'sump-low': true,
  });
  const all = await shown();
  for (const id of points) expect(typeof all[id], id).not.toBe('string');
}, 20_000);

test('a command and a write reach the plant as orders, and the node shows them', async () => {
  await expect.poll(shown, { timeout: 8_000 }).toMatchObject({ 'pump-2-running': false });
  const commands = profile.points.flatMap(({ id, commands = [] }) =>
    commands.map((command) => [`${id}.${command.offer.id}`, command] as const),
  );
  const give = async (id: string, value: number | boolean) => {
    const [, command] = commands.find(([name]) => name === id)!;
    const { signal } = new AbortController();
    const raw = rawToWrite(command, value);
    return (await handle.write!(command.address as OpcuaAddress, raw, signal)).fault;
  };
  expect(await give('pump-2-running.start', true)).toBeNull();
  expect(await give('pump-2-speed.set', 87.5)).toBeNull();
  expect(device.ordersOf(server.space.takeOrders())).toEqual([
    { point: 'pump-2-running', value: true },
    { point: 'pump-2-speed', value: 87.5 },
  ]);
  await expect
    .poll(shown, { timeout: 8_000 })
    .toMatchObject({ 'pump-2-running': true, 'pump-2-speed': 87.5 });
  expect(await give('pump-2-running.stop', false)).toBeNull();
  await expect.poll(shown, { timeout: 8_000 }).toMatchObject({ 'pump-2-running': false });
}, 20_000);

test('a frozen point stands, a spoilt one has no value, and both come back', async () => {
  await expect.poll(shown, { timeout: 8_000 }).toMatchObject({ 'sump-level': 0 });
  device.freeze(['sump-level']);
  device.spoil(['suction-pressure']);
  device.set('sump-level', 3);
  device.set('suction-pressure', 0.5);
  device.set('discharge-pressure', 4.5);
  await expect.poll(shown, { timeout: 8_000 }).toMatchObject({
    'discharge-pressure': 4.5,
    'sump-level': 0,
    'suction-pressure': expect.any(String),
  });
  device.thaw();
  device.spoil([]);
  await expect
    .poll(shown, { timeout: 8_000 })
    .toMatchObject({ 'sump-level': 3, 'suction-pressure': 0.5 });
}, 20_000);

test('values the profile has no room for are refused before anything is shown', () => {
  expect(() => device.set('sump-level', true)).toThrow(/cannot show/);
  expect(() => device.set('none', 1)).toThrow(/no point/);
});
