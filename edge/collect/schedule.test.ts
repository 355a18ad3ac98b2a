import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Slot } from './schedule.ts';
import { FIRST_WITHIN_MS, phases, Schedule } from './schedule.ts';

const slotsArbitrary = fc.array(
  fc.record({
    link: fc.constantFrom('a', 'b', 'c'),
    periodMs: fc.constantFrom(100, 1000, 1500, 5000, 30_000),
    rank: fc.constantFrom(0, 1),
    costMs: fc.constantFrom(0, 0, 20, 90),
  }),
  { minLength: 1, maxLength: 60 },
);

test('the polls of a link never bunch: any window of a period carries its share and at most one more', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 10 }),
      (count, parts) => {
        const slots: Slot[] = Array.from({ length: count }, () => ({
          link: 'bus',
          periodMs: 1000,
          rank: 1,
          costMs: 0,
        }));
        const windowMs = 1000 / parts;
        const at = phases(slots);
        for (let part = 0; part < parts; part++) {
          const inside = at.filter((ms) => ms >= part * windowMs && ms < (part + 1) * windowMs);
          expect(inside.length).toBeLessThanOrEqual(Math.ceil(count / parts) + 1);
        }
      },
    ),
  );
});

test('devices each on a link of their own are spread over the period as well', () => {
  const slots: Slot[] = Array.from({ length: 100 }, (_, at) => ({
    link: `link-${at}`,
    periodMs: 1000,
    rank: 1,
    costMs: 0,
  }));
  const tenths = new Array<number>(10).fill(0);
  for (const ms of phases(slots)) tenths[Math.floor(ms / 100)]!++;
  expect(Math.max(...tenths)).toBeLessThanOrEqual(13);
  expect(Math.min(...tenths)).toBeGreaterThanOrEqual(7);
});

test('however seldom somebody looks, no due time is forgotten and none is handed out twice', () => {
  fc.assert(
    fc.property(
      slotsArbitrary,
      fc.array(fc.integer({ min: 1, max: 7000 }), { minLength: 1, maxLength: 50 }),
      (slots, stepsMs) => {
        const startMs = 12_345.5;
        const schedule = new Schedule(startMs, slots);
        const phase = phases(slots);
        const counted = slots.map(() => 0);
        let now = startMs;
        for (const stepMs of stepsMs) {
          now += stepMs;
          for (let turn = schedule.take(now); turn; turn = schedule.take(now)) {
            expect(turn.dueMonoMs).toBeLessThanOrEqual(now);
            counted[turn.slot]! += 1 + turn.passed;
          }
          expect(schedule.nextMonoMs).toBeGreaterThan(now);
        }
        slots.forEach(({ periodMs }, slot) => {
          const elapsedMs = now - startMs - phase[slot]!;
          const due = elapsedMs < 0 ? 0 : Math.floor(elapsedMs / periodMs + 1e-9) + 1;
          const share = FIRST_WITHIN_MS / periodMs;
          const isAhead = share < 1 && phase[slot]! > 0 && now - startMs >= phase[slot]! * share;
          expect(counted[slot]).toBe(due + (isAhead ? 1 : 0));
        });
      },
    ),
  );
});

test('a group read once an hour is read soon after the start, and then at its rate', () => {
  const hour = { link: 'a', periodMs: 3_600_000, rank: 1, costMs: 0 };
  const schedule = new Schedule(0, [hour, hour]);
  const [, phaseMs] = phases([hour, hour]);
  expect(schedule.take(0)).toMatchObject({ slot: 0, dueMonoMs: 0, passed: 0 });
  expect(schedule.nextMonoMs).toBeLessThan(FIRST_WITHIN_MS);
  expect(schedule.take(FIRST_WITHIN_MS)).toMatchObject({ slot: 1, passed: 0 });
  expect(schedule.take(phaseMs!)).toEqual({
    ...{ slot: 1, dueMonoMs: phaseMs, passed: 0, nextMonoMs: phaseMs! + 3_600_000 },
  });
});

test('of two groups due together the one with life-safety points goes first', () => {
  const slots: Slot[] = [
    { link: 'a', periodMs: 1000, rank: 1, costMs: 0 },
    { link: 'a', periodMs: 2000, rank: 0, costMs: 0 },
  ];
  const schedule = new Schedule(0, slots);
  expect([schedule.take(0)?.slot, schedule.take(0)?.slot, schedule.take(0)]).toEqual([1, 0, null]);
});

test('polls of a line never meet where their periods are multiples and 60 % of it are taken', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.1, max: 0.6, noNaN: true }),
      fc.array(fc.record({ costMs: fc.double({ min: 10, max: 60, noNaN: true }) }), {
        minLength: 1,
        maxLength: 30,
      }),
      (load, costs) => {
        const totalMs = costs.reduce((sum, { costMs }) => sum + costMs, 0);
        const periodMs = Math.ceil(totalMs / load);
        const slots = costs.map(({ costMs }) => ({ link: 'bus', periodMs, rank: 1, costMs }));
        const inOrder = phases(slots)
          .map((atMs, slot) => ({ atMs, endMs: atMs + slots[slot]!.costMs }))
          .sort((a, b) => a.atMs - b.atMs);
        for (let at = 1; at < inOrder.length; at++) {
          expect(inOrder[at]!.atMs).toBeGreaterThanOrEqual(inOrder[at - 1]!.endMs);
        }
        expect(inOrder.at(-1)!.endMs).toBeLessThanOrEqual(inOrder[0]!.atMs + periodMs);
      },
    ),
  );
});

test('a slow class stands in the gaps of a fast one for ever', () => {
  const slot = (periodMs: number, costMs: number) => ({ link: 'bus', periodMs, rank: 1, costMs });
  const slots = [
    ...[1000, 1000, 1000].map((periodMs) => slot(periodMs, 90)),
    ...[2000, 5000, 10_000, 10_000].map((periodMs) => slot(periodMs, 150)),
  ];
  const phase = phases(slots);
  const busy = slots.flatMap(({ periodMs, costMs }, at) => {
    const polls = Array.from({ length: 60_000 / periodMs }, (_, k) => phase[at]! + k * periodMs);
    return polls.map((atMs) => ({ atMs, endMs: atMs + costMs }));
  });
  busy.sort((a, b) => a.atMs - b.atMs);
  for (let at = 1; at < busy.length; at++) {
    expect(busy[at]!.atMs).toBeGreaterThanOrEqual(busy[at - 1]!.endMs);
  }
});
