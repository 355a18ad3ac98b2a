import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import {
  acknowledge,
  closeAll,
  li,
  log,
  MIN,
  open,
  outcome,
  queued,
  T0,
  tickAt,
  zhang,
} from '../../tests/opened-cases.ts';
import { entry, high, newInbox, record, WALL } from '../alarms/made-records.ts';
import { checkRevision } from '../api/route.ts';
import { openStates, RETURN_WITHIN_MS } from './case.ts';
import type { CaseAct } from './cases.ts';
import { CASE_FILES_MAX, CASE_NOTES_MAX } from './cases.ts';

afterEach(closeAll);

const codeOf = (work: () => unknown) => outcome(work).split(':')[0];
const close: CaseAct = { kind: 'close', reason: 'valve shut, leak repaired' };
const note = (text: string): CaseAct => ({ kind: 'note', note: text });

test('a raised alarm opens one case, numbered by its year, that is its level’s time from due', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  it.plant.set(2, 12, T0 + 1_000);
  const views = it.cases.list({}, T0 + 2_000);
  expect(views.map(({ case: { id, level, state } }) => [id, level, state])).toEqual([
    ['2026-0002', 3, 'new'],
    ['2026-0001', 1, 'new'],
  ]);
  expect(views[1]).toMatchObject({
    case: { owner: null, department: 'gas company', asset: 'gas/well-1', openedMs: T0 },
    alarms: 1,
    active: 1,
    isOverdue: false,
  });
  expect(views[1]!.case.steps[0]?.dueMs).toBe(T0 + 60_000);
  expect(it.cases.list({ level: 1 }, T0)).toHaveLength(1);
});

test('history and alarms of a tested device open no case', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  const [alarm] = it.alarms.list();
  const test = { by: 'wang', reason: 'bump test', untilMs: T0 + MIN };
  const raise = (changes: object) => {
    const own = { ...alarm!, occurrence: JSON.stringify(changes), key: 'gw-1/d/p9', ...changes };
    const event = { kind: 'raised', alarm: own, by: li, atMs: T0 } as const;
    it.cases.take([event], T0);
  };
  raise({ test });
  raise({ isHistorical: true });
  raise({ suppressedBy: 'gateway-silent' });
  expect(it.cases.list({ state: 'all' }, T0)).toHaveLength(1);
  raise({});
  expect(it.cases.list({ state: 'all' }, T0)).toHaveLength(2);
});

test('what comes out of hiding while it is active gets its case then', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  const [alarm] = it.alarms.list();
  const own = { ...alarm!, occurrence: 'other', key: 'gw-1/d/p9' };
  const shelf = { untilMs: T0 + MIN, isOneShot: false, by: 'li', reason: 'works' };
  it.cases.take([{ kind: 'raised', alarm: { ...own, shelf }, by: li, atMs: T0 }], T0);
  expect(it.cases.tables.ofAlarm('other')).toBe(null);
  it.cases.take([{ kind: 'unshelved', alarm: own, by: li, atMs: T0 }], T0 + MIN);
  expect(it.cases.tables.ofAlarm('other')?.openedMs).toBe(T0 + MIN);
});

test('acknowledging the case acknowledges its alarm, and the reverse, with one name', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  it.plant.set(2, 12, T0);
  it.cases.act('2026-0001', acknowledge, li, T0 + 5_000);
  const [second, first] = it.alarms.list();
  expect(first).toMatchObject({ acknowledgedBy: 'li', acknowledgedMs: T0 + 5_000, state: 'C' });
  it.alarms.acknowledge(second!.occurrence, zhang, 'mine', T0 + 6_000);
  expect(it.cases.get('2026-0002')).toMatchObject({ state: 'acknowledged', owner: 'zhang' });
  expect(log(it, '2026-0001')).toEqual(['opened lifeline', 'acknowledge li']);
  expect(log(it, '2026-0002')).toEqual(['opened lifeline', 'acknowledge zhang']);
});

