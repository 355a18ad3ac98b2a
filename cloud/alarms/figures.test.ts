import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Annunciation, FigureId } from './figures.ts';
import { figuresOf } from './figures.ts';
import type { Flood } from './flood.ts';
import { FloodMeter, floodsOf } from './flood.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const DAY_0 = 1_790_006_400_000;
const day = { fromMs: DAY_0, toMs: DAY_0 + DAY };

function told(atMs: number, changes: Partial<Annunciation> = {}): Annunciation {
  const times = { atMs, raisedMs: atMs, clearedMs: atMs + HOUR, acknowledgedMs: null };
  return { alarm: 'a/high', level: 4, isActivation: true, hiding: null, ...times, ...changes };
}

const figureOf = (list: readonly Annunciation[], id: FigureId, period = day) =>
  figuresOf(list, period).figures.find((figure) => figure.id === id);

test('a quiet day: 144 alarms, one in each ten minutes, meets every rate target', () => {
  const list = Array.from({ length: 144 }, (_, at) =>
    told(DAY_0 + at * 10 * MINUTE, { alarm: `p${at}/high`, level: at % 7 === 0 ? 3 : 4 }),
  );
  const { figures, annunciated, floods } = figuresOf(list, day);
  expect(annunciated).toBe(144);
  expect(floods).toEqual([]);
  const values = Object.fromEntries(figures.map(({ id, value, met }) => [id, [value, met]]));
  expect(values).toEqual({
    'rate-ten-minutes': [1, true],
    'rate-hour': [6, true],
    'rate-day': [144, true],
    'peak-minute': [1, true],
    'peak-ten-minutes': [1, true],
    'peak-hour': [6, true],
    'windows-above-ten': [0, true],
    'time-above-target': [0, true],
    floods: [0, true],
    'flood-time': [0, true],
    chattering: [0, true],
    fleeting: [0, true],
    stale: [0, true],
    'top-ten': [10 / 144, false],
    'priority-1': [0, true],
    'priority-2': [0, true],
    'priority-3': [21 / 144, true],
    'priority-4': [123 / 144, true],
  });
});

test('a flood: 30 alarms in ten minutes, then 10 h of one an hour', () => {
  // One each 20 s from 08:00:00 to 08:09:40: the tenth at 08:03:00 begins the flood. At 08:18:20
  // the 26th, told at 08:08:20, leaves the window: four are left, and the flood is over.
  const at8 = DAY_0 + 8 * HOUR;
  const burst = Array.from({ length: 30 }, (_, at) => told(at8 + at * 20_000));
  const calm = Array.from({ length: 10 }, (_, at) => told(at8 + (at + 1) * HOUR));
  const { figures, floods, topTen } = figuresOf([...burst, ...calm], day);
  const fromMs = at8 + 3 * MINUTE;
  expect(floods).toEqual([{ fromMs, toMs: at8 + 18 * MINUTE + 20_000, alarms: 30, peak: 30 }]);
  const value = (id: FigureId) => figures.find((figure) => figure.id === id)!;
  expect(value('peak-minute')).toEqual({ id: 'peak-minute', value: 3, met: false });
  expect(value('peak-ten-minutes')).toEqual({ id: 'peak-ten-minutes', value: 30, met: false });
  expect(value('peak-hour')).toEqual({ id: 'peak-hour', value: 30, met: false });
  expect(value('windows-above-ten').value).toBe(1 / 144);
  expect(value('windows-above-ten').met).toBe(true);
  expect(value('time-above-target').value).toBe(1 / 144);
  expect(value('floods')).toEqual({ id: 'floods', value: 1, met: false });
  expect(value('flood-time').value).toBe((15 * MINUTE + 20_000) / DAY);
  expect(value('flood-time').met).toBe(false);
  expect(topTen).toEqual([{ alarm: 'a/high', count: 40 }]);
  expect(value('top-ten').value).toBe(1);
});

test('three activations within a minute chatter; a minute and a millisecond is not, and other alarms are not one', () => {
  const at = (...ms: number[]) => ms.map((each) => told(DAY_0 + each));
  expect(figureOf(at(0, 30_000, 60_000), 'chattering')?.value).toBe(1);
  expect(figureOf(at(0, 30_000, 60_001), 'chattering')?.value).toBe(0);
  const others = [told(DAY_0), told(DAY_0 + 1), told(DAY_0 + 2, { alarm: 'b/high' })];
  expect(figureOf(others, 'chattering')?.value).toBe(0);
  const again = [told(DAY_0), told(DAY_0 + 1), told(DAY_0 + 2, { isActivation: false })];
  expect(figureOf(again, 'chattering')?.value).toBe(0);
  // Arrived together, after an outage; by sample time they are an hour apart.
  const late = [0, 1, 2].map((hours) => told(DAY_0, { raisedMs: DAY_0 - hours * HOUR }));
  expect(figureOf(late, 'chattering')?.value).toBe(0);
});

