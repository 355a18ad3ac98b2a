import { expect, test } from 'vitest';
import { provePlans } from './planner.fuzz.ts';
import type { PlanCost, PlanLimits, Span } from './planner.ts';
import { partition, splitAt } from './planner.ts';

const cost: PlanCost = { requestMs: 10, registerMs: 1 };
const open: PlanLimits = { max: 125, forbidden: [], readAcrossGaps: true };

function groupsOf(spans: readonly Span[], limits: PlanLimits, costs = cost, walls?: Uint8Array) {
  const begins = partition(spans, walls ?? new Uint8Array(spans.length), limits, costs);
  return begins.map((begin, at) => spans.slice(begin, begins[at + 1] ?? spans.length));
}

test('the plan costs what the best of all plans costs, and breaks no rule', () => {
  provePlans(10_000, 20_261_122);
});

test('a gap is bridged up to where a request of its own is cheaper', () => {
  const at = (gap: number) => [
    { start: 0, end: 2 },
    { start: 2 + gap, end: 4 + gap },
  ];
  expect(groupsOf(at(9), open)).toHaveLength(1);
  expect(groupsOf(at(11), open)).toHaveLength(2);
  const farAway = { requestMs: 100, registerMs: 1 };
  expect(groupsOf(at(99), open, farAway)).toHaveLength(1);
});

test('a value is never torn, even beyond the limit of the device', () => {
  const spans = [
    { start: 0, end: 20 },
    { start: 20, end: 22 },
  ];
  expect(groupsOf(spans, { ...open, max: 10 })).toEqual([[spans[0]], [spans[1]]]);
});

test('walls and forbidden registers keep apart what is side by side', () => {
  const spans = Array.from({ length: 6 }, (_, start) => ({ start, end: start + 1 }));
  const walls = Uint8Array.of(0, 0, 1, 0, 0, 0);
  expect(groupsOf(spans, open, cost, walls).map((group) => group.length)).toEqual([2, 4]);
  const gap = [
    { start: 0, end: 1 },
    { start: 2, end: 3 },
  ];
  const forbidden = [{ from: 1, to: 1 }];
  expect(groupsOf(gap, { ...open, forbidden })).toHaveLength(2);
  expect(groupsOf(gap, { ...open, readAcrossGaps: false })).toHaveLength(2);
});

test('10,000 points are cut in a moment', () => {
  const spans = Array.from({ length: 10_000 }, (_, at) => ({ start: at * 3, end: at * 3 + 2 }));
  const groups = groupsOf(spans, open);
  expect(groups.flat()).toHaveLength(10_000);
  expect(groups.length).toBe(Math.ceil(10_000 / 42)); // 42 points and 41 gaps are 125 registers.
});

test('a refused run is cut at its widest gap, else in the middle', () => {
  const dense = Array.from({ length: 8 }, (_, start) => ({ start, end: start + 1 }));
  expect(splitAt(dense, 0, 8)).toBe(4);
  expect(splitAt(dense, 2, 4)).toBe(3);
  const holed = [0, 1, 5, 6, 7, 8].map((start) => ({ start, end: start + 1 }));
  expect(splitAt(holed, 0, 6)).toBe(2);
});
