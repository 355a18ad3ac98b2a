import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import type { LimitRule } from '../../core/alarm/rule.ts';
import { isFault } from '../../core/fault.ts';
import type { PointClass } from '../../core/reading.ts';
import type { DecodedRecord, SeriesEntry } from '../inbox/decoded.ts';
import { AlarmConsumer } from './consumer.ts';
import type { RuleDecision } from './rules.ts';

const WALL = Date.UTC(2026, 0, 1);
const li = { name: 'li', from: '10.0.0.7' };
const wang = { name: 'wang', from: '10.0.0.8' };

function high(limit: number, more: Partial<LimitRule> = {}): LimitRule {
  const delays = { onDelayMs: 1_000, offDelayMs: 0 };
  const texts = { title: { en: 'high', zh: '偏高' }, action: null };
  const limits = { side: 'high', limit, deadband: 1 } as const;
  return { kind: 'limit', id: 'high', level: 2, ...delays, ...texts, ...limits, ...more };
}

function entryOf(pointClass: PointClass, rules: readonly LimitRule[]): SeriesEntry {
  const names = { device: 'd', point: 'ch4', name: { en: 'CH4', zh: '甲烷' }, unit: '%{LEL}' };
  const terms = { type: 'number', scale: 1, offset: 0, range: [0, 100] } as const;
  const how = { class: pointClass, periodMs: 1_000, deadband: 0, asset: 'gas/well-07' };
  return { series: 1, gateway: 'gw-1', definition: { ...names, ...terms, ...how, rules } };
}

let rows = 0;
/** A record that brings a dictionary and nothing else. */
function announce(sequence: number, entry: SeriesEntry): DecodedRecord {
  const place = { area: 'gas', gateway: 'gw-1', epoch: '1-00000000000000aa', sequence };
  const row = { ...place, row: ++rows, lane: 'event', receivedMs: WALL } as const;
  return {
    row: { ...row, bytes: new Uint8Array() },
    clock: { wallOffsetMs: WALL, state: 'synchronised', errorMs: 10 },
    ...{ isState: false, readings: null, coverage: [], gaps: [], clockSteps: [] },
    manifest: { hash: `${sequence}`.padStart(32, '0'), entries: [entry] },
  };
}

const databases: DatabaseSync[] = [];
afterEach(() => {
  for (const database of databases.splice(0)) database.close();
});

function open(pointClass: PointClass, rules: readonly LimitRule[] = [high(20)]) {
  const database = new DatabaseSync(':memory:');
  databases.push(database);
  const consumer = new AlarmConsumer(database);
  const entry = entryOf(pointClass, rules);
  consumer.apply([announce(1, entry)], WALL);
  const decide = (decision: RuleDecision, atMs = WALL + 1_000, who = li) =>
    consumer.decide(entry, 'high', { decision, who, reason: 'site visit' }, atMs).approval;
  const versions = () => consumer.tables.ruleVersions.versions(1, 'high');
  return { database, consumer, entry, decide, versions };
}

function faultOf(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (error) {
    return isFault(error) ? error.code : String(error);
  }
}

const set = (limit: number, more: Partial<LimitRule> = {}): RuleDecision => ({
  kind: 'set',
  rule: high(limit, more),
});

test('every proposal and every decision is a version that stays', () => {
  const { database, consumer, decide, versions } = open('trend');
  decide(set(30));
  decide({ kind: 'revert', version: 1 }, WALL + 2_000);
  decide({ kind: 'retire' }, WALL + 3_000);
  expect(
    versions().map(({ version, author, rule, retired }) => [
      version,
      author,
      retired,
      (rule as LimitRule).limit,
    ]),
  ).toEqual([
    [1, 'gateway gw-1', false, 20],
    [2, 'li', false, 30],
    [3, 'li', false, 20],
    [4, 'li', true, 20],
  ]);
  const { ruleVersions } = consumer.tables;
  expect(ruleVersions.inForceAt(1, 'high', WALL - 1)).toBeNull();
  expect(ruleVersions.inForceAt(1, 'high', WALL + 1_999)).toMatchObject({ version: 2 });
  expect(ruleVersions.versionAt(1, 'high', 2)).toMatchObject({ reason: 'site visit' });
  expect(() => database.exec('DELETE FROM alarm_rule_versions')).toThrow(/kept/);
  expect(new AlarmConsumer(database).ruling.row(1, 'high')).toMatchObject({ version: 4 });
});

