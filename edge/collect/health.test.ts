import { expect, test } from 'vitest';
import type { Health, HealthEvent } from './health.ts';
import {
  FAILURES_MAX,
  healthStep,
  healthy,
  PROOF,
  proofNeeded,
  RELAPSE_FORGET_MS,
  RELAPSES_MAX,
  STRIKE_FADES,
  STRIKES_MAX,
} from './health.ts';

type Of<Kind extends Health['kind']> = Extract<Health, { kind: Kind }>;

const up: Of<'up'> = { kind: 'up', failures: 0, strikes: 0, relapses: 0, sinceMonoMs: 9000 };
const behind: Of<'behind'> = {
  ...{ kind: 'behind', why: 'proving', good: 0, failures: FAILURES_MAX - 1, attempt: 2 },
  relapses: 1,
};
const degraded = (attempt: number, probeAtMonoMs: number, relapses = 1): Health => ({
  ...{ kind: 'degraded', attempt, probeAtMonoMs, relapses },
});

const states = {
  up,
  failing: { ...up, failures: FAILURES_MAX - 1 },
  struck: { ...up, strikes: STRIKES_MAX - 1 },
  trusted: { ...up, relapses: 1 },
  proving: behind,
  proved: { ...behind, good: proofNeeded(1) - 1 },
  over: { ...behind, why: 'over', failures: 0, attempt: 0 },
  degraded: degraded(2, 5000),
  probing: { kind: 'probing', attempt: 2, relapses: 1 },
} as const satisfies Record<string, Health>;

const delayMs = (attempt: number) => attempt * 1000;
const events = {
  answered: { kind: 'answered', monoMs: 10_000, isOver: false },
  slow: { kind: 'answered', monoMs: 10_000, isOver: true },
  failed: { kind: 'failed', monoMs: 10_000, isOver: true, delayMs },
  due: { kind: 'due', monoMs: 5000 },
  early: { kind: 'due', monoMs: 4999 },
  reopened: { kind: 'reopened', monoMs: 10_000 },
} as const satisfies Record<string, HealthEvent>;

const over = { ...behind, why: 'over', failures: 0, attempt: 0 } as const;
const again: Health = { ...up, relapses: 2, sinceMonoMs: 10_000 };
const struck = STRIKES_MAX - 1;

const table: Record<keyof typeof states, Record<keyof typeof events, Health>> = {
  up: {
    answered: up,
    slow: { ...up, strikes: 1 },
    failed: { ...up, failures: 1, strikes: 1 },
    ...{ due: up, early: up, reopened: up },
  },
  failing: {
    answered: up,
    slow: { ...up, strikes: 1 },
    failed: degraded(1, 11_000, 0),
    ...{ due: states.failing, early: states.failing, reopened: up },
  },
  struck: {
    answered: { ...up, strikes: struck - STRIKE_FADES },
    slow: { ...over, relapses: 0 },
    failed: { ...over, relapses: 0 },
    ...{ due: states.struck, early: states.struck, reopened: states.struck },
  },
  trusted: {
    answered: states.trusted,
    slow: over,
    failed: { ...behind, failures: 1, attempt: 0 },
    ...{ due: states.trusted, early: states.trusted, reopened: states.trusted },
  },
  proving: {
    answered: { ...behind, good: 1, failures: 0 },
    slow: { ...behind, why: 'over', failures: 0 },
    failed: degraded(3, 13_000),
    ...{ due: behind, early: behind, reopened: behind },
  },
  proved: {
    answered: again,
    slow: { ...behind, why: 'over', failures: 0 },
    failed: degraded(3, 13_000),
    ...{ due: states.proved, early: states.proved, reopened: states.proved },
  },
  over: {
    answered: { ...states.over, good: 1 },
    slow: states.over,
    failed: { ...states.over, failures: 1 },
    ...{ due: states.over, early: states.over, reopened: states.over },
  },
  degraded: {
    answered: behind,
    slow: behind,
    failed: states.degraded,
    ...{ due: states.probing, early: states.degraded, reopened: degraded(2, 10_000) },
  },
  probing: {
    answered: behind,
    slow: behind,
    failed: degraded(3, 13_000),
    ...{ due: states.probing, early: states.probing, reopened: degraded(2, 10_000) },
  },
};

test('every state knows what every event means', () => {
  for (const [from, row] of Object.entries(table)) {
    for (const [event, to] of Object.entries(row)) {
      const state: Health = states[from as keyof typeof states];
      const next = healthStep(state, events[event as keyof typeof events]);
      expect(next, `${from} on ${event}`).toEqual(to);
    }
  }
});

test('a device that comes and goes must prove itself longer each time, and one that stays is forgiven', () => {
  let state: Health = healthy;
  const needed: number[] = [];
  let monoMs = 0;
  const answered = () => {
    monoMs += 1000;
    state = healthStep(state, { kind: 'answered', monoMs, isOver: false });
  };
  for (let outage = 0; outage < 6; outage++) {
    for (let failure = 0; failure < FAILURES_MAX; failure++) {
      state = healthStep(state, { kind: 'failed', monoMs, isOver: false, delayMs });
    }
    monoMs += 2000;
    state = healthStep(state, { kind: 'due', monoMs });
    answered();
    let polls = 0;
    for (; state.kind !== 'up'; polls++) answered();
    needed.push(polls);
  }
  expect(needed).toEqual([1, 2, 4, 8, 16, 16].map((times) => times * PROOF));
  expect(needed.at(-1)).toBe(proofNeeded(RELAPSES_MAX));
  monoMs += RELAPSE_FORGET_MS;
  answered();
  expect(state).toMatchObject({ kind: 'up', relapses: 0 });
});

test('one failure in twelve polls is never a strike too many, every other one soon is', () => {
  const after = (polls: number, isFailure: (at: number) => boolean) => {
    let state: Health = healthy;
    for (let at = 0; at < polls && state.kind === 'up'; at++) {
      const common = { monoMs: at * 1000, isOver: isFailure(at) };
      const event: HealthEvent = isFailure(at)
        ? { kind: 'failed', ...common, delayMs }
        : { kind: 'answered', ...common };
      state = healthStep(state, event);
    }
    return state;
  };
  expect(after(10_000, (at) => at % 12 === 0).kind).toBe('up');
  expect(after(8, (at) => at % 2 === 0)).toMatchObject({ kind: 'behind', why: 'over' });
});
