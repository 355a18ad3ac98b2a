import { afterEach, expect, test } from 'vitest';
import {
  acknowledge,
  closeAll,
  li,
  log,
  MIN,
  type Opened,
  open,
  outcome,
  queued,
  T0,
  tickAt,
  zhang,
} from '../../tests/opened-cases.ts';
import type { CaseAct } from './cases.ts';
import { CASE_JOINS_MAX } from './cases.ts';

afterEach(closeAll);

const stays = ({ cases }: Opened, id: string) =>
  cases.get(id)!.steps.map(({ state, dueMs, leftBy }) => `${state} ${dueMs - T0} ${leftBy}`);

test('an alarm that returns to a case somebody has is to be acknowledged within its own time', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  const act = (what: CaseAct, ms: number) => it.cases.act('2026-0001', what, li, T0 + ms);
  act(acknowledge, 10_000);
  act({ kind: 'dispatch', crew: 'crew 3', note: '' }, 20_000);
  act({ kind: 'false-alarm', reason: 'sensor wet' }, 30_000); // Asks for a second person.
  it.plant.set(1, 5, T0 + 40_000);
  it.plant.set(1, 12, T0 + 60_000);
  expect(it.cases.view('2026-0001', T0 + 60_000)).toMatchObject({
    case: { state: 'new', owner: 'li', escalation: 0, resumes: 'dispatched' },
    approval: null,
  });
  expect(outcome(() => act({ kind: 'arrive', note: '' }, 61_000))).toMatch(/^case_refused: nobody/);
  for (let at = 2; at < 9; at++) tickAt(it, T0 + at * MIN);
  expect(queued(it).filter((line) => line.startsWith('escalated'))).toEqual(
    [1, 2, 3].map((count) => `escalated 2026-0001 ${count}`),
  );
  act(acknowledge, 9 * MIN);
  expect(it.alarms.list({ state: 'all' }).map(({ state }) => state)).not.toContain('B');
  // The crew has what it had left: it was sent at 20 s and the case came back at 60 s.
  expect(stays(it, '2026-0001')).toEqual([
    'new 60000 li',
    'acknowledged 310000 li',
    `dispatched ${20_000 + 30 * MIN} lifeline`,
    'new 120000 li',
    `dispatched ${9 * MIN + 30 * MIN - 40_000} null`,
  ]);
  expect(log(it, '2026-0001').slice(4)).toEqual([
    'returned lifeline',
    ...Array(3).fill('escalate lifeline'),
    'acknowledge li',
  ]);
  expect(outcome(() => act(acknowledge, 10 * MIN))).toMatch(/^case_already: li was first, at/);
  act({ kind: 'arrive', note: '' }, 10 * MIN);
});

test('an alarm that joins a case told to everybody already is told from the first again', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  for (let at = 1; at < 9; at++) tickAt(it, T0 + at * MIN);
  it.plant.set(1, 5, T0 + 9 * MIN);
  it.plant.set(1, 12, T0 + 10 * MIN);
  expect(stays(it, '2026-0001')).toEqual(['new 60000 lifeline', `new ${11 * MIN} null`]);
  for (let at = 11; at < 19; at++) tickAt(it, T0 + at * MIN);
  const steps = it.alarms.tables.outgoing(1_000).flatMap(({ escalation }) => escalation ?? []);
  expect(steps.map(({ step, count }) => [step, count])).toEqual([
    ...[1, 2, 3].map((count) => [count, count]),
    ...[1, 2, 3].map((count) => [count, count + 3]),
  ]);
});