test('a rule that a person retired stays retired while its gateway goes on proposing it', () => {
  const { consumer, decide } = open('trend');
  decide({ kind: 'retire' });
  consumer.apply([announce(2, entryOf('trend', [high(25)]))], WALL);
  expect(consumer.ruling.row(1, 'high')).toMatchObject({
    retired: true,
    proposed: { limit: 25 },
  });
});

test('what a gateway proposes beside a decision can be accepted, once', () => {
  const { consumer, decide } = open('trend');
  expect(faultOf(() => decide({ kind: 'accept' }))).toBe('rule_no_proposal');
  decide(set(30));
  expect(consumer.ruling.row(1, 'high')?.proposed).toMatchObject({ limit: 20 });
  decide({ kind: 'accept' });
  expect(consumer.ruling.row(1, 'high')).toMatchObject({
    rule: { limit: 20 },
    author: 'li',
    proposed: null,
  });
  expect(faultOf(() => decide({ kind: 'accept' }))).toBe('rule_no_proposal');
  expect(faultOf(() => decide({ kind: 'revert', version: 9 }))).toBe('rule_version_unknown');
  expect(faultOf(() => decide(set(20)))).toBe('rule_unchanged');
});

test('a proposal that its gateway takes back is no longer shown', () => {
  const { consumer, decide } = open('trend');
  decide(set(30));
  consumer.apply([announce(2, entryOf('trend', []))], WALL);
  expect(consumer.ruling.row(1, 'high')).toMatchObject({ rule: { limit: 30 }, proposed: null });
});

test('a point that nobody proposed a rule for takes one from a person', () => {
  const { consumer, decide } = open('life-safety', []);
  expect(faultOf(() => decide({ kind: 'retire' }))).toBe('rule_unknown');
  expect(decide(set(30))).toBeNull(); // A new alarm takes nothing from anybody.
  expect(consumer.tables.series()).toMatchObject([{ area: 'gas', class: 'life-safety' }]);
  expect(consumer.ruling.row(1, 'high')).toMatchObject({ version: 1, author: 'li' });
});

const weighty: readonly RuleDecision[] = [
  set(21),
  set(20, { deadband: 2 }),
  set(20, { onDelayMs: 9_000 }),
  set(20, { offDelayMs: 1 }),
  set(20, { level: 3 }),
  set(20, { isLatching: true }),
  { kind: 'retire' },
];

test.each(weighty)('of a life-safety rule %j waits for a second person', (decision) => {
  const { consumer, decide, versions } = open('life-safety');
  const approval = decide(decision);
  expect(approval).toMatchObject({ kind: 'rule', what: 'gw-1/d/ch4/high', by: 'li' });
  expect(versions()).toHaveLength(1);
  const { approvals } = consumer;
  const approve = (who: typeof li) => consumer.approve(approval!.id, true, who, WALL + 5_000);
  expect(faultOf(() => approve(li))).toBe('approval_same_person');
  expect(versions()).toHaveLength(1);
  approve(wang);
  expect(versions()[1]).toMatchObject({
    author: 'li',
    approver: 'wang',
    reason: 'site visit',
    decidedMs: WALL + 5_000,
    retired: decision.kind === 'retire',
  });
  expect(approvals.pending(WALL + 5_000)).toEqual([]);
});

test('another text of a life-safety rule needs one person', () => {
  const { decide, versions } = open('life-safety');
  const action = { en: 'Evacuate', zh: '撤离' };
  expect(decide(set(20, { action, cause: action, defaults: ['deadband'] }))).toBeNull();
  expect(versions()[1]).toMatchObject({ author: 'li', approver: null });
});

test('a change that waits is refused once somebody else has changed the rule', () => {
  const { consumer, decide } = open('life-safety');
  const approval = decide(set(30));
  decide(set(20, { action: { en: 'Evacuate', zh: '撤离' } }));
  const approve = () => consumer.approve(approval!.id, true, wang, WALL + 5_000);
  expect(faultOf(approve)).toBe('rule_changed');
  expect(consumer.ruling.row(1, 'high')).toMatchObject({ rule: { limit: 20 } });
});
