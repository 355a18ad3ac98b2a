import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rawToWrite } from '../device-profiles/commands.ts';
import { listProfiles, loadProfile } from '../device-profiles/loader.ts';
import { modbusPoints, parseProfile } from '../device-profiles/profile.ts';
import type { ModbusAddress } from '../protocols/modbus/address.ts';
import { ILLEGAL_ADDRESS } from '../protocols/modbus/codec.ts';
import { encodeValue } from '../protocols/modbus/value.ts';
import { SimulatedDevice } from './device.ts';

const gas = () => new SimulatedDevice(loadProfile('honeywell/sensepoint-xcd'));

const custom = parseProfile(
  `version: 1
profile:
  id: acme/thing
  revision: "1.0.0"
  kind: temperature-sensor
  vendor: ACME
  models: [T]
  title: { en: Thing, zh: 设备 }
  source: { document: none, status: community }
protocol: modbus
points:
  t: { title: { en: T, zh: 温度 }, read: { table: input, address: 3, type: int16 }, scale: 0.1,
       unit: Cel, range: [-40, 70], invalid: { 0x7FFF: sensor_fault } }
  name: { title: { en: Name, zh: 名称 },
          read: { table: holding, address: 0, type: string, length: 3 } }
  count: { title: { en: Count, zh: 计数 },
           read: { table: holding, address: 8, type: uint64, order: CDAB } }
  door: { title: { en: Door, zh: 门 }, read: { table: discrete, address: 5 } }
  pump: { title: { en: Pump, zh: 泵 }, read: { table: coil, address: 1 } }
`,
  'thing.yaml',
);

test('a device of any profile of the library starts with readings nobody calls bad', () => {
  for (const profile of listProfiles().map((id) => loadProfile(id))) {
    if (profile.protocol !== 'modbus') continue;
    const { id } = profile;
    const device = new SimulatedDevice(profile, { strict: true });
    for (const point of device.profile.points) {
      expect(device.get(point.id), `${id} ${point.id}`).toMatchObject({ quality: 'good' });
    }
  }
});

test('what is set in engineering units is what a reader decodes', () => {
  const device = gas();
  device.set('gas', 26.5);
  expect(device.get('gas').value).toBe(26.5);
  device.set('mode', 12);
  device.set('alarm-2', true);
  expect(device.get('gas')).toMatchObject({ value: null, reason: 'not_in_service' });
  expect(device.read('holding', 2, 5)).toEqual(Uint16Array.of(0x41d4, 0, 0, 2, 12));

  const thing = new SimulatedDevice(custom);
  thing.set('t', -12.34);
  thing.set('name', 'well-7');
  thing.set('count', 2n ** 60n + 1n);
  thing.set('door', true);
  expect(thing.read('input', 3, 1)).toEqual(Uint16Array.of(0x10000 - 123));
  expect(thing.get('name').value).toBe('well-7');
  expect(thing.get('count').value).toBe(2n ** 60n + 1n);
  expect(thing.read('discrete', 5, 1)).toEqual(Uint16Array.of(1));
});

test('set and get agree to the resolution of the register, over the whole range', () => {
  const device = new SimulatedDevice(loadProfile('witmotion/wt901c485'));
  const { scale } = device.profile.points.find(({ id }) => id === 'angle-x')!.definition;
  fc.assert(
    fc.property(fc.double({ min: -180, max: 179.99, noNaN: true }), (angle) => {
      device.set('angle-x', angle);
      return Math.abs((device.get('angle-x').value as number) - angle) <= scale / 2;
    }),
  );
});

test('a value beyond the register saturates, one beyond the range is a fault', () => {
  const thing = new SimulatedDevice(custom);
  thing.set('t', 1e9);
  expect(thing.get('t')).toMatchObject({ value: null, reason: 'sensor_fault' }); // 0x7FFF.
  thing.set('t', 71);
  expect(thing.get('t')).toMatchObject({ value: null, reason: 'out_of_range' });
});

test('a device says in its own code that it has no value, or cannot say it', () => {
  const thing = new SimulatedDevice(custom);
  thing.set('t', { invalid: 'sensor_fault' });
  expect(thing.read('input', 3, 1)).toEqual(Uint16Array.of(0x7fff));
  const device = gas();
  device.set('gas', { invalid: 'not_available' });
  expect(device.get('gas')).toEqual({ value: null, quality: 'bad', reason: 'not_available' });
  expect(() => thing.set('t', { invalid: 'frozen' })).toThrow('no code for frozen');
  expect(() => thing.set('tt', 1)).toThrow('no point tt');
  expect(() => thing.set('t', 'warm')).toThrow('cannot show warm');
  expect(() => thing.set('t', Number.NaN)).toThrow('cannot show NaN');
  expect(() => thing.set('door', 1)).toThrow('cannot show 1');
});