test('fleeting is over within ten seconds without an act; stale is on for more than a day', () => {
  const short = { clearedMs: DAY_0 + 10_000 };
  const fleeting = (changes: Partial<Annunciation>) =>
    figureOf([told(DAY_0, { ...short, ...changes })], 'fleeting')?.value;
  expect(fleeting({})).toBe(1);
  expect(fleeting({ clearedMs: DAY_0 + 10_001 })).toBe(0);
  expect(fleeting({ acknowledgedMs: DAY_0 + 9_000 })).toBe(0);
  expect(fleeting({ acknowledgedMs: DAY_0 + 11_000 })).toBe(1);
  expect(fleeting({ clearedMs: null })).toBe(0);
  const stale = (raisedMs: number, clearedMs: number | null) =>
    figureOf([told(raisedMs, { clearedMs })], 'stale')?.value;
  expect(stale(DAY_0 - DAY, DAY_0)).toBe(0); // Over when the day begins.
  expect(stale(DAY_0 - DAY, DAY_0 + 1)).toBe(1);
  expect(stale(DAY_0, null)).toBe(0); // Exactly a day at the end of it.
  expect(stale(DAY_0 - 1, null)).toBe(1);
  expect(stale(DAY_0 - 40 * DAY, null)).toBe(1);
});

test('what was hidden is counted apart, by what hid it', () => {
  const list = [
    told(DAY_0),
    told(DAY_0 + 1, { hiding: 'shelved' }),
    told(DAY_0 + 2, { hiding: 'shelved' }),
    told(DAY_0 + 3, { hiding: 'suppressed' }),
    told(DAY_0 + 4, { hiding: 'test' }),
  ];
  const { annunciated, hidden } = figuresOf(list, day);
  expect(annunciated).toBe(1);
  expect(hidden).toEqual({ shelved: 2, suppressed: 1, removed: 0, test: 1 });
});

test('time to acknowledge is the nearest rank of each level, and who was not acknowledged is counted', () => {
  const waits = Array.from({ length: 20 }, (_, at) =>
    told(DAY_0 + at, { level: 2, acknowledgedMs: DAY_0 + at + (at + 1) * 1_000 }),
  );
  const { acknowledge } = figuresOf([...waits, told(DAY_0 + 30, { level: 2 })], day);
  expect(acknowledge[1]).toEqual({
    ...{ level: 2, annunciated: 21, acknowledged: 20 },
    ...{ medianMs: 10_000, p95Ms: 19_000 },
  });
  expect(acknowledge[0]).toMatchObject({ acknowledged: 0, medianMs: null, p95Ms: null });
});

test('an empty period judges no share, and rates of it are met', () => {
  const { figures } = figuresOf([], day);
  expect(figures.filter(({ met }) => met === null).map(({ id }) => id)).toEqual([
    'top-ten',
    'priority-1',
    'priority-2',
    'priority-3',
    'priority-4',
  ]);
  expect(figures.every(({ met }) => met !== false)).toBe(true);
});

// What a window of 600 s does, second by second.
function floodsByBrute(seconds: readonly number[], until: number): Flood[] {
  const floods: Flood[] = [];
  let open = null as { from: number; alarms: number; peak: number } | null;
  const within = (from: number, to: number) => seconds.filter((s) => s >= from && s <= to).length;
  for (let second = 0; second <= until; second++) {
    if (open && within(second - 599, second - 1) < 5) {
      const { from, alarms, peak } = open;
      floods.push({ fromMs: from * 1000, toMs: second * 1000, alarms, peak });
      open = null;
    }
    const new_ = within(second, second);
    for (let nth = 1; nth <= new_; nth++) {
      const inWindow = within(second - 599, second - 1) + nth;
      if (open) {
        open = { ...open, alarms: open.alarms + 1, peak: Math.max(open.peak, inWindow) };
      } else if (inWindow >= 10) open = { from: second, alarms: inWindow, peak: inWindow };
    }
  }
  if (open) {
    const { from, alarms, peak } = open;
    floods.push({ fromMs: from * 1000, toMs: null, alarms, peak });
  }
  return floods;
}

const times = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 900, max: 960 })), {
    maxLength: 60,
  })
  .map((all) => all.sort((a, b) => a - b));

test('floods are those of a window counted second by second', () => {
  fc.assert(
    fc.property(times, (seconds) => {
      const ms = seconds.map((second) => second * 1000 + 123);
      expect(floodsOf(ms, 2_700_000)).toEqual(floodsByBrute(seconds, 2_700));
    }),
    { numRuns: 50 },
  );
});