test('the whole way, each step with who and when, and every one in the journal', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  const steps: readonly CaseAct[] = [
    acknowledge,
    { kind: 'verify', note: 'neighbour agrees' },
    { kind: 'dispatch', crew: 'crew 3', note: '' },
    { kind: 'arrive', note: '' },
    { kind: 'contain', note: 'V-221 shut' },
  ];
  for (const [at, act] of steps.entries()) {
    it.cases.act('2026-0001', act, li, T0 + (at + 1) * 1_000);
  }
  it.plant.set(1, 5, T0 + 10_000);
  expect(it.cases.get('2026-0001')?.state).toBe('contained');
  it.cases.act('2026-0001', close, zhang, T0 + 20_000);
  const ended = it.cases.get('2026-0001')!;
  expect(ended).toMatchObject({ state: 'closed', reason: 'valve shut, leak repaired' });
  expect(ended.steps.map(({ state, owner }) => [state, owner])).toEqual(
    openStates.map((state) => [state, 'li']),
  );
  expect(ended.steps.at(-1)).toMatchObject({ leftBy: 'zhang', leftMs: T0 + 20_000 });
  const kinds = it.alarms.journal(0, 100, '2026-0001').map(({ kind, who }) => `${kind} ${who}`);
  expect(kinds).toEqual([
    'case-opened lifeline',
    ...['acknowledge', 'verify', 'dispatch', 'arrive', 'contain'].map((kind) => `case-${kind} li`),
    'case-close zhang',
  ]);
});

test('a return within ten minutes of the end joins the same case; a later one opens another', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  it.plant.set(1, 5, T0 + 1_000);
  it.plant.set(1, 12, T0 + 60 * MIN); // However late, as long as the case is open.
  it.plant.set(1, 5, T0 + 61 * MIN);
  expect(it.cases.list({ state: 'all' }, T0)).toMatchObject([{ alarms: 2, active: 0 }]);
  it.cases.act('2026-0001', acknowledge, li, T0 + 62 * MIN);
  it.cases.act('2026-0001', close, li, T0 + 62 * MIN);
  const within = T0 + 61 * MIN + RETURN_WITHIN_MS;
  it.plant.set(1, 12, within);
  expect(it.cases.list({ state: 'all' }, within)).toMatchObject([
    { case: { id: '2026-0001', state: 'new', owner: null, endedMs: null }, alarms: 3, active: 1 },
  ]);
  it.plant.set(1, 5, within + 1_000);
  it.cases.act('2026-0001', { kind: 'false-alarm', reason: 'sensor wet' }, li, within + 2_000);
  it.plant.set(1, 12, within + 1_001 + RETURN_WITHIN_MS);
  expect(it.cases.list({}, within).map(({ case: { id } }) => id)).toEqual(['2026-0002']);
  expect(it.cases.get('2026-0001')?.state).toBe('false-alarm');
});

test('a real alarm never joins what was declared a test or a drill', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  it.plant.set(1, 5, T0 + 1_000);
  it.cases.act('2026-0001', { kind: 'drill', reason: 'drill of June' }, li, T0 + 2_000);
  it.plant.set(1, 12, T0 + 3_000);
  expect(it.cases.list({}, T0).map(({ case: { id } }) => id)).toEqual(['2026-0002']);
});