test('served counts a point when a request covers it from end to end', () => {
  const device = gas();
  device.read('holding', 2, 2);
  expect(device.served).toBe(1); // gas
  device.read('holding', 2, 1);
  expect(device.served).toBe(1); // half of gas is no reading
  device.read('holding', 5, 1);
  expect(device.served).toBe(5); // four bits of one register
  device.read('input', 2, 2);
  expect(device.served).toBe(5);
});

test('a strict device answers exception 2 outside its map, a lenient one with 0', () => {
  const profile = loadProfile('honeywell/sensepoint-xcd');
  const strict = new SimulatedDevice(profile, { strict: true });
  expect(strict.read('holding', 2, 5)).toBeInstanceOf(Uint16Array);
  expect(strict.read('holding', 6, 2)).toBe(ILLEGAL_ADDRESS);
  expect(strict.read('holding', 60_000, 1)).toBe(ILLEGAL_ADDRESS);
  expect(strict.served).toBe(7);
  const lenient = new SimulatedDevice(profile);
  expect(lenient.read('holding', 7, 2)).toEqual(Uint16Array.of(0, 0));
  expect(lenient.read('holding', 65_500, 20)).toEqual(new Uint16Array(20));
});

test('a device holds the register by which it is known', () => {
  expect(gas().read('holding', 0, 1)).toEqual(Uint16Array.of(0x2500));
});

test('a frozen point keeps its value while it is set, and then shows the newest', () => {
  const device = gas();
  device.set('gas', 1);
  device.freeze(['gas']);
  device.set('gas', 2);
  device.set('gas', 3);
  device.set('temperature', 20);
  expect([device.get('gas').value, device.get('temperature').value]).toEqual([1, 20]);
  device.thaw();
  expect(device.get('gas').value).toBe(3);
  device.freeze();
  device.set('temperature', 21);
  expect(device.get('temperature').value).toBe(20);
});

test('a write reaches the registers the profile names, and no others', () => {
  const thing = new SimulatedDevice(custom);
  expect(thing.write('coil', 1, Uint16Array.of(1))).toBe(0);
  expect(thing.get('pump').value).toBe(true);
  expect(thing.write('coil', 2, Uint16Array.of(1))).toBe(ILLEGAL_ADDRESS);
  expect(thing.write('holding', 65_535, Uint16Array.of(1))).toBe(ILLEGAL_ADDRESS);
});

test('every command of the library is obeyed: its point shows what was commanded', () => {
  let obeyed = 0;
  for (const id of listProfiles()) {
    const profile = loadProfile(id);
    if (profile.protocol !== 'modbus') continue;
    const device = new SimulatedDevice(profile, { strict: true });
    for (const point of modbusPoints(profile)) {
      for (const command of point.commands ?? []) {
        const { offer } = command;
        for (const value of [offer.fixed ?? offer.states ?? offer.range ?? []].flat()) {
          const address = command.address as ModbusAddress;
          const words = encodeValue(address, rawToWrite(command, value));
          const values = typeof words === 'boolean' ? Uint16Array.of(Number(words)) : words;
          expect(device.write(address.table, address.address, values), `${id} ${offer.id}`).toBe(0);
          const shown = device.get(point.id).value;
          const within = command.readBack?.tolerance ?? 0;
          expect(Math.abs(Number(shown) - Number(value)), `${id} ${offer.id}`).toBeLessThanOrEqual(
            within,
          );
          obeyed++;
        }
      }
    }
  }
  expect(obeyed).toBeGreaterThan(20);
});

test('a word that is no command changes nothing but the register', () => {
  const drive = new SimulatedDevice(loadProfile('vacon/10'));
  expect(drive.write('holding', 2000, Uint16Array.of(1))).toBe(0);
  expect(drive.write('holding', 2000, Uint16Array.of(0x40))).toBe(0);
  expect(drive.get('running').value).toBe(true);
  expect(drive.read('holding', 2000, 1)).toEqual(Uint16Array.of(0x40));
});