test('a flood counted as it happens, with restarts and looks in between, is the one counted afterwards', () => {
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 12 }), (seconds, restartsEvery) => {
      const floods: Flood[] = [];
      const note = (flood: Flood | null) => flood && floods.push(flood);
      let meter = new FloodMeter();
      seconds.forEach((second, at) => {
        note(meter.advance(second * 1000 - 400));
        note(meter.add(second * 1000).ended);
        if (at % restartsEvery !== 0) return;
        const kept = seconds.slice(0, at + 1).filter((it) => it > second - 600);
        meter = FloodMeter.of(
          kept.map((it) => it * 1000),
          meter.flood,
        );
      });
      note(meter.advance(2_700_000));
      expect(floods).toEqual(
        floodsOf(
          seconds.map((second) => second * 1000),
          2_700_000,
        ),
      );
    }),
  );
});

const annunciations = fc
  .array(
    fc.record({
      alarm: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'),
      level: fc.constantFrom(1, 2, 3, 4),
      atMs: fc.integer({ min: DAY_0 - DAY, max: DAY_0 + 2 * DAY }),
      lateMs: fc.nat(2 * MINUTE),
      lastsMs: fc.option(fc.oneof(fc.nat(20_000), fc.nat(2 * DAY))),
      ackMs: fc.option(fc.nat(HOUR)),
      hiding: fc.option(fc.constantFrom('shelved', 'suppressed', 'removed', 'test')),
      isActivation: fc.boolean(),
    }),
    { maxLength: 80 },
  )
  .map((all): Annunciation[] =>
    all
      .map(({ atMs, lateMs, lastsMs, ackMs, ...rest }) => ({
        ...(rest as Pick<Annunciation, 'alarm' | 'level' | 'hiding' | 'isActivation'>),
        atMs,
        raisedMs: atMs - lateMs,
        clearedMs: lastsMs === null ? null : atMs - lateMs + lastsMs,
        acknowledgedMs: ackMs === null ? null : atMs + ackMs,
      }))
      .sort((a, b) => a.atMs - b.atMs),
  );

test('figures are those of counting every minute, every pair and every alarm by hand', () => {
  fc.assert(
    fc.property(annunciations, (list) => {
      const inside = list.filter(
        (it) => it.hiding === null && it.atMs >= day.fromMs && it.atMs < day.toMs,
      );
      const between = (from: number, to: number) =>
        inside.filter(({ atMs }) => atMs >= from && atMs < to).length;
      const buckets = (width: number) =>
        Array.from({ length: DAY / width }, (_, at) =>
          between(DAY_0 + at * width, DAY_0 + (at + 1) * width),
        );
      const alarms = [...new Set(list.map(({ alarm }) => alarm))];
      const chatters = alarms.filter((alarm) => {
        const own = inside.filter((it) => it.alarm === alarm && it.isActivation);
        return own.some(
          (first) =>
            own.filter(
              ({ raisedMs }) => raisedMs >= first.raisedMs && raisedMs <= first.raisedMs + MINUTE,
            ).length >= 3,
        );
      });
      const stale = alarms.filter((alarm) =>
        list.some((it) => {
          if (it.alarm !== alarm || it.hiding !== null) return false;
          const endMs = Math.min(it.clearedMs ?? day.toMs, day.toMs);
          return endMs > DAY_0 && endMs - it.raisedMs > DAY;
        }),
      );
      const counts = alarms
        .map((alarm) => inside.filter((it) => it.alarm === alarm).length)
        .sort((a, b) => b - a);
      const share = (part: number) => (inside.length === 0 ? null : part / inside.length);
      const expected: Partial<Record<FigureId, number | null>> = {
        'rate-day': inside.length,
        'peak-minute': Math.max(...buckets(MINUTE)),
        'peak-ten-minutes': Math.max(...buckets(10 * MINUTE)),
        'peak-hour': Math.max(...buckets(HOUR)),
        'windows-above-ten': buckets(10 * MINUTE).filter((count) => count > 10).length / 144,
        'time-above-target': buckets(10 * MINUTE).filter((count) => count > 1).length / 144,
        chattering: chatters.length,
        stale: stale.length,
        'top-ten': share(counts.slice(0, 10).reduce((sum, count) => sum + count, 0)),
        'priority-2': share(inside.filter(({ level }) => level === 2).length),
      };
      const { figures } = figuresOf(list, day);
      for (const [id, value] of Object.entries(expected)) {
        expect([id, figures.find((figure) => figure.id === id)!.value]).toEqual([id, value]);
      }
    }),
    { numRuns: 100 },
  );
});