test('one excursion over the limits of a ladder is one case, of the highest level it came to', () => {
  const { alarms, cases } = open(undefined, []);
  const ladder = [high({ level: 2 }), { ...high({ level: 1, limit: 20 }), id: 'high-high' }];
  const two = [entry(1, ladder), entry(2, ladder)];
  newInbox();
  alarms.apply([record({ sequence: 1, lane: 'event', manifest: two })], WALL);
  let second = 0;
  const read = (series: number, value: number) => {
    const [sequence, monoMs] = [++second + 1, second * 1_000];
    alarms.apply([record({ sequence, readings: [[series, monoMs, value]] })], WALL + monoMs);
    const views = cases.list({ state: 'all' }, WALL + monoMs);
    return views.map(({ case: { id, level }, alarms: all, active }) => ({
      id,
      level,
      all,
      active,
    }));
  };
  const one = { id: '2026-0001', level: 2 };
  expect(read(1, 12)).toEqual([{ ...one, all: 1, active: 1 }]);
  cases.act('2026-0001', acknowledge, li, WALL + 1_500);
  expect(read(1, 22)).toEqual([{ ...one, level: 1, all: 2, active: 2 }]);
  // The worse one is nobody's: it has the time of its level, and escalates by it.
  expect(cases.get('2026-0001')).toMatchObject({ state: 'new', owner: 'li', escalation: 0 });
  expect(cases.get('2026-0001')!.steps.at(-1)!.dueMs).toBe(WALL + 2_000 + MIN);
  cases.act('2026-0001', acknowledge, li, WALL + 2_500);
  expect(read(1, 12)).toEqual([{ ...one, level: 1, all: 2, active: 1 }]);
  // What is less bad was told before, and calls nobody again.
  expect(cases.get('2026-0001')?.state).toBe('acknowledged');
  expect(read(1, 5)).toEqual([{ ...one, level: 1, all: 2, active: 0 }]);
  // Over both limits at once: the lower is hidden until the worse is over.
  expect(read(2, 22)[0]).toEqual({ id: '2026-0002', level: 1, all: 1, active: 1 });
  expect(read(2, 12)).toMatchObject([{ id: '2026-0002', all: 2, active: 1 }, { all: 2 }]);
});

test('an overdue step is escalated by the clock, told each time under an id of its own, and shows', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  const tick = (ms: number) => tickAt(it, T0 + ms);
  tick(59_999);
  expect(queued(it)).toEqual(['raised']);
  tick(60_000);
  tick(60_500);
  expect(queued(it)).toEqual(['raised', 'escalated 2026-0001 1']);
  expect(it.cases.view('2026-0001', T0 + 60_500)).toMatchObject({
    isOverdue: true,
    case: { escalation: 1, revision: 1 },
  });
  for (let at = 2; at < 10; at++) tick(at * MIN);
  expect(queued(it).slice(1)).toEqual([1, 2, 3].map((count) => `escalated 2026-0001 ${count}`));
  it.cases.act('2026-0001', acknowledge, li, T0 + 10 * MIN);
  expect(it.cases.view('2026-0001', T0 + 10 * MIN)).toMatchObject({
    isOverdue: false,
    case: { escalation: 0, escalations: 3 },
  });
  tick(15 * MIN);
  expect(queued(it).at(-1)).toBe('escalated 2026-0001 4');
  expect(it.cases.list({ overdueAtMs: T0 + 16 * MIN }, T0)).toHaveLength(1);
  expect(log(it, '2026-0001').filter((line) => line.startsWith('escalate'))).toHaveLength(4);
  const told = it.cases.drain(T0 + 16 * MIN).map(({ kind }) => kind);
  expect(told).toEqual(['opened', ...Array(3).fill('escalate'), 'acknowledge', 'escalate']);
});

test('ending a case while its alarm is active takes two people and a reason', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  it.cases.act('2026-0001', acknowledge, li, T0 + 1_000);
  const without: CaseAct = { kind: 'close', reason: ' ' };
  expect(codeOf(() => it.cases.act('2026-0001', without, li, T0))).toBe('case_malformed');
  it.cases.act('2026-0001', { kind: 'false-alarm', reason: 'sensor wet' }, li, T0 + 2_000);
  const asked = it.cases.view('2026-0001', T0 + 2_000);
  expect(asked).toMatchObject({ case: { state: 'acknowledged' }, approval: { by: 'li' } });
  const approve = (who: typeof li) =>
    it.alarms.together(() => it.alarms.approvals.approve(asked.approval!.id, who, T0 + 3_000));
  expect(codeOf(() => approve(li))).toBe('approval_same_person');
  approve(zhang);
  expect(it.cases.view('2026-0001', T0 + 4_000)).toMatchObject({
    case: { state: 'false-alarm', reason: 'sensor wet', changedBy: 'li, zhang' },
    approval: null,
  });
  expect(log(it, '2026-0001').slice(2)).toEqual(['close-asked li', 'false-alarm zhang']);
});

test('what was asked for a case lapses when it ends otherwise', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  it.cases.act('2026-0001', acknowledge, li, T0 + 1_000);
  it.cases.act('2026-0001', close, li, T0 + 2_000);
  it.plant.set(1, 5, T0 + 3_000);
  it.cases.act('2026-0001', close, zhang, T0 + 4_000);
  expect(it.cases.get('2026-0001')?.state).toBe('closed');
  expect(it.alarms.approvals.pending(T0 + 5_000)).toEqual([]);
});

