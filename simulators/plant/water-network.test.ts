import { expect, test } from 'vitest';
import { WaterNetwork, waterNodes, waterPipes } from './water-network.ts';

test('the district has service pressure at every hour, lower when more is drawn', async () => {
  const network = await WaterNetwork.open();
  const night = network.solve(3);
  const morning = network.solve(7.5);
  for (const node of waterNodes) {
    expect(night.pressureBar[node], node).toBeGreaterThan(2);
    expect(morning.pressureBar[node], node).toBeGreaterThan(2);
    expect(morning.pressureBar[node], node).toBeLessThan(night.pressureBar[node]);
  }
  for (const pipe of waterPipes) expect(Number.isFinite(morning.flowM3h[pipe])).toBe(true);
  network.close();
});

test('a burst lowers the pressure most where it is, raises the flow towards it, and mends', async () => {
  const network = await WaterNetwork.open();
  const before = network.solve(10);
  network.burst({ node: 'harbour', coefficient: 12 });
  const during = network.solve(10);
  const drop = (node: (typeof waterNodes)[number]) =>
    before.pressureBar[node] - during.pressureBar[node];
  for (const node of waterNodes) expect(drop(node)).toBeGreaterThan(0);
  expect(Math.max(...waterNodes.map(drop))).toBe(drop('harbour'));
  expect(during.flowM3h.branch).toBeGreaterThan(before.flowM3h.branch * 2);
  expect(during.leakM3h).toBeGreaterThan(50);
  network.burst(null);
  expect(network.solve(10).pressureBar.harbour).toBeCloseTo(before.pressureBar.harbour, 3);
  network.close();
});
