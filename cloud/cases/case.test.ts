import { expect, test } from 'vitest';
import { alarmLevels } from '../../core/alarm/rule.ts';
import type { CaseActKind, CaseRefusal, CaseState } from './case.ts';
import {
  caseActs,
  caseStates,
  defaultLimits,
  ESCALATIONS_MAX,
  escalateAtMs,
  moveOf,
  openStates,
} from './case.ts';

type Cell = CaseState | '-' | `!${CaseRefusal}`;

const ends = {
  'false-alarm': 'false-alarm',
  test: 'test',
  drill: 'drill',
  merge: 'merged',
} as const;
const held = { assign: '-', note: '-', return: 'new', escalate: '-' } as const;
const over = {
  acknowledge: '!ended',
  verify: '!ended',
  dispatch: '!ended',
  arrive: '!ended',
  contain: '!ended',
  close: '!ended',
  'false-alarm': '!ended',
  test: '!ended',
  drill: '!ended',
  merge: '!ended',
  assign: '!ended',
  note: '-',
  escalate: '!ended',
} as const;

// No Partial: a new state or act does not compile until every cell is decided. `-` stays.
const table: Record<CaseState, Record<CaseActKind, Cell>> = {
  new: {
    acknowledge: 'acknowledged',
    verify: '!unacknowledged',
    dispatch: '!unacknowledged',
    arrive: '!unacknowledged',
    contain: '!unacknowledged',
    close: '!unacknowledged',
    ...ends,
    ...held,
    return: '-',
  },
  acknowledged: {
    acknowledge: '!already',
    verify: 'verifying',
    dispatch: 'dispatched',
    arrive: '!no-crew',
    contain: 'contained',
    close: 'closed',
    ...ends,
    ...held,
  },
  verifying: {
    acknowledge: '!already',
    verify: '!already',
    dispatch: 'dispatched',
    arrive: '!no-crew',
    contain: 'contained',
    close: 'closed',
    ...ends,
    ...held,
  },
  dispatched: {
    acknowledge: '!already',
    verify: '!already',
    dispatch: '-',
    arrive: 'on-site',
    contain: 'contained',
    close: '!crew-out',
    ...ends,
    ...held,
  },
  'on-site': {
    acknowledge: '!already',
    verify: '!already',
    dispatch: '-',
    arrive: '!already',
    contain: 'contained',
    close: '!crew-out',
    ...ends,
    ...held,
  },
  contained: {
    acknowledge: '!already',
    verify: '!already',
    dispatch: 'dispatched',
    arrive: '!already',
    contain: '!already',
    close: 'closed',
    ...ends,
    ...held,
  },
  closed: { ...over, return: 'new' },
  'false-alarm': { ...over, return: 'new' },
  test: { ...over, return: '!apart' },
  drill: { ...over, return: '!apart' },
  merged: { ...over, return: '!apart' },
};

const cells = caseStates.flatMap((state) => caseActs.map((act) => [state, act] as const));

test.each(cells)('%s, %s: as decided', (state, act) => {
  const move = moveOf(state, act);
  const cell = move.kind === 'to' ? move.state : move.kind === 'stays' ? '-' : `!${move.why}`;
  expect(cell).toBe(table[state][act]);
});

test('a higher level never has more time than one below it', () => {
  for (const state of openStates) {
    const times = alarmLevels.map((level) => defaultLimits[level][state]);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  }
});

test('an overdue step is escalated when it is due and once a limit after it, then no more', () => {
  const step = { enteredMs: 0, dueMs: 300_000 };
  const times = [0, 1, 2, 3].map((escalation) => escalateAtMs(step, escalation));
  expect(times).toEqual([300_000, 600_000, 900_000, null]);
  expect(times).toHaveLength(ESCALATIONS_MAX + 1);
  expect(escalateAtMs({ enteredMs: 0, dueMs: 10_000 }, 1)).toBe(70_000);
});