test('a merged case gives its alarms to the other, which takes its level and its returns', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  it.plant.set(2, 12, T0 + 1_000);
  const merge = (into: string): CaseAct => ({ kind: 'merge', into, note: 'one leak' });
  expect(codeOf(() => it.cases.act('2026-0001', merge('2026-0001'), li, T0))).toBe(
    'case_malformed',
  );
  it.cases.act('2026-0001', merge('2026-0002'), li, T0 + 2_000);
  expect(it.cases.get('2026-0001')).toMatchObject({ state: 'merged', mergedInto: '2026-0002' });
  expect(it.cases.view('2026-0002', T0 + 2_000)).toMatchObject({ case: { level: 1 }, alarms: 2 });
  expect(it.cases.get('2026-0002')?.steps[0]?.dueMs).toBe(T0 + 61_000);
  it.plant.set(1, 5, T0 + 3_000);
  it.plant.set(1, 12, T0 + 4_000);
  expect(it.cases.list({}, T0 + 4_000)).toMatchObject([{ case: { id: '2026-0002' }, alarms: 3 }]);
  expect(codeOf(() => it.cases.act('2026-0002', merge('2026-0001'), li, T0))).toBe('case_refused');
});

test('a crew that is out must be heard of before the case is closed', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  it.plant.set(1, 5, T0 + 1_000);
  const act = (what: CaseAct) => outcome(() => it.cases.act('2026-0001', what, li, T0 + 2_000));
  expect(act({ kind: 'dispatch', crew: 'crew 3', note: '' })).toMatch(/^case_refused: nobody/);
  act(acknowledge);
  expect(act(acknowledge)).toMatch(/^case_already: li was first, at .* is acknowledged now$/);
  expect(act({ kind: 'dispatch', crew: '', note: '' })).toMatch(/^case_malformed/);
  act({ kind: 'dispatch', crew: 'crew 3', note: '' });
  expect(act({ kind: 'dispatch', crew: 'crew 4', note: '' })).toBe('done');
  it.cases.act('2026-0001', { kind: 'assign', owner: 'wu', department: null, note: '' }, zhang, T0);
  expect(act(acknowledge)).toMatch(/^case_already: li was first, at .* is dispatched now$/);
  expect(act(close)).toMatch(/^case_refused: a crew is out/);
  act({ kind: 'contain', note: '' });
  expect(act(close)).toBe('done');
  expect(act(acknowledge)).toMatch(/^case_already: the case has ended: closed, by li at /);
});

test('notes and files have a bound each, and steps are taken beyond it', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  const { number } = it.cases.get('2026-0001')!;
  const entry = { atMs: T0, by: 'li', from: '', text: 'x', detail: {} };
  it.alarms.together(() => {
    for (let at = 0; at < CASE_NOTES_MAX; at++)
      it.cases.tables.write(number, { ...entry, kind: 'note' });
    for (let at = 0; at < CASE_FILES_MAX; at++)
      it.cases.tables.write(number, { ...entry, kind: 'file' });
  });
  const file = { name: 'a.jpg', type: 'image/jpeg', bytes: 3, sha256: 'f'.repeat(64) };
  expect(codeOf(() => it.cases.act('2026-0001', note('one more'), li, T0))).toBe('case_full');
  expect(codeOf(() => it.cases.attach('2026-0001', file, li, T0))).toBe('case_full');
  expect(codeOf(() => it.cases.act('2026-0001', acknowledge, li, T0))).toBe('done');
});

test('what fails leaves neither case, log nor event behind', () => {
  const it = open();
  it.plant.set(1, 12, T0);
  it.cases.drain(T0);
  const before = it.cases.get('2026-0001');
  it.database.exec(`CREATE TRIGGER full BEFORE INSERT ON alarm_journal
    BEGIN SELECT raise(ABORT, 'disk full'); END`);
  expect(() => it.cases.act('2026-0001', acknowledge, li, T0)).toThrow(/disk full/);
  it.database.exec('DROP TRIGGER full');
  expect(it.cases.get('2026-0001')).toEqual(before);
  expect(log(it, '2026-0001')).toEqual(['opened lifeline']);
  expect(it.cases.drain(T0)).toEqual([]);
  expect(codeOf(() => it.cases.act('2026-0001', acknowledge, li, T0))).toBe('done');
});

