import { expect, test } from 'vitest';
import type { Health, HealthEvent } from './health.ts';
import { FAILURES_MAX, healthStep, healthy } from './health.ts';

const states: Record<Health['kind'] | 'failing', Health> = {
  up: healthy,
  failing: { kind: 'up', failures: FAILURES_MAX - 1 },
  degraded: { kind: 'degraded', attempt: 2, probeAtMonoMs: 5000 },
  probing: { kind: 'probing', attempt: 2 },
};

const delayMs = (attempt: number) => attempt * 1000;
const events: Record<HealthEvent['kind'] | 'due-early', HealthEvent> = {
  answered: { kind: 'answered' },
  failed: { kind: 'failed', monoMs: 10_000, delayMs },
  due: { kind: 'due', monoMs: 5000 },
  'due-early': { kind: 'due', monoMs: 4999 },
  reopened: { kind: 'reopened', monoMs: 10_000 },
};

const degraded = (attempt: number, probeAtMonoMs: number): Health => ({
  kind: 'degraded',
  attempt,
  probeAtMonoMs,
});

const table: Record<keyof typeof states, Record<keyof typeof events, Health>> = {
  up: {
    answered: healthy,
    failed: { kind: 'up', failures: 1 },
    due: healthy,
    'due-early': healthy,
    reopened: healthy,
  },
  failing: {
    answered: healthy,
    failed: degraded(1, 11_000),
    due: states.failing,
    'due-early': states.failing,
    reopened: healthy,
  },
  degraded: {
    answered: healthy,
    failed: states.degraded,
    due: states.probing,
    'due-early': states.degraded,
    reopened: degraded(2, 10_000),
  },
  probing: {
    answered: healthy,
    failed: degraded(3, 13_000),
    due: states.probing,
    'due-early': states.probing,
    reopened: degraded(2, 10_000),
  },
};

test('every state knows what every event means', () => {
  for (const [from, row] of Object.entries(table)) {
    for (const [event, to] of Object.entries(row)) {
      const state = states[from as keyof typeof states];
      const next = healthStep(state, events[event as keyof typeof events]);
      expect(next, `${from} on ${event}`).toEqual(to);
    }
  }
});