test('an alarm that joins while the case is told further joins its time, and puts nothing off', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  tickAt(it, T0 + MIN);
  for (let second = 61; second < 300; second += 10) {
    it.plant.set(1, 5, T0 + second * 1_000);
    it.plant.set(1, 12, T0 + (second + 5) * 1_000);
    tickAt(it, T0 + (second + 5) * 1_000);
    if (it.cases.get('2026-0001')!.escalation === 3) break;
  }
  expect(it.cases.get('2026-0001')?.steps).toHaveLength(1);
  expect(it.cases.get('2026-0001')).toMatchObject({ escalation: 3 });
  expect(new Set(log(it, '2026-0001'))).toEqual(
    new Set(['opened lifeline', 'joined lifeline', 'escalate lifeline']),
  );
});

test('a case with two alarms is acknowledged with the last of them, or both with the case', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  it.plant.set(2, 12, T0);
  const merge: CaseAct = { kind: 'merge', into: '2026-0002', note: '' };
  it.cases.act('2026-0001', merge, li, T0 + 1_000);
  const [second, first] = it.alarms.list();
  it.alarms.acknowledge(second!.occurrence, li, '', T0 + 2_000);
  expect(it.cases.get('2026-0002')?.state).toBe('new');
  it.alarms.acknowledge(first!.occurrence, zhang, '', T0 + 3_000);
  expect(it.cases.get('2026-0002')).toMatchObject({ state: 'acknowledged', owner: 'zhang' });
});

test('what nobody has acknowledged and is merged into a case somebody has makes it new again', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  it.plant.set(2, 12, T0);
  it.cases.act('2026-0002', acknowledge, li, T0 + 1_000);
  it.cases.act('2026-0001', { kind: 'merge', into: '2026-0002', note: '' }, li, T0 + 2_000);
  expect(it.cases.get('2026-0002')).toMatchObject({ state: 'new', level: 1, owner: 'li' });
  tickAt(it, T0 + 62_000);
  expect(queued(it).at(-1)).toBe('escalated 2026-0002 1');
});

test('an alarm that comes and goes for weeks fills neither the stays nor the log of its case', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  const found = it.cases.get('2026-0001')!;
  const [present] = found.steps;
  const past = { ...present!, leftMs: T0, leftBy: 'lifeline' };
  const steps = [...Array(499).fill(past), { ...present!, escalation: 3 }];
  const joined = {
    atMs: T0,
    by: 'lifeline',
    from: '',
    text: '',
    detail: {},
    kind: 'joined',
  } as const;
  it.alarms.together(() => {
    it.cases.tables.update({ ...found, escalation: 3, escalations: 3, steps });
    for (let at = 0; at < CASE_JOINS_MAX; at++) it.cases.tables.write(found.number, joined);
  });
  const again = (ms: number) => {
    it.plant.set(1, 5, T0 + ms - 1_000);
    it.plant.set(1, 12, T0 + ms);
  };
  again(10 * MIN);
  expect(it.cases.get('2026-0001')).toMatchObject({ state: 'new', escalation: 0 });
  expect(it.cases.get('2026-0001')!.steps).toHaveLength(500);
  expect(it.cases.get('2026-0001')!.steps.at(-1)!.dueMs).toBe(T0 + 11 * MIN);
  again(10 * MIN + 10_000);
  expect(it.cases.tables.countEntries(found.number, 'joined')).toBe(CASE_JOINS_MAX);
  expect(it.cases.list({}, T0 + 11 * MIN)).toMatchObject([{ alarms: 3, active: 1 }]);
  const kinds = it.alarms.journal(0, 100, '2026-0001').map(({ kind }) => kind);
  expect(kinds).toEqual(['case-opened', 'case-returned', 'case-joined']);
});

test('what was contained and is raised again begins from the front once it is acknowledged', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  const act = (what: CaseAct, ms: number) => it.cases.act('2026-0001', what, li, T0 + ms);
  act(acknowledge, 10_000);
  act({ kind: 'contain', note: '' }, 20_000);
  it.plant.set(1, 5, T0 + 30_000);
  it.plant.set(1, 12, T0 + 40_000);
  act(acknowledge, 50_000);
  expect(it.cases.get('2026-0001')).toMatchObject({ state: 'acknowledged', resumes: null });
});
