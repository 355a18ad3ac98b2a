import { expect, test } from 'vitest';
import { seededRandom } from '../core/random.ts';
import { City } from './city.ts';

async function played(untilMs: number) {
  const city = await City.open(seededRandom(1));
  const happened: string[] = [];
  for (let at = 0; at <= untilMs; at += 500) {
    const { began } = city.advance(at, 10);
    happened.push(...began.map((event) => `${event}@${at}`));
  }
  const show = (id: string, point: string) =>
    Number(city.devices.find((device) => device.id === id)?.device.get(point).value);
  return { city, happened, show };
}

test('a quiet city is within every limit its profiles propose', async () => {
  const { show, city } = await played(14_000);
  expect(show('pressure-harbour', 'pressure')).toBeGreaterThan(4);
  expect(show('well-07', 'gas')).toBeLessThan(1);
  expect(Math.abs(show('bearing-west', 'angle-x'))).toBeLessThan(0.2);
  city.close();
});

test('the burst empties the harbour, the leak fills well 07, the bearing turns', async () => {
  const { show, city, happened } = await played(55_000);
  expect(happened).toEqual(['burst@15000', 'gas-leak@28000', 'settlement@34000']);
  expect(show('pressure-harbour', 'pressure')).toBeLessThan(1.5);
  expect(show('pressure-market', 'pressure')).toBeGreaterThan(3);
  expect(show('flow-branch', 'flow')).toBeGreaterThan(120);
  expect(show('well-07', 'gas')).toBeGreaterThan(50);
  expect(show('well-07', 'gas')).toBeGreaterThan(show('well-06', 'gas'));
  expect(show('bearing-west', 'angle-x')).toBeGreaterThan(0.3);
  city.close();
});

test('the same seed plays the same city', async () => {
  const [first, second] = [await played(20_000), await played(20_000)];
  for (const { id, device } of first.city.devices) {
    const twin = second.city.devices.find((other) => other.id === id)!.device;
    for (const { id: point } of device.profile.points) {
      expect(twin.get(point), `${id} ${point}`).toEqual(device.get(point));
    }
  }
});
