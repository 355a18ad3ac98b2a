import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';
import { seededRandom } from '../../core/random.ts';
import type { PointClass } from '../../core/reading.ts';
import type { Answers, Link, Plan, Protocol } from '../../protocols/driver.ts';
import type { PollReport, Sink } from '../sink.ts';
import { PROBE_BACKOFF } from './asker.ts';
import type { CollectedDevice } from './device.ts';
import { MISSED_HOLD_MS } from './device.ts';
import { FAILURES_MAX } from './health.ts';
import { Collector, START_WAIT_MS } from './loop.ts';
import { unanswered } from './normalise.ts';

const TIMEOUT = qualityCode('bad', 'timeout');
const NO_CONNECTION = qualityCode('bad', 'no_connection');

/** How the world behaves: latency of an answer, or null for silence until the time-out. */
interface World {
  answerMs(device: string, monoMs: number): number | null;
  /** Whether the link can be opened, and how long that takes. */
  openMs(link: string, monoMs: number): number | null;
}

const TIMEOUT_MS = 1000;

interface FakePlan extends Plan {
  readonly addresses: readonly unknown[];
}

// The device is the border: everything behind it is this fake, everything before it is real.
function fakeWorld(clock: SimClock, world: World) {
  const asked: { device: string; monoMs: number; points: number }[] = [];
  const links = new Map<string, Link>();
  const failed = (points: number, quality: number): Answers => ({
    ...unanswered(points, quality, clock.monoMs()),
    requests: 1,
    failures: 1,
  });
  const protocol: Protocol = {
    name: 'fake',
    parseAddress: (raw) => raw,
    parseDevice: (raw) => raw,
    parseLine: (raw) => raw,
    open: (_clock, link) => {
      const settles = new Set<() => void>();
      link.onClose = () => {
        for (const settle of settles) settle();
      };
      return {
        counts: { garbage: 1 },
        close: () => link.close(),
        device: (options) => ({
          plan: (addresses): FakePlan => ({
            ...{ addresses, points: addresses.length, requests: 1, lineMs: 10 },
          }),
          poll: (plan, signal) =>
            new Promise<Answers>((resolve) => {
              const device = String(options);
              const now = clock.monoMs();
              asked.push({ device, monoMs: now, points: plan.points });
              const answerMs = world.answerMs(device, now);
              const settle = (answers: Answers) => {
                cancel();
                settles.delete(lost);
                signal.removeEventListener('abort', lost);
                resolve(answers);
              };
              const lost = () => settle(failed(plan.points, NO_CONNECTION));
              const cancel = clock.after(answerMs ?? TIMEOUT_MS, () =>
                settle(
                  answerMs === null
                    ? failed(plan.points, TIMEOUT)
                    : {
                        ...unanswered(plan.points, GOOD, clock.monoMs()),
                        values: Array(plan.points).fill(now),
                        requests: 1,
                      },
                ),
              );
              settles.add(lost);
              signal.addEventListener('abort', lost);
            }),
        }),
      };
    },
  };
  const open = async (id: string, signal: AbortSignal): Promise<Link> => {
    const openMs = world.openMs(id, clock.monoMs());
    await clock.sleep(openMs ?? TIMEOUT_MS, signal);
    if (openMs === null || signal.aborted) throw new Fault('link_refused', 'later', id);
    let isOpen = true;
    const link: Link = {
      send: () => {},
      onBytes: () => {},
      onClose: () => {},
      close: () => end(null),
    };
    const end = (why: Fault | null) => {
      if (!isOpen) return;
      isOpen = false;
      link.onClose(why);
    };
    links.set(id, { ...link, close: () => end(new Fault('link_lost', 'later', id)) });
    return link;
  };
  return { protocol, open, asked, cut: (id: string) => links.get(id)?.close() };
}

function device(
  id: string,
  link: string,
  groups: readonly { periodMs: number; points: number; class?: PointClass }[],
  firstAlias = 0,
): CollectedDevice {
  let alias = firstAlias;
  return {
    id,
    link,
    options: id,
    groups: groups.map((group) => {
      const first = alias;
      alias += group.points;
      const points = Array.from({ length: group.points }, (_, at) => {
        const definition = {
          device: id,
          point: `p${first + at}`,
          name: { en: 'p', zh: '点' },
          unit: '1',
          type: 'number' as const,
          scale: 1,
          offset: 0,
          range: null,
          class: group.class ?? ('compliance' as const),
          periodMs: group.periodMs,
          deadband: 0,
          asset: null,
          rules: [],
        };
        const address = { table: 'holding', address: first + at, type: 'uint16' } as never;
        const profile = {
          id: definition.point,
          address,
          definition,
          invalid: new Map(),
          states: new Map(),
          norms: {},
          caveat: null,
        };
        return { definition, profile };
      });
      return {
        firstAlias: first,
        periodMs: group.periodMs,
        points,
        addresses: points.map(({ profile }) => profile.address),
      };
    }),
  };
}