// Two people act at once on what both have read; the plant goes up and down; the cloud restarts.
const acts: readonly CaseAct[] = [
  acknowledge,
  { kind: 'verify', note: '' },
  { kind: 'dispatch', crew: 'crew 3', note: '' },
  { kind: 'arrive', note: '' },
  { kind: 'contain', note: '' },
  close,
  { kind: 'false-alarm', reason: 'wet' },
  { kind: 'assign', owner: 'wang', department: null, note: '' },
];
const move = fc.tuple(
  fc.constantFrom(0 as const, 1 as const),
  fc.integer({ min: 0, max: acts.length + 3 }),
  fc.integer({ min: 1, max: 400 }),
);

test('of two who do the same at once one wins and the other hears who; no note is ever lost; a restart changes nothing', () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 25 }), (moves) => {
      let it = open();
      it.plant.set(1, 12, T0);
      const notes: string[] = [];
      let nowMs = T0;
      let isHigh = true;
      for (const [who, what, seconds] of moves) {
        nowMs += seconds * 1_000;
        tickAt(it, nowMs);
        const [first, second] = who === 0 ? [li, zhang] : [zhang, li];
        const [{ case: newest } = { case: null }] = it.cases.list({ state: 'all' }, nowMs);
        const id = newest!.id;
        const act = acts[what];
        if (act) {
          // As the API does it: both have read the same revision.
          const outcomes = [first, second].map((actor) =>
            outcome(() => {
              const { revision, changedBy, changedMs } = it.cases.get(id)!;
              checkRevision(newest!.revision, { revision, by: changedBy, atMs: changedMs });
              it.cases.act(id, act, actor, nowMs);
            }),
          );
          const isDone = outcomes[0] === 'done';
          if (isDone) expect(outcomes[1]).toMatch(`api_precondition: changed by ${first.name} at`);
          else expect(outcomes[1]).toBe(outcomes[0]);
        } else if (what === acts.length) {
          for (const actor of [first, second]) {
            const text = `${actor.name} ${notes.length}`;
            it.cases.act(id, note(text), actor, nowMs);
            notes.push(text);
          }
        } else if (what === acts.length + 1) {
          isHigh = !isHigh;
          it.plant.set(1, isHigh ? 12 : 5, nowMs);
        } else {
          const before = it.cases.list({ state: 'all' }, nowMs);
          it = open(it.database);
          expect(it.cases.list({ state: 'all' }, nowMs)).toEqual(before);
        }
      }
      const all = it.cases.list({ state: 'all' }, nowMs).map((view) => view.case);
      const kept = all.flatMap(({ number }) => it.cases.tables.entries(number, 0, 10_000));
      const texts = kept.filter(({ kind }) => kind === 'note').map(({ text }) => text);
      expect(texts.sort()).toEqual(notes.sort());
      // Each excursion is in exactly one case, and a case is due as long as it is open.
      const joined = all.flatMap(({ number }) => it.cases.tables.alarms(number, 1_000));
      expect(new Set(joined.map(({ occurrence }) => occurrence)).size).toBe(joined.length);
      expect(joined).toHaveLength(it.alarms.list({ state: 'all' }).filter(isRule).length);
      for (const { steps, endedMs, state, number } of all) {
        expect(steps.at(-1)!.leftMs === null).toBe(endedMs === null);
        if (state === 'new' || endedMs !== null) continue;
        for (const { occurrence } of it.cases.tables.alarms(number, 1_000)) {
          const alarm = it.alarms.get(occurrence)!;
          expect(alarm.clearedMs === null && alarm.acknowledgedBy === null).toBe(false);
        }
      }
    }),
    { numRuns: 100 },
  );
}, 60_000);

const isRule = ({ rule }: { readonly rule: string }) => rule === 'high';
