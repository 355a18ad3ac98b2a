// One trace through the gateway's own evaluation, and through its sealed records and the alarms of
// the cloud: the same names, beginnings and ends.
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AlarmConsumer } from '../../cloud/alarms/consumer.ts';
import { hashOf, high, newInbox, nextRow, noData } from '../../cloud/alarms/made-records.ts';
import { type DecodedRecord, numberOf, type SeriesEntry } from '../../cloud/inbox/decoded.ts';
import type { RuleProposal } from '../../core/alarm/rule.ts';
import { SimClock } from '../../core/clock.ts';
import { engineering, type PointDefinition } from '../../core/point.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';
import { openRecord } from '../../protocols/uplink/envelope.ts';
import { ClockWatch } from '../clock-watch.ts';
import type { Entry } from '../outbox/batch.ts';
import { Sealer } from '../seal.ts';
import { type Found, type KeptEvaluation, LocalEvaluation } from './evaluation.ts';

const title = { en: 'x', zh: 'x' };
const common = { level: 1, title, action: null, onDelayMs: 0, offDelayMs: 0 } as const;
const rules: readonly (readonly RuleProposal[])[] = [
  [high({ level: 1, onDelayMs: 3_000, offDelayMs: 2_000 }), { ...noData, level: 2 }],
  [high({ id: 'now' }), high({ id: 'more', limit: 12, deadband: 1, offDelayMs: 4_000 })],
  [
    { ...common, id: 'on', kind: 'state', states: [11, 13], onDelayMs: 1_000 },
    { ...common, id: 'rise', kind: 'rate', side: 'high', limit: 3, deadband: 1, overMs: 4_000 },
  ],
  [
    {
      ...{ ...common, id: 'apart', kind: 'comparison', side: 'high', limit: 3, deadband: 1 },
      ...{ other: 'd/p2', by: 'difference', onDelayMs: 2_000 },
    },
  ],
];
const points: readonly PointDefinition[] = rules.map((own, at) => ({
  ...{ device: 'd', point: `p${at + 1}`, name: title, unit: 'bar', type: 'number' },
  ...{ scale: 0.1, offset: 0, range: null, class: 'life-safety', periodMs: 1_000, deadband: 0 },
  asset: null,
  rules: own,
}));
const entries: readonly SeriesEntry[] = points.map((definition, at) => {
  return { series: at + 1, gateway: 'gw-1', definition };
});
/** Two groups of two points. */
const groups = [0, 2] as const;

class BothSides {
  readonly clock = new SimClock();
  readonly consumer: AlarmConsumer;
  readonly atEdge: string[] = [];
  readonly inCloud: string[] = [];
  readonly #database = new DatabaseSync(':memory:');
  #kept: KeptEvaluation = {};
  #opening = 0;
  #sealer!: Sealer;
  evaluation!: LocalEvaluation;
  #told = new Map<number, string>();

  constructor() {
    newInbox();
    this.consumer = new AlarmConsumer(this.#database);
    this.boot();
  }

  close(): void {
    this.#database.close();
  }

  /** A new epoch; what was not sealed before is lost. */
  boot(): void {
    const epoch = `${++this.#opening}-00000000000000a${this.#opening % 10}`;
    const openedMonoMs = this.clock.monoMs();
    const { clock } = this;
    const watch = new ClockWatch(clock, openedMonoMs, () => null);
    this.evaluation = new LocalEvaluation({
      ...{ gateway: 'gw-1', epoch, isMeant: () => true },
      kept: JSON.parse(JSON.stringify(this.#kept)) as KeptEvaluation,
    });
    this.#found(this.evaluation.useRules(points, watch.stamp.wallOffsetMs));
    this.#told.clear();
    const outbox = {
      ...{ epoch, openedMonoMs, accepts: true, parts: [] },
      word: () => undefined,
      setWord: () => {},
      append: ({ record }: Entry) => {
        this.#apply(openRecord(record.bytes), record.sequence === 1, epoch);
      },
    };
    this.#sealer = new Sealer(clock, outbox, watch, {
      points,
      onRecord: () => {},
      onSealing: (...sealing) => this.#found(this.evaluation.take(...sealing)),
    });
  }

  #found(found: readonly Found[]): void {
    for (const { transition, rule } of found) {
      const { kind, occurrence, atMs } = transition;
      this.atEdge.push(`${rule.id} ${kind} ${occurrence} ${atMs}`);
    }
    this.#kept = this.evaluation.takeKept() ?? this.#kept;
  }