class SeenSink implements Sink {
  accepts = true;
  readonly reports: PollReport[] = [];
  readonly misses: Parameters<Sink['missed']>[0][] = [];

  report(poll: PollReport): void {
    this.reports.push(poll);
  }

  missed(group: Parameters<Sink['missed']>[0]): void {
    this.misses.push(group);
  }

  get missedReadings(): number {
    return this.misses.reduce((sum, { polls, points }) => sum + polls * points, 0);
  }

  get takenReadings(): number {
    return this.reports.reduce((sum, { points }) => sum + points, 0);
  }

  /** Quality of each poll of a group, by its first point, where it is reported. */
  qualities(firstAlias: number): (number | undefined)[] {
    return this.reports
      .filter((report) => report.firstAlias === firstAlias)
      .map(({ qualities }) => qualities[0]);
  }
}

function collect(world: World, devices: readonly CollectedDevice[], log: Log = silentLog) {
  const clock = new SimClock();
  const fake = fakeWorld(clock, world);
  const sink = new SeenSink();
  const links = [...new Set(devices.map(({ link }) => link))].map((id) => ({
    id,
    protocol: fake.protocol,
    open: (signal: AbortSignal) => fake.open(id, signal),
  }));
  const metrics = new Metrics();
  const collector = new Collector(clock, seededRandom(1), log, metrics, {
    links,
    devices,
    sink,
    reportAll: true,
  });
  collector.start();
  const stop = async () => {
    const stopped = collector.stop(2000);
    await clock.advance(5000);
    await stopped;
  };
  return { clock, fake, sink, collector, metrics, stop };
}

const well: World = { answerMs: () => 5, openMs: () => 1 };

/** Two readings of a point in one millisecond would be one reading to whoever comes after. */
function expectApart(reports: readonly PollReport[]): void {
  const newest = new Map<number, number>();
  for (const { alias, monoMs } of reports) {
    for (const [at, it] of alias.entries()) {
      expect(monoMs[at]! - (newest.get(it) ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(1);
      newest.set(it, monoMs[at]!);
    }
  }
}

test('every due reading is taken or missed, whatever the latencies, deaths and cut links', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.option(fc.integer({ min: 0, max: 4000 }), { nil: null }), { minLength: 1 }),
      fc.array(fc.option(fc.integer({ min: 0, max: 800 }), { nil: null }), { minLength: 1 }),
      fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 8 }),
      fc.boolean(),
      async (latencies, opens, cuts, pushesBack) => {
        let call = 0;
        let opened = 0;
        const { clock, fake, sink, collector, stop } = collect(
          {
            answerMs: () => latencies[call++ % latencies.length]!,
            openMs: () => opens[opened++ % opens.length]!,
          },
          [
            device('a', 'one', [{ periodMs: 500, points: 3 }]),
            device('b', 'one', [{ periodMs: 1000, points: 2 }], 3),
            device('c', 'two', [{ periodMs: 700, points: 4, class: 'trend' }], 5),
          ],
        );
        for (const cutMs of cuts) {
          await clock.advance(cutMs);
          fake.cut('one');
          sink.accepts = !pushesBack;
        }
        await clock.advance(3000);
        await stop();
        const totals = collector.totals();
        expect(totals.due).toBe(totals.taken + totals.missed);
        expect(totals.due).toBeGreaterThan(0);
        expect(sink.takenReadings).toBe(totals.taken);
        expect(sink.missedReadings).toBe(totals.missed);
        for (const report of sink.reports) {
          expect(report.points).toBe(report.alias.length + report.unchanged);
        }
        expectApart(sink.reports);
      },
    ),
    { numRuns: 60 },
  );
});

