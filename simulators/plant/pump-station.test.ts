import { expect, test } from 'vitest';
import { PumpStation } from './pump-station.ts';
import { WaterNetwork, waterPumps } from './water-network.ts';

async function played(seconds: number, act: (station: PumpStation) => void = () => {}) {
  const station = new PumpStation();
  const network = await WaterNetwork.open();
  act(station);
  for (let at = 0; at < seconds; at++) {
    for (const pump of waterPumps) network.run(pump, station.speed(pump));
    station.advance(1, network.solve(10));
  }
  const water = network.solve(10);
  network.close();
  return { ...station.shown(water), water };
}

test('one pump carries the district, the other stands by', async () => {
  const { pumps, dischargeBar, suctionBar, sumpM } = await played(10);
  expect([pumps['pump-1'].running, pumps['pump-2'].running]).toEqual([true, false]);
  expect(pumps['pump-1'].watts).toBeGreaterThan(20_000);
  expect(pumps['pump-2'].watts).toBeLessThan(100);
  expect(dischargeBar).toBeGreaterThan(4);
  expect(suctionBar).toBeGreaterThan(0.2);
  expect(sumpM).toBeCloseTo(2.8, 1);
});

test('the second pump raises the pressure and lowers the sump; without any the tank feeds', async () => {
  const usual = await played(10);
  const both = await played(60, (station) => station.start('pump-2'));
  expect(both.dischargeBar).toBeGreaterThan(usual.dischargeBar + 0.3);
  expect(both.sumpM).toBeLessThan(usual.sumpM);
  const none = await played(10, (station) => station.stop('pump-1'));
  expect(none.pumps['pump-1'].running).toBe(false);
  expect(none.dischargeBar).toBeLessThan(usual.dischargeBar - 0.3);
  expect(none.water.flowM3h.feed).toBeGreaterThan(100);
});

test('a speed beyond its limits is held at them', async () => {
  const { pumps, dischargeBar } = await played(10, (station) => station.setSpeed('pump-1', 20));
  expect(pumps['pump-1'].percent).toBe(80);
  expect(dischargeBar).toBeGreaterThan(3);
});
