// That a plan costs what the best of all plans costs, tried on random maps: a property of the suite,
// and a fuzz target with the same claim.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { FuzzTarget } from '../../tests/fuzz/target.ts';
import type { PlanCost, PlanLimits, Span } from './planner.ts';
import { inPlanOrder, partition } from './planner.ts';

function hull(group: readonly Span[]): Span {
  return {
    start: Math.min(...group.map(({ start }) => start)),
    end: Math.max(...group.map(({ end }) => end)),
  };
}

/** The rules in their plainest form: null when the group may not be one request. */
function costOf(group: readonly Span[], limits: PlanLimits, costs: PlanCost): number | null {
  const { start, end } = hull(group);
  if (group.length > 1) {
    if (end - start > limits.max) return null;
    for (const { from, to } of limits.forbidden) if (from < end && to >= start) return null;
    if (!limits.readAcrossGaps) {
      for (let at = start; at < end; at++) {
        if (!group.some((span) => span.start <= at && at < span.end)) return null;
      }
    }
  }
  return costs.requestMs + (end - start) * costs.registerMs;
}

/** The least cost over every way to put the spans into groups, neighbours or not. */
function bruteForce(spans: readonly Span[], limits: PlanLimits, costs: PlanCost): number {
  let best = Number.POSITIVE_INFINITY;
  const place = (at: number, groups: Span[][]): void => {
    if (at === spans.length) {
      const parts = groups.map((group) => costOf(group, limits, costs));
      if (parts.includes(null)) return;
      best = Math.min(
        best,
        parts.reduce<number>((sum, part) => sum + (part ?? 0), 0),
      );
      return;
    }
    for (const group of groups) {
      group.push(spans[at]!);
      place(at + 1, groups);
      group.pop();
    }
    place(at + 1, [...groups, [spans[at]!]]);
  };
  place(0, []);
  return best;
}

const maps = fc.record({
  spans: fc.array(
    fc
      .record({ start: fc.nat(40), width: fc.integer({ min: 1, max: 12 }) })
      .map(({ start, width }): Span => ({ start, end: start + width })),
    { minLength: 1, maxLength: 7 },
  ),
  limits: fc.record({
    max: fc.integer({ min: 4, max: 40 }),
    forbidden: fc.array(
      fc.record({ from: fc.nat(50), length: fc.nat(3) }).map(({ from, length }) => ({
        from,
        to: from + length,
      })),
      { maxLength: 2 },
    ),
    readAcrossGaps: fc.boolean(),
  }),
  cost: fc.record({ requestMs: fc.integer({ min: 0, max: 30 }), registerMs: fc.nat(4) }),
});

interface DeviceMap {
  readonly spans: readonly Span[];
  readonly limits: PlanLimits;
  readonly cost: PlanCost;
}

function provePlan({ spans, limits, cost }: DeviceMap): void {
  const sorted = [...spans].sort(inPlanOrder(limits));
  const begins = partition(sorted, new Uint8Array(sorted.length), limits, cost);
  assert.equal(begins[0], 0);
  const parts = begins.map((begin, at) => {
    const group = sorted.slice(begin, begins[at + 1] ?? sorted.length);
    return costOf(group, limits, cost);
  });
  assert(!parts.includes(null), 'a request breaks a rule');
  const total = parts.reduce<number>((sum, part) => sum + (part ?? 0), 0);
  assert.equal(total, bruteForce(sorted, limits, cost));
}

/** Throws with the smallest map for which it is not so. */
export function provePlans(numRuns: number, seed: number): void {
  fc.assert(fc.property(maps, provePlan), { numRuns, seed });
}

export const planner: FuzzTarget = {
  name: 'modbus-planner',
  about: 'device maps: no plan costs less, and none breaks a rule',
  runs: 100_000,
  swallow: (draw) => {
    const list = <Each>(min: number, max: number, each: () => Each) =>
      Array.from({ length: draw.integer(min, max) }, each);
    provePlan({
      spans: list(1, 7, () => {
        const start = draw.integer(0, 40);
        return { start, end: start + draw.integer(1, 12) };
      }),
      limits: {
        max: draw.integer(4, 40),
        forbidden: list(0, 2, () => {
          const from = draw.integer(0, 50);
          return { from, to: from + draw.integer(0, 3) };
        }),
        readAcrossGaps: draw.oneIn(2),
      },
      cost: { requestMs: draw.integer(0, 30), registerMs: draw.integer(0, 4) },
    });
  },
};
