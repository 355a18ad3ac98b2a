import { expect, test } from 'vitest';
import type { PointDefinition } from '../core/point.ts';
import { endsDelay, expectEnds, groupFrom } from './attention.ts';

const rule = { id: 'low', kind: 'limit', level: 2, side: 'low', limit: 1, deadband: 0 } as const;
const texts = { title: { en: 'low', zh: '低' }, action: null };
const definition = {
  class: 'compliance',
  periodMs: 1_000,
  rules: [{ ...rule, ...texts, onDelayMs: 3_000, offDelayMs: 60_000 }],
} as unknown as PointDefinition;

test('the poll a delay after the verdict changed is told at once, with the one behind it', () => {
  const group = groupFrom([definition]);
  expectEnds(group, 10_000);
  const told = [10_010, 11_010, 12_010, 13_004, 13_990, 15_010, 69_900, 70_001, 71_500];
  expect(told.filter((atMs) => endsDelay(group, atMs))).toEqual([13_004, 13_990, 70_001, 71_500]);
});

test('a verdict that changes again and again is remembered within bounds', () => {
  const group = groupFrom([definition]);
  for (let at = 0; at < 1_000; at++) expectEnds(group, at);
  expect(group.endsMonoMs.length).toBeLessThanOrEqual(64);
});
