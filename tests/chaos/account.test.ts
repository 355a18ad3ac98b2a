// The judge itself: what it lets pass and what it does not.
import { expect, test } from 'vitest';
import type { Facts, LifeAccount, Stored } from './account.ts';
import { judge } from './account.ts';

const stored = (change: Partial<Stored> = {}): Stored => ({
  ...{ stored: 60, unchanged: 40, missed: 3, given_up: 0, failed: 0, by_cause: { missed: 3 } },
  ...change,
});
const lived: LifeAccount = {
  ...{ site: 'gas', gateway: 'gw-gas', epoch: '2-b', servedFrom: 100, served: 100 },
  counted: { due: 103, taken: 100, missed: 3, failed: 0 },
  inStore: stored(),
};
const killed: LifeAccount = {
  ...{ site: 'gas', gateway: 'gw-gas', epoch: '1-a', servedFrom: 0, served: 100, counted: null },
  inStore: stored({ stored: 50, missed: 0, given_up: 10, by_cause: { crash: 10 } }),
};
const facts = (change: Partial<Facts> = {}): Facts => ({
  lives: [killed, lived],
  rates: new Map([['gw-gas', { points: 5, perSecond: 5 }]]),
  all: stored({ stored: 110, unchanged: 80, given_up: 10, by_cause: { missed: 3, crash: 10 } }),
  ...{ alarms: [], crossings: [], collectedUntilMs: 100_000, pendingRecords: 0 },
  restarts: new Map([['gw-gas', { killed: 1, started: 1 }]]),
  ...change,
});
const withLife = (change: Partial<LifeAccount>) =>
  facts({ lives: [killed, { ...lived, ...change }] });

test('an account that balances passes', () => {
  expect(judge(facts())).toEqual([]);
});

test('one reading too few or too many of a life that went on is seen', () => {
  expect(judge(withLife({ inStore: stored({ stored: 59 }) }))).toHaveLength(2);
  expect(judge(withLife({ inStore: stored({ stored: 61 }) }))).toHaveLength(2);
  expect(judge(withLife({ inStore: stored({ missed: 2 }) }))).toHaveLength(1);
  expect(judge(withLife({ counted: { due: 104, taken: 100, missed: 3, failed: 0 } }))).toEqual([
    'gw-gas:2-b (lived): due 104 is not taken 100 + missed 3',
  ]);
});

test('a kill may cost what was in memory, has to be told of, and makes nothing up', () => {
  const withKilled = (served: number, inStore = killed.inStore) =>
    judge(
      facts({
        lives: [
          { ...killed, served, inStore },
          { ...lived, served: 200 - served },
        ],
      }),
    );
  // 12 s at 5 a second and each of 5 points once.
  expect(judge(facts({ lives: [{ ...killed, served: 90 + 65 }, lived] }))).toEqual([]);
  expect(judge(facts({ lives: [{ ...killed, served: 90 + 66 }, lived] }))).toHaveLength(2);
  expect(withKilled(89).join()).toContain('89 served, 90 good ones there');
  const much = stored({ stored: 50, missed: 0, given_up: 66, by_cause: { crash: 66 } });
  expect(withKilled(100, much).join()).toContain('a gap tells of 66 lost');
  const untold = stored({ stored: 50, missed: 0, by_cause: {} });
  expect(judge(facts({ lives: [{ ...killed, inStore: untold }, lived] })).join()).toContain(
    'no gap',
  );
});

test('a part that ended by itself, a reading given up, an alarm nobody was told of are seen', () => {
  const restarts = new Map([['cloud', { killed: 0, started: 1 }]]);
  expect(judge(facts({ restarts }))).toEqual(['cloud was killed 0 times, started 1']);
  const all = { ...facts().all, by_cause: { crash: 10, refused: 4 } };
  expect(judge(facts({ all }))).toEqual(['4 given up: refused']);
  expect(judge(facts({ pendingRecords: 2 }))).toEqual(['2 records are still on their way']);
  const seen = { historical: false, annunciations: 1 };
  const alarm = { id: 'x', point: 'gw-gas/well-07/gas', rule: 'high', ...seen };
  const delivery = { alarm: 'x', transition: 'raised', receiver: 'desk', state: 'sent' } as const;
  const open = { ...delivery, confirmed: null, undelivered: null };
  expect(judge(facts({ alarms: [{ ...alarm, deliveries: [open] }] }))[0]).toContain('neither');
  expect(judge(facts({ alarms: [{ ...alarm, deliveries: [] }] }))[0]).toContain('0 deliveries');
  const hidden = { ...alarm, annunciations: 0, deliveries: [] };
  expect(judge(facts({ alarms: [hidden] }))).toEqual([]);
  const shown = { ...open, undelivered: '2026-01-01T00:00:00Z' };
  expect(judge(facts({ alarms: [{ ...alarm, deliveries: [shown] }] }))).toEqual([]);
  const crossing = { point: alarm.point, rule: 'high', atMs: 10_000 };
  expect(judge(facts({ crossings: [crossing] }))[0]).toContain('no alarm says so');
  expect(judge(facts({ crossings: [{ ...crossing, atMs: 90_000 }] }))).toEqual([]);
});
