import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import type { Rule, RuleProposal } from '../../core/alarm/rule.ts';
import { qualityCode } from '../../core/quality.ts';
import { MemoryStore } from '../store/memory.ts';
import { AlarmConsumer } from './consumer.ts';
import type { Explanation } from './explain.ts';
import { EXPLAINED_SAMPLES_MAX, explain, explainSpans } from './explain.ts';
import type { RecordParts, Value } from './made-records.ts';
import { entry, high, newInbox, noData, record, WALL } from './made-records.ts';
import { recorded } from './recording.ts';

interface Told {
  /** One a second. */
  readonly values: readonly Value[];
  readonly rules: readonly RuleProposal[];
  /** Seconds without uplink, whose records come behind the others. */
  readonly outage?: readonly [number, number];
}

async function explained({ values, rules, outage }: Told): Promise<Explanation[]> {
  newInbox();
  const live: RecordParts[] = [];
  const backlog: RecordParts[] = [];
  values.forEach((value, second) => {
    const monoMs = second * 1000;
    const readings = value === values[second - 1] ? [] : ([[1, monoMs, value]] as const);
    const isOut = outage && second >= outage[0] && second < outage[1];
    const parts = { sequence: second + 2, readings, covered: [[1], monoMs, monoMs] } as const;
    if (isOut) backlog.push({ ...parts, lane: 'backfill', receivedMs: WALL + 900_000 });
    else live.push(parts);
  });
  const manifest = { sequence: 1, manifest: [entry(1, rules)] };
  const records = [manifest, ...live, ...backlog].map(record);
  const store = new MemoryStore();
  await store.apply(records, records.length);
  const database = new DatabaseSync(':memory:');
  const consumer = new AlarmConsumer(database);
  for (const each of records) consumer.apply([each], each.row.receivedMs);
  consumer.tick(WALL + 1_000_000);
  const found: Explanation[] = [];
  for (const alarm of consumer.list({ state: 'all' }).filter(({ series }) => series === 1)) {
    const { ruleVersions, journal } = consumer.tables;
    const version = ruleVersions.versionAt(1, alarm.rule, alarm.version);
    const stretches = [];
    const spans = explainSpans(alarm, version?.rule ?? null, 1000, WALL + 1_000_000);
    for (const { isOn, ...span } of spans) {
      const inputs = [];
      for await (const page of recorded(store, 1, 1000, span)) inputs.push(...page.inputs);
      stretches.push({ isOn, inputs });
    }
    const { entries } = journal.list(
      { what: alarm.occurrence },
      { order: 'oldest', after: null, limit: 100 },
    );
    found.push(explain({ alarm, version, periodMs: 1000, stretches, journal: entries }));
  }
  database.close();
  return found.toReversed();
}

const timed = ({ steps }: Explanation) =>
  steps.map(({ kind, atMs }) => `${kind.slice('explain-'.length)} ${(atMs - WALL) / 1000}`);
const fill = (count: number, value: Value) => Array.from({ length: count }, () => value);

test('a delay that bad quality held, a return that did not last and bad quality while on are steps', async () => {
  const rule = high({ onDelayMs: 4_000, offDelayMs: 3_000 });
  const values = [5, 11, 12, null, null, 12, 12, 12, 12, null, 12, 5, 13, 5, 5, 5, 5, 5];
  const [it] = await explained({ values, rules: [rule] });
  expect(timed(it!)).toEqual([
    ...['beyond 1', 'held 3', 'resumed 5', 'raised 7', 'received-live 7', 'told 7'],
    ...['bad-while-active 9', 'good-while-active 10', 'falling 11', 'beyond-again 12'],
    ...['falling 13', 'cleared 16', 'cleared-known 16'],
  ]);
  const texts = it!.steps.map(({ text }) => text.en);
  expect(texts[1]).toBe('bad quality (timeout): the delay stands still');
  expect(texts[2]).toBe('good again after 2s: the delay goes on');
  expect(it!.steps.every(({ text }) => /[一-鿿]/.test(text.zh))).toBe(true);
  expect(it!.rule.map(({ en }) => en)).toEqual([
    expect.stringContaining('rule high, version 1, proposed by the gateway gw-1'),
    '≥ 10 bar, clear < 8; on after 4s, off after 3s',
  ]);
  expect(it!.rule.map(({ zh }) => zh)).toEqual([
    expect.stringMatching(/^规则 high 第 1 版，由网关 gw-1 于 .* 提出$/),
    '≥ 10 bar，< 8 时解除；4s 后报警，3s 后恢复',
  ]);
});

test('what came in a backlog says so, how late it was, and that nobody was told', async () => {
  const values = [5, 5, 5, 11, 11, 5, ...fill(6, 5)];
  const [it] = await explained({ values, rules: [high()], outage: [2, 8] });
  expect(it!.alarm.isHistorical).toBe(true);
  const kinds = it!.steps.map(({ kind }) => kind);
  expect(kinds).toContain('explain-received-late');
  expect(kinds).toContain('explain-historical');
  expect(kinds).not.toContain('explain-told');
  const late = it!.steps.find(({ kind }) => kind === 'explain-received-late');
  expect(late?.text.en).toContain('known to the cloud');
});

test('an alarm of hours shows its beginning, its end and its worst, in a readable number of samples', async () => {
  const wave = Array.from({ length: 3_000 }, (_, at) => 11 + (at % 7) / 10);
  const values = [...fill(20, 5), ...wave, 30, ...wave, ...fill(20, 5)];
  const [it] = await explained({ values, rules: [high({ onDelayMs: 5_000 })] });
  expect(it!.samples.length).toBe(EXPLAINED_SAMPLES_MAX);
  expect(it!.leftOut).toBeGreaterThan(100);
  const decisive = it!.samples.filter(({ isDecisive }) => isDecisive);
  const times = decisive.map(({ sample: { atMs } }) => (atMs - WALL) / 1000);
  expect(times).toContain(20);
  expect(times).toContain(25);
  expect(times).toContain(6_021);
  expect(timed(it!)).toContain('cleared 6021');
});

test('a device that fell silent, and one that still is, are told as that', async () => {
  const rule: Rule = { ...noData, silentMs: 3_000 };
  const [over, on] = await explained({
    ...{ values: [5, 5, ...fill(6, null), 6, 6, ...fill(8, null)], rules: [rule] },
  });
  expect(timed(over!).slice(0, 2)).toEqual(['silent 2', 'raised 5']);
  expect(over!.steps[0]!.text.en).toContain('3s must pass');
  expect(on!.notes.map(({ en }) => en)).toContain('still on');
});

test('what came later out of the memory of a device explains nothing: nothing was decided by it', async () => {
  newInbox();
  const filled = record({ sequence: 2, isFill: true, readings: [[1, 4000, 99]] });
  filled.readings!.quality.fill(qualityCode('good', 'history'));
  const taken = record({ sequence: 3, readings: [[1, 9000, 6]] });
  const store = new MemoryStore();
  await store.apply([record({ sequence: 1, manifest: [entry(1, [])] }), filled, taken], 3);
  const inputs = [];
  const span = { fromMs: WALL, toMs: WALL + 100_000 };
  for await (const page of recorded(store, 1, 1000, span)) inputs.push(...page.inputs);
  expect(inputs).toMatchObject([{ kind: 'sample', value: 6 }]);
});
