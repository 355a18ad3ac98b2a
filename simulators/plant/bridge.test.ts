import { expect, test } from 'vitest';
import { Bridge } from './bridge.ts';

const options = { spanM: 40, stiffness: 2e10, frequencyHz: 2.5, damping: 0.03 };

test('a lorry turns the nearer bearing more, both alike at midspan, and leaves nothing behind', () => {
  const bridge = new Bridge(options);
  bridge.enter({ enteredS: 10, massT: 40, speedMs: 10 });
  expect(bridge.at(9).tiltDeg).toEqual([0, 0]);
  const [nearLeft, nearRight] = bridge.at(11).tiltDeg;
  expect(nearLeft).toBeGreaterThan(nearRight);
  const [left, right] = bridge.at(12).tiltDeg;
  expect(left).toBeCloseTo(right, 9);
  expect(bridge.at(12).loadT).toBe(40);
  expect(bridge.at(300).tiltDeg[0]).toBe(0);
  expect(Math.abs(bridge.at(300).accelerationG)).toBeLessThan(1e-6);
});

test('a bearing that settles stays turned', () => {
  const bridge = new Bridge(options);
  bridge.settle(0.25);
  expect(bridge.at(1).tiltDeg).toEqual([0.25, 0]);
});
