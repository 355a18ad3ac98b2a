import { expect, test } from 'vitest';
import { GasCellars } from './gas-cellar.ts';

const options = { spaces: 4, vent: 0.005, soil: 0.01 };

test('a leak fills its own space first, the next later and less, and the street clears it', () => {
  const cellars = new GasCellars(options);
  cellars.advance(60);
  expect(cellars.concentrations).toEqual([0, 0, 0, 0]);
  cellars.leak({ space: 1, lelPerSecond: 2 });
  cellars.advance(30);
  const [first, second, third, fourth] = cellars.concentrations;
  expect(second).toBeGreaterThan(25);
  expect(second).toBeGreaterThan(first!);
  expect(first).toBeGreaterThan(0);
  expect(third).toBeGreaterThan(fourth!);
  cellars.leak(null);
  cellars.advance(3_600);
  for (const lel of cellars.concentrations) expect(lel).toBeLessThan(0.1);
});

test('how time is cut into steps changes little', () => {
  const [fine, coarse] = [new GasCellars(options), new GasCellars(options)];
  for (const cellars of [fine, coarse]) cellars.leak({ space: 0, lelPerSecond: 1 });
  for (let second = 0; second < 60; second++) fine.advance(1);
  coarse.advance(60);
  for (const [space, lel] of fine.concentrations.entries()) {
    expect(coarse.concentrations[space]).toBeCloseTo(lel, 1);
  }
});