  #apply({ envelope, body }: ReturnType<typeof openRecord>, isFirst: boolean, epoch: string): void {
    const { sequence, lane } = envelope;
    const { clock, readings, coverage } = body;
    const receivedMs = this.clock.wallMs();
    const row = { row: nextRow(), area: 'gas', gateway: 'gw-1', epoch, sequence, lane };
    const { wallOffsetMs } = clock;
    const record: DecodedRecord = {
      row: { ...row, receivedMs, bytes: new Uint8Array() },
      ...{ clock, isState: body.isState, gaps: [], clockSteps: [] },
      readings: readings && {
        count: readings.count,
        series: readings.alias.map((alias) => alias + 1),
        monoMs: readings.monoMs,
        atMs: readings.monoMs.map((monoMs) => monoMs + wallOffsetMs),
        quality: readings.quality,
        values: readings.numbers.map((raw, at) => {
          const { scale, offset } = points[readings.alias[at]!]!;
          return Number.isNaN(raw)
            ? numberOf(readings.special.get(at))
            : engineering(raw, scale, offset);
        }),
        special: readings.special,
      },
      coverage: coverage.map((entry) => ({
        ...entry,
        series: Array.from({ length: entry.points }, (_, at) => entry.firstAlias + at + 1),
        atMs: entry.toMonoMs + wallOffsetMs,
      })),
      manifest: isFirst ? { hash: hashOf(entries), entries } : null,
    };
    for (const { kind, alarm } of this.consumer.apply([record], receivedMs)) {
      const { rule, occurrence, raisedMs, clearedMs, key } = alarm;
      // The cloud has one of its own for each point that has none.
      if (rule === 'no-data' && key !== 'gw-1/d/p1') continue;
      if (kind === 'raised') this.inCloud.push(`${rule} begins ${occurrence} ${raisedMs}`);
      if (kind === 'cleared') this.inCloud.push(`${rule} ends ${occurrence} ${clearedMs}`);
    }
  }

  /** `null` is a bad reading; what did not change is left out, as normalise does. */
  poll(firstAlias: number, values: readonly (number | null)[], isUrgent: boolean): void {
    const toMonoMs = this.clock.monoMs();
    const all = values.map((value, at) => ({ alias: firstAlias + at, value }));
    const told = all.filter(({ alias, value }) => this.#told.get(alias) !== `${value}`);
    for (const { alias, value } of told) this.#told.set(alias, `${value}`);
    const failed = all.filter(({ value }) => value === null).length;
    this.#sealer.report({
      ...{ firstAlias, points: values.length, fromMonoMs: toMonoMs, toMonoMs, failed },
      alias: told.map(({ alias }) => alias),
      monoMs: told.map(() => toMonoMs),
      values: told.map(({ value }) => (value === null ? null : value * 10)),
      qualities: told.map(({ value }) => (value === null ? qualityCode('bad', 'timeout') : GOOD)),
      unchanged: all.length - told.length,
      // As collecting has it: a value elsewhere to a rule is urgent.
      urgent: isUrgent || told.length > 0,
    });
  }

  flush(): void {
    this.#sealer.flush();
  }
}

test('an excursion has one name at the gateway and in the cloud', async () => {
  const sides = new BothSides();
  for (const value of [5, 11, 11, 11, 11, 5, 5, 5, 5]) {
    sides.poll(0, [value, 5], true);
    await sides.clock.advance(1_000);
  }
  sides.flush();
  expect(sides.atEdge.map((line) => line.replace(/ [0-9a-f]{32} \d+/, ''))).toEqual([
    'high begins',
    'high ends',
  ]);
  expect(sides.inCloud).toEqual(sides.atEdge);
  sides.close();
});

const value = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(5, 7.5, 9, 10, 11, 12.5, 13) },
  { weight: 1, arbitrary: fc.constant(null) },
);
const action = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('poll' as const),
      group: fc.constantFrom(...groups),
      values: fc.tuple(value, value),
      isUrgent: fc.boolean(),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('hold' as const),
      group: fc.constantFrom(...groups),
      polls: fc.integer({ min: 1, max: 12 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('hole' as const),
      ms: fc.integer({ min: 1, max: 40_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'flush' as const }) },
);

test('so has a silence, of a point that fails and of one that nobody polls any more', async () => {
  const sides = new BothSides();
  const polls = [5, ...Array<null>(14).fill(null), 5, 5];
  for (const value of polls) {
    sides.poll(0, [value, 5], false);
    await sides.clock.advance(1_000);
  }
  for (let at = 0; at < 14; at++) {
    sides.poll(2, [5, 5], false);
    await sides.clock.advance(1_000);
  }
  sides.flush();
  expect(sides.atEdge.map((line) => line.replace(/ [0-9a-f]{32} \d+/, ''))).toEqual([
    'no-data begins',
    'no-data ends',
    'no-data begins',
  ]);
  expect(sides.inCloud).toEqual(sides.atEdge);
  sides.close();
});

// The history of the cloud may end a silence within a hole that no poll fell in; live does not.
function ofValues(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => !line.startsWith('no-data')).sort();
}

test('whatever happens to values, polls and the gateway, both sides find the same', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 60 }), async (actions) => {
      const sides = new BothSides();
      const held = new Map<number, readonly (number | null)[]>();
      for (const each of actions) {
        if (each.kind === 'poll') {
          held.set(each.group, each.values);
          sides.poll(each.group, each.values, each.isUrgent);
          await sides.clock.advance(1_000);
        } else if (each.kind === 'hold') {
          for (let at = 0; at < each.polls; at++) {
            sides.poll(each.group, held.get(each.group) ?? [5, 5], false);
            await sides.clock.advance(1_000);
          }
        } else if (each.kind === 'hole') await sides.clock.advance(each.ms);
        else if (each.kind === 'restart') {
          sides.flush();
          sides.boot();
        } else sides.flush();
      }
      sides.flush();
      sides.close();
      expect(ofValues(sides.atEdge)).toEqual(ofValues(sides.inCloud));
    }),
    { numRuns: 200 },
  );
});