test('a poll that outlasts its period makes the next one missed, and never two at a time', async () => {
  const { clock, fake, sink, stop } = collect({ ...well, answerMs: () => 1500 }, [
    device('a', 'one', [{ periodMs: 1000, points: 1 }]),
  ]);
  await clock.advance(10_100);
  await stop();
  const gapsMs = fake.asked.slice(1).map(({ monoMs }, at) => monoMs - fake.asked[at]!.monoMs);
  expect(new Set(gapsMs)).toEqual(new Set([2000]));
  expect(sink.missedReadings).toBe(5);
});

test('a poll due in the millisecond in which the one before timed out brings no second reading', async () => {
  const { clock, sink, collector, stop } = collect({ ...well, answerMs: () => null }, [
    device('a', 'one', [{ periodMs: TIMEOUT_MS, points: 1 }]),
  ]);
  await clock.advance(20_000);
  await stop();
  expectApart(sink.reports);
  const { due, taken, missed } = collector.totals();
  expect([taken + missed, missed > 0]).toEqual([due, true]);
});

test('missed polls of one stretch are told as one gap', async () => {
  const { clock, sink, stop } = collect({ ...well, answerMs: () => 5500 }, [
    device('a', 'one', [{ periodMs: 1000, points: 2 }]),
  ]);
  await clock.advance(7000);
  await stop();
  expect(sink.misses[0]).toMatchObject({ firstAlias: 0, points: 2, polls: 5 });
  expect(sink.misses[0]!.toMonoMs - sink.misses[0]!.fromMonoMs).toBe(4000);
});

test('a dead device costs one short request a back-off, and its readings turn bad, not silent', async () => {
  const { clock, fake, sink, stop } = collect(
    { ...well, answerMs: (id) => (id === 'dead' ? null : 5) },
    [
      device('dead', 'bus', [{ periodMs: 1000, points: 10 }]),
      device('well', 'bus', [{ periodMs: 1000, points: 10 }], 10),
    ],
  );
  const hourMs = 3_600_000;
  await clock.advance(hourMs);
  await stop();
  const askedDead = fake.asked.filter(({ device: id }) => id === 'dead');
  expect(askedDead.filter(({ points }) => points > 1)).toHaveLength(FAILURES_MAX);
  const probes = askedDead.filter(({ points }) => points === 1).length;
  const shortestMs = PROBE_BACKOFF.maxMs * (1 - PROBE_BACKOFF.jitter);
  expect(probes).toBeLessThan(hourMs / shortestMs + 10);
  expect((probes * TIMEOUT_MS) / hourMs).toBeLessThan(0.05);
  expect(sink.qualities(0).every((quality) => quality === TIMEOUT)).toBe(true);
  expect(sink.qualities(0).length).toBeGreaterThan(3500);
  const gapsMs = sink.reports
    .filter(({ firstAlias }) => firstAlias === 10)
    .map(({ fromMonoMs }, at, all) => (at ? fromMonoMs - all[at - 1]!.fromMonoMs : 1000));
  expect(new Set(gapsMs)).toEqual(new Set([1000]));
});

test('a device that comes back is asked whole again with the first probe it answers', async () => {
  const { clock, sink, collector, stop } = collect(
    { ...well, answerMs: (id, monoMs) => (id === 'a' && monoMs < 30_000 ? null : 5) },
    [
      device('a', 'bus', [{ periodMs: 1000, points: 5 }]),
      device('b', 'bus', [{ periodMs: 1000, points: 5 }], 5),
    ],
  );
  await clock.advance(29_000);
  expect(collector.devices()[0]?.state).toBe('down');
  await clock.advance(PROBE_BACKOFF.maxMs + 2000);
  expect(collector.devices()[0]?.state).toBe('up');
  await stop();
  expect(sink.qualities(0).at(-1)).toBe(GOOD);
  const turns = sink.qualities(0).filter((quality, at, all) => quality !== all[at - 1]);
  expect(turns).toEqual([TIMEOUT, GOOD]);
});

test('a link that cannot be opened holds up neither the others nor the account', async () => {
  const { clock, sink, collector, stop } = collect(
    { ...well, openMs: (id) => (id === 'down' ? null : 1) },
    [
      device('a', 'down', [{ periodMs: 1000, points: 1 }]),
      device('b', 'fine', [{ periodMs: 1000, points: 1 }], 1),
    ],
  );
  await clock.advance(START_WAIT_MS + 20_000);
  expect(collector.links().map(({ state }) => state)).toEqual([expect.anything(), 'open']);
  expect(collector.links()[0]?.fault).toBe('link_refused');
  await stop();
  expect(sink.qualities(0).every((quality) => quality === NO_CONNECTION)).toBe(true);
  expect(sink.qualities(1).every((quality) => quality === GOOD)).toBe(true);
  expect(Math.abs(sink.qualities(0).length - sink.qualities(1).length)).toBeLessThanOrEqual(1);
  expect(collector.totals().missed).toBe(0);
});

test('a link behind which nobody answers is opened anew, at most every back-off', async () => {
  let opens = 0;
  const { clock, collector, metrics, stop } = collect(
    {
      answerMs: (_id, monoMs) => (monoMs < 300_000 ? null : 5),
      openMs: () => {
        opens++;
        return 1;
      },
    },
    [device('a', 'one', [{ periodMs: 1000, points: 1 }])],
  );
  await clock.advance(300_000);
  expect(opens).toBeGreaterThan(5);
  expect(opens).toBeLessThan(30);
  expect(collector.links()[0]?.fault).toBe('link_silent');
  await clock.advance(60_000);
  expect(collector.links()[0]).toMatchObject({ state: 'open', fault: null });
  expect(collector.devices()[0]?.state).toBe('up');
  // Each session has dropped one: they are counted over all sessions, and told to whoever watches.
  expect(collector.links()[0]?.anomalies).toEqual({ garbage: opens });
  expect(metrics.render()).toContain(
    `edge_link_anomalies_total{link="one",kind="garbage"} ${opens}`,
  );
  await stop();
});

/** Event and code of what is logged. */
function noted(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const note: Log['warn'] = (event, fields) => {
    lines.push(fields?.['code'] === undefined ? event : `${event} ${fields['code']}`);
  };
  return { log: { ...silentLog, info: note, warn: note }, lines };
}

test('an hour without the link is one line for each cause, and one for each way back', async () => {
  const { log, lines } = noted();
  const { clock, fake, stop } = collect(
    {
      answerMs: () => 5,
      openMs: (_id, monoMs) => (monoMs > 5000 && monoMs < 3_600_000 ? null : 1),
    },
    [device('a', 'one', [{ periodMs: 1000, points: 1 }])],
    log,
  );
  await clock.advance(6000);
  fake.cut('one');
  await clock.advance(3_700_000);
  expect(lines).toEqual([
    'link_up',
    'device_up',
    'link_down link_lost',
    'link_down link_refused',
    'link_open',
    'link_up',
  ]);
  await stop();
});

test('a link whose trouble changes says the new cause, and a cause that lasts is said once', async () => {
  const { log, lines } = noted();
  const { clock, stop } = collect(
    {
      answerMs: () => null,
      openMs: (_id, monoMs) =>
        monoMs < 600_000 || (monoMs > 1_200_000 && monoMs < 1_800_000) ? null : 1,
    },
    [device('a', 'one', [{ periodMs: 1000, points: 1 }])],
    log,
  );
  await clock.advance(2_400_000);
  expect(lines.filter((line) => line.startsWith('link'))).toEqual([
    'link_down link_refused',
    'link_open',
    'link_down link_silent',
    'link_down link_refused',
    'link_open',
    'link_down link_silent',
  ]);
  await stop();
});

test('while the outbox pushes back, trend is missed and counted, and life-safety goes on', async () => {
  const { clock, sink, collector, stop } = collect(well, [
    device('a', 'one', [
      { periodMs: 1000, points: 2, class: 'life-safety' },
      { periodMs: 5000, points: 3, class: 'trend' },
    ]),
  ]);
  sink.accepts = false;
  await clock.advance(60_000);
  expect(sink.misses.length).toBeLessThanOrEqual(60_000 / MISSED_HOLD_MS);
  await stop();
  const totals = collector.totals();
  expect(sink.qualities(2)).toEqual([]);
  expect(totals.missed).toBe(sink.missedReadings);
  expect(totals.taken).toBe(sink.qualities(0).length * 2);
  expect(totals.missed).toBeGreaterThan(0);
});

test('stopping waits for a poll under way, and takes it', async () => {
  const { clock, sink, collector } = collect({ ...well, answerMs: () => 900 }, [
    device('a', 'one', [{ periodMs: 60_000, points: 2 }]),
  ]);
  await clock.advance(100);
  const stopped = collector.stop(2000);
  await clock.advance(2000);
  await stopped;
  expect(sink.qualities(0)).toEqual([GOOD]);
  expect(collector.totals()).toMatchObject({ due: 2, taken: 2, missed: 0 });
});
