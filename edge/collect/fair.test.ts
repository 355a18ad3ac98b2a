// Fairness on simulated time. The bus is the border: everything behind it is this fake, which
// carries one request after the other and takes exactly what the arithmetic says; everything before
// it is real.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { unreachable } from '../../core/fault.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';
import { seededRandom } from '../../core/random.ts';
import type { PointClass } from '../../core/reading.ts';
import type { Answers, Link, Plan, Protocol, Urgency } from '../../protocols/driver.ts';
import type { CollectedDevice } from './device.ts';
import { FAILURES_MAX } from './health.ts';
import { Collector } from './loop.ts';
import { unanswered } from './normalise.ts';
import { FIRST_WITHIN_MS } from './schedule.ts';
import { BUDGET_FACTOR, SICK_SHARE, TOLERANCE } from './turns.ts';

const TIMEOUT = qualityCode('bad', 'timeout');
const BAD_RESPONSE = qualityCode('bad', 'bad_response');
const TIMEOUT_MS = 1000;
const REGISTERS_MAX = 125;
/** The urgency of what goes for the sick. */
const RANK_SICK = 3;
/** 11 bits a character at 9,600 baud. */
const CHARACTER_MS = 11 / 9.6;
/** Between an answer and the next request. */
const SILENCE_MS = 3.5 * CHARACTER_MS;

/** What a device does with a request: answers after so long, with junk, or not at all. */
type Reply = { readonly afterMs: number; readonly isJunk?: boolean } | null;

interface Station {
  readonly id: string;
  /** Turnaround when all is well. */
  readonly thinkMs: number;
  /** `attempt` counts the requests to it. */
  reply(monoMs: number, attempt: number): Reply;
}

interface BusPlan extends Plan {
  readonly cuts: readonly number[];
}

/** One poll as the line saw it. */
interface Seen {
  readonly device: string;
  readonly points: number;
  readonly rank: number;
  readonly isShortened: boolean;
  readonly startMonoMs: number;
  endMonoMs: number;
  lineMs: number;
  isAnswered: boolean;
}

interface Request {
  readonly station: Station;
  readonly registers: number;
  readonly urgency: Urgency;
  sent(): void;
  settled(quality: number, tookMs: number): void;
}

function requestMs(registers: number, thinkMs: number): number {
  return thinkMs + (8 + 5 + 2 * registers) * CHARACTER_MS + SILENCE_MS;
}

function planFor({ thinkMs }: Station, points: number): BusPlan {
  const cuts: number[] = [];
  for (let left = points; left > 0; left -= REGISTERS_MAX) cuts.push(Math.min(left, REGISTERS_MAX));
  const lineMs = cuts.reduce((sum, cut) => sum + requestMs(cut, thinkMs), 0);
  return { points, cuts, requests: cuts.length, lineMs };
}

/** A half-duplex bus: the most urgent request next, one at a time. */
class FakeBus {
  readonly #clock: SimClock;
  readonly seen: Seen[] = [];
  readonly #attempts = new Map<Station, number>();
  #queue: Request[] = [];
  #isBusy = false;

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  async poll(
    station: Station,
    { points, cuts }: BusPlan,
    signal: AbortSignal,
    urgency: Urgency,
  ): Promise<Answers> {
    let seen: Seen | null = null;
    let requests = 0;
    let quality: number = GOOD;
    const sent = () => {
      if (seen) return;
      const startMonoMs = this.#clock.monoMs();
      const device = station.id;
      const isShortened = (urgency.timeoutMs ?? TIMEOUT_MS) < TIMEOUT_MS;
      const about = { device, points, rank: urgency.rank, isShortened, startMonoMs };
      seen = { ...about, endMonoMs: 0, lineMs: 0, isAnswered: false };
      this.seen.push(seen);
    };
    let lineMs = 0;
    for (const registers of cuts) {
      const took = await this.#ask({ station, registers, urgency, sent }, signal);
      if (!took) quality = TIMEOUT;
      else {
        requests++;
        lineMs += took.tookMs;
        quality = took.quality;
      }
      if (quality !== GOOD) break;
    }
    const isAnswered = quality === GOOD;
    const endMonoMs = this.#clock.monoMs();
    if (seen) Object.assign(seen, { endMonoMs, lineMs, isAnswered });
    const failures = isAnswered ? 0 : Math.max(1, requests);
    const all = unanswered(points, quality, endMonoMs);
    return { ...all, requests: Math.max(1, requests), failures, lineMs };
  }

  /** Null when it was given up before it was sent. */
  #ask(
    ask: Omit<Request, 'settled'>,
    signal: AbortSignal,
  ): Promise<{ quality: number; tookMs: number } | null> {
    return new Promise((resolve) => {
      const settled = (quality: number, tookMs: number) => {
        signal.removeEventListener('abort', abort);
        resolve({ quality, tookMs });
      };
      const request: Request = { ...ask, settled };
      const abort = () => {
        if (!this.#queue.includes(request)) return; // On the line: it is waited out.
        this.#queue = this.#queue.filter((other) => other !== request);
        resolve(null);
      };
      if (signal.aborted) return resolve(null);
      signal.addEventListener('abort', abort, { once: true });
      this.#queue.push(request);
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isBusy || this.#queue.length === 0) return;
    this.#queue.sort(
      (a, b) => a.urgency.rank - b.urgency.rank || a.urgency.dueMonoMs - b.urgency.dueMonoMs,
    );
    const { station, registers, urgency, sent, settled } = this.#queue.shift()!;
    sent();
    const attempt = this.#attempts.get(station) ?? 0;
    this.#attempts.set(station, attempt + 1);
    const timeoutMs = Math.min(TIMEOUT_MS, urgency.timeoutMs ?? TIMEOUT_MS);
    const reply = station.reply(this.#clock.monoMs(), attempt);
    const isInTime = reply !== null && reply.afterMs <= timeoutMs;
    const tookMs = isInTime ? requestMs(registers, reply.afterMs) : 8 * CHARACTER_MS + timeoutMs;
    const quality = !isInTime ? TIMEOUT : reply.isJunk ? BAD_RESPONSE : GOOD;
    this.#isBusy = true;
    const release = () => {
      this.#isBusy = false;
      this.#pump();
    };
    // Who is told of an answer may ask again before the line was silent long enough for the next
    // request. After a time-out it was: the next is sent before anybody can.
    if (isInTime) {
      this.#clock.after(tookMs - SILENCE_MS, () => settled(quality, tookMs));
      this.#clock.after(tookMs, release);
    } else {
      this.#clock.after(tookMs, () => {
        settled(quality, tookMs);
        release();
      });
    }
  }
}

interface GroupShape {
  readonly points: number;
  readonly periodMs: number;
  readonly class?: PointClass;
}

interface DeviceShape {
  readonly station: Station;
  readonly link: string;
  readonly groups: readonly GroupShape[];
}

function collected({ station, link, groups }: DeviceShape, firstAlias: number): CollectedDevice {
  let alias = firstAlias;
  return {
    ...{ id: station.id, link, options: station },
    groups: groups.map(({ points, periodMs, class: pointClass = 'trend' }) => {
      const first = alias;
      alias += points;
      const all = Array.from({ length: points }, (_, at) => {
        const definition = {
          ...{ device: station.id, point: `p${first + at}`, name: { en: 'p', zh: '点' } },
          ...{ unit: '1', type: 'number' as const, scale: 1, offset: 0, range: null },
          ...{ class: pointClass, periodMs, deadband: 0, asset: null, rules: [] },
        };
        const address = { table: 'holding', address: first + at, type: 'uint16' } as never;
        const known = { invalid: new Map(), states: new Map(), norms: {}, caveat: null };
        return { definition, profile: { id: definition.point, address, definition, ...known } };
      });
      const addresses = all.map(({ profile }) => profile.address);
      return { firstAlias: first, periodMs, points: all, addresses };
    }),
  };
}

async function run(shapes: readonly DeviceShape[], lengthMs: number) {
  const clock = new SimClock();
  const buses = new Map<string, FakeBus>();
  for (const { link } of shapes) if (!buses.has(link)) buses.set(link, new FakeBus(clock));
  const protocolOf = (bus: FakeBus): Protocol => ({
    ...{ name: 'fake', parseAddress: (raw) => raw, parseDevice: (raw) => raw },
    parseLine: (raw) => raw,
    open: (_clock, link) => ({
      close: () => link.close(),
      device: (options) => ({
        plan: (addresses) => planFor(options as Station, addresses.length),
        poll: (plan, signal, urgency) =>
          bus.poll(options as Station, plan as BusPlan, signal, urgency!),
      }),
    }),
  });
  const open = async (): Promise<Link> => {
    const link: Link = {
      ...{ send: () => {}, onBytes: () => {}, onClose: () => {} },
      close: () => link.onClose(null),
    };
    return link;
  };
  let alias = 0;
  const devices = shapes.map((shape) => {
    const device = collected(shape, alias);
    alias += shape.groups.reduce((sum, { points }) => sum + points, 0);
    return device;
  });
  const collector = new Collector(clock, seededRandom(1), silentLog, new Metrics(), {
    links: [...buses].map(([id, bus]) => ({ id, protocol: protocolOf(bus), open })),
    devices,
    sink: { accepts: true, report: () => {}, missed: () => {} },
    reportAll: true,
  });
  collector.start();
  await clock.advance(lengthMs);
  const links = collector.links();
  const reports = collector.devices();
  const running = reports.map(({ totals: { due, taken, missed } }) => due - taken - missed);
  const stopped = collector.stop(2000);
  await clock.advance(5000);
  await stopped;
  return { totals: collector.totals(), buses, links, devices: reports, running };
}

const kinds = ['silent', 'cut off', 'late', 'junk', 'long junk', 'slow'] as const;

interface Fault {
  readonly kind: (typeof kinds)[number];
  readonly fromMs: number;
  /** Of an answer that comes slowly, as a share of the time-out. */
  readonly share: number;
}

function stationOf(id: string, thinkMs: number, fault: Fault | null): Station {
  const well = { afterMs: thinkMs };
  return {
    ...{ id, thinkMs },
    reply: (monoMs) => {
      if (!fault || monoMs < fault.fromMs) return well;
      switch (fault.kind) {
        case 'silent':
        case 'cut off': // What is not complete is waited for until the time-out.
          return null;
        case 'late':
          return { afterMs: TIMEOUT_MS * (1 + fault.share) };
        case 'junk':
          return { ...well, isJunk: true };
        case 'long junk':
          return { afterMs: TIMEOUT_MS * fault.share, isJunk: true };
        case 'slow':
          return { afterMs: TIMEOUT_MS * fault.share };
        default:
          return unreachable(fault.kind);
      }
    },
  };
}

const groupsArbitrary = fc.record({
  thinkMs: fc.integer({ min: 2, max: 40 }),
  fast: fc.integer({ min: 2, max: 50 }),
  slow: fc.option(
    fc.record({ points: fc.integer({ min: 51, max: 100 }), times: fc.constantFrom(2, 3, 5, 10) }),
    { nil: null },
  ),
  isLifeSafety: fc.boolean(),
});

const faultArbitrary: fc.Arbitrary<Fault> = fc.record({
  kind: fc.constantFrom(...kinds),
  fromMs: fc.integer({ min: 0, max: 20_000 }),
  share: fc.double({ min: 0.3, max: 0.99, noNaN: true }),
});

const lineArbitrary = fc.record({
  load: fc.double({ min: 0.1, max: 0.6, noNaN: true }),
  devices: fc.array(groupsArbitrary, { minLength: 3, maxLength: 12 }),
  faults: fc.array(faultArbitrary, { maxLength: 4 }),
});

type LineCase = typeof lineArbitrary extends fc.Arbitrary<infer Case> ? Case : never;

/**
 * A line loaded as said, on which no request takes more than TOLERANCE of the shortest period. The
 * groups of a device differ in their points, so a poll says which it is.
 */
function lineOf({ load, devices, faults }: LineCase): LineShape {
  const stations = devices.map(({ thinkMs }, at) =>
    stationOf(`d${at}`, thinkMs, at > 0 ? (faults[at - 1] ?? null) : null),
  );
  const costs = devices.map(({ fast, slow }, at) => ({
    fastMs: planFor(stations[at]!, fast).lineMs,
    slowMs: slow ? planFor(stations[at]!, slow.points).lineMs : 0,
    times: slow?.times ?? 1,
  }));
  const unitMs = costs.reduce((sum, { fastMs, slowMs, times }) => sum + fastMs + slowMs / times, 0);
  const longestMs = Math.max(...costs.flatMap(({ fastMs, slowMs }) => [fastMs, slowMs]));
  const periodMs = Math.ceil(Math.max(unitMs / load, longestMs / TOLERANCE));
  const shapes = devices.map(({ fast, slow, isLifeSafety }, at): DeviceShape => {
    const pointClass = isLifeSafety ? 'life-safety' : 'trend';
    const first: GroupShape = { points: fast, periodMs, class: pointClass };
    const second = slow ? [{ points: slow.points, periodMs: periodMs * slow.times }] : [];
    return { station: stations[at]!, link: 'bus', groups: [first, ...second] };
  });
  return { shapes, faults: faults.slice(0, devices.length - 1), periodMs };
}

interface LineShape {
  readonly shapes: readonly DeviceShape[];
  /** Of the second device and those behind it. */
  readonly faults: readonly Fault[];
  readonly periodMs: number;
}

const isSick = (shape: DeviceShape, { faults, shapes }: LineShape) => {
  const at = shapes.indexOf(shape);
  return at > 0 && at <= faults.length;
};

/** When the device had given up, or taken far too long for, its third poll. */
function thirdFailureMs(seen: readonly Seen[], { station }: DeviceShape): number {
  const failures = seen.filter((poll) => {
    if (poll.device !== station.id) return false;
    // What was given up early, as another's late answer may have met it, tells nothing.
    if (poll.isShortened && poll.rank < RANK_SICK) return false;
    const planned = planFor(station, poll.points).lineMs;
    return !poll.isAnswered || poll.lineMs > BUDGET_FACTOR * planned;
  });
  return failures[FAILURES_MAX - 1]?.endMonoMs ?? 0;
}

/** How far apart successive polls of each group began, and after which time. */
function intervals(seen: readonly Seen[], { station, groups }: DeviceShape) {
  return groups.flatMap(({ points, periodMs }) => {
    const own = seen.filter((poll) => poll.device === station.id && poll.points === points);
    return own.slice(1).map(({ startMonoMs }, at) => {
      const before = own[at]!.startMonoMs;
      return { periodMs, fromMonoMs: before, tookMs: startMonoMs - before };
    });
  });
}

const LENGTH_MS = 120_000;
/** Bounded here; `RUNS=5000` asks for more. */
const RUNS = Number(process.env['RUNS'] ?? 150);
/** By then each group was asked once out of turn, whatever delayed it. */
const FIRST_MS = FIRST_WITHIN_MS + 6000;
/** A line loaded to 60 % works a time-out of 1 s off in 2.5 s, beside the requests' own time. */
const CATCH_UP_MS = 4000;

/** Of those that are well, how far from their period successive polls began at most, in periods. */
function worstOf(line: LineShape, seen: readonly Seen[], fromMs: number): number {
  const healthy = line.shapes.filter((shape) => !isSick(shape, line));
  const all = healthy.flatMap((shape) => intervals(seen, shape));
  const measured = all.filter(
    ({ fromMonoMs, tookMs }) => fromMonoMs > fromMs && fromMonoMs + tookMs < LENGTH_MS,
  );
  return Math.max(0, ...measured.map(({ periodMs, tookMs }) => Math.abs(tookMs / periodMs - 1)));
}

/** The promise to those that are well, and what the sick may take. */
async function keepsPeriods(of: LineCase): Promise<void> {
  const line = lineOf(of);
  const well = lineOf({ ...of, faults: [] });
  const calm = await run(well.shapes, LENGTH_MS);
  // Few lines of 60 % cannot be laid out so that periods of 2, 3 and 5 times another keep clear.
  fc.pre(worstOf(line, calm.buses.get('bus')!.seen, FIRST_MS) <= TOLERANCE);
  const { buses, totals, running } = await run(line.shapes, LENGTH_MS);
  const { seen } = buses.get('bus')!;
  const sick = line.shapes.filter((shape) => isSick(shape, line));
  const calmMs = Math.max(FIRST_MS, ...sick.map((shape) => thirdFailureMs(seen, shape)));
  const fromMs = calmMs + line.periodMs + CATCH_UP_MS;
  expect(worstOf(line, seen, fromMs)).toBeLessThanOrEqual(TOLERANCE);

  const lost = seen.filter(
    ({ rank, isAnswered, points }) => rank === RANK_SICK && (points === 1 || !isAnswered),
  );
  const lostMs = lost.reduce((sum, { lineMs }) => sum + lineMs, 0);
  expect(lostMs).toBeLessThanOrEqual(SICK_SHARE * LENGTH_MS);

  expect(totals.due).toBe(totals.taken + totals.missed);
  expect(Math.min(...running)).toBeGreaterThanOrEqual(0);
}

test('on a line that keeps its periods when all are well: from the third failure of the sick on, devices that are well keep their period within a tenth', async () => {
  const property = fc.asyncProperty(lineArbitrary, keepsPeriods);
  await fc.assert(property, { numRuns: RUNS, endOnFailure: true });
}, 300_000);

const deviceOf = (
  thinkMs: number,
  fast: number,
  slow: readonly [points: number, times: 2 | 3 | 5 | 10] | null,
  pointClass: 'life-safety' | 'trend',
): LineCase['devices'][number] => ({
  ...{ thinkMs, fast, isLifeSafety: pointClass === 'life-safety' },
  slow: slow && { points: slow[0], times: slow[1] },
});

test('a device that is over its budget waits behind probes that are saved for: there was room, so it is not forced onto the line', async () => {
  await keepsPeriods({
    load: 0.5999999999999988,
    devices: [
      deviceOf(38, 36, [99, 5], 'life-safety'),
      deviceOf(32, 11, [87, 3], 'life-safety'),
      deviceOf(39, 5, [61, 10], 'trend'),
      deviceOf(13, 13, [92, 3], 'life-safety'),
      deviceOf(16, 18, [52, 5], 'trend'),
      deviceOf(37, 36, [92, 2], 'trend'),
      deviceOf(2, 50, [56, 3], 'trend'),
      deviceOf(19, 4, [77, 2], 'life-safety'),
      deviceOf(22, 49, [80, 2], 'life-safety'),
      deviceOf(9, 14, [54, 5], 'life-safety'),
    ],
    faults: [
      { kind: 'cut off', fromMs: 7227, share: 0.4599 },
      { kind: 'slow', fromMs: 3695, share: 0.4761 },
      { kind: 'slow', fromMs: 280, share: 0.4685 },
    ],
  });
});

test('what is sent the moment a probe times out does not wait a whole time-out for an answer that the late one met', async () => {
  await keepsPeriods({
    load: 0.3873,
    devices: [
      deviceOf(16, 18, [74, 5], 'trend'),
      deviceOf(2, 24, [62, 5], 'trend'),
      deviceOf(6, 8, [57, 5], 'trend'),
      deviceOf(10, 38, [62, 10], 'life-safety'),
      deviceOf(23, 29, [73, 3], 'trend'),
      deviceOf(12, 37, [73, 10], 'life-safety'),
      deviceOf(14, 3, null, 'life-safety'),
      deviceOf(26, 41, [69, 10], 'trend'),
      deviceOf(27, 6, [70, 3], 'trend'),
      deviceOf(3, 35, [58, 5], 'life-safety'),
    ],
    faults: [
      { kind: 'silent', fromMs: 590, share: 0.7571 },
      { kind: 'cut off', fromMs: 18223, share: 0.7846 },
      { kind: 'long junk', fromMs: 7442, share: 0.862 },
    ],
  });
});

test('a failure counts if its request was given its whole time-out, if only by a millisecond', async () => {
  await keepsPeriods({
    load: 0.3343686785911156,
    devices: [
      deviceOf(14, 40, null, 'life-safety'),
      deviceOf(22, 45, [84, 3], 'life-safety'),
      deviceOf(14, 14, [56, 5], 'trend'),
      deviceOf(17, 18, [86, 10], 'trend'),
      deviceOf(3, 13, [68, 2], 'trend'),
      deviceOf(25, 13, [64, 10], 'life-safety'),
      deviceOf(3, 8, [93, 5], 'trend'),
      deviceOf(7, 14, [74, 5], 'life-safety'),
      deviceOf(23, 26, null, 'life-safety'),
      deviceOf(5, 4, [91, 3], 'trend'),
      deviceOf(17, 5, [67, 3], 'life-safety'),
      deviceOf(37, 44, [80, 10], 'life-safety'),
    ],
    faults: [
      { kind: 'silent', fromMs: 7805, share: 0.4403 },
      { kind: 'silent', fromMs: 5332, share: 0.36 },
      { kind: 'long junk', fromMs: 19695, share: 0.47451591548170746 },
    ],
  });
});

test('before that, a cycle grows by one time-out for each of the sick at most', async () => {
  await fc.assert(
    fc.asyncProperty(lineArbitrary, async (of) => {
      const line = lineOf(of);
      const { buses } = await run(line.shapes, LENGTH_MS / 2);
      const { seen } = buses.get('bus')!;
      const outageMs = TIMEOUT_MS + requestMs(REGISTERS_MAX, 0);
      for (const shape of line.shapes) {
        if (isSick(shape, line)) continue;
        for (const { periodMs, fromMonoMs, tookMs } of intervals(seen, shape)) {
          if (fromMonoMs < FIRST_MS) continue; // Once out of turn.
          // What piled up meanwhile goes first where it is more urgent: a cycle's work at most.
          const piledMs = of.load * line.periodMs;
          const mostMs = (1 + TOLERANCE) * periodMs + line.faults.length * outageMs + piledMs;
          expect(tookMs).toBeLessThanOrEqual(mostMs);
        }
      }
    }),
    { numRuns: RUNS / 2, endOnFailure: true },
  );
}, 300_000);

const shape = (station: Station, groups: readonly GroupShape[], link = 'bus'): DeviceShape => ({
  ...{ station, link, groups },
});
const sickFrom = (kind: Fault['kind'], fromMs: number, share = 0.9): Fault => ({
  ...{ kind, fromMs, share },
});

test('devices on another line are asked at the same moments, whatever happens on this one', async () => {
  const startsOnB = async (fault: Fault | null) => {
    const a = [0, 1, 2].map((at) =>
      shape(stationOf(`a${at}`, 10, at < 2 ? fault : null), [{ points: 20, periodMs: 1000 }], 'a'),
    );
    const b = [0, 1, 2].map((at) =>
      shape(stationOf(`b${at}`, 10, null), [{ points: 20, periodMs: 1000 }], 'b'),
    );
    const { buses } = await run([...a, ...b], LENGTH_MS);
    return buses.get('b')!.seen.map(({ startMonoMs }) => startMonoMs);
  };
  const calm = await startsOnB(null);
  for (const kind of kinds) expect(await startsOnB(sickFrom(kind, 5000))).toEqual(calm);
});

test('a life-safety point waits for one request of a long poll, not for the poll', async () => {
  const long = 1000;
  const { buses } = await run(
    [
      shape(stationOf('meter', 10, null), [{ points: long, periodMs: 20_000 }]),
      shape(stationOf('gas', 10, null), [{ points: 2, periodMs: 1000, class: 'life-safety' }]),
    ],
    LENGTH_MS,
  );
  const { seen } = buses.get('bus')!;
  const one = requestMs(REGISTERS_MAX, 10);
  const gas = seen.filter(({ device }) => device === 'gas').map(({ startMonoMs }) => startMonoMs);
  const worstMs = Math.max(...gas.slice(1).map((ms, at) => Math.abs(ms - gas[at]! - 1000)));
  expect(worstMs).toBeGreaterThan(0);
  expect(worstMs).toBeLessThanOrEqual(one);
  expect(seen.filter(({ points, isAnswered }) => points === long && isAnswered).length).toBe(6);
});

test('a device that answers slowly goes behind: it is asked more seldom, its polls are missed and counted, and it is shown', async () => {
  const slow = stationOf('slow', 10, sickFrom('slow', 20_000, 0.9));
  const others = Array.from({ length: 8 }, (_, at) =>
    shape(stationOf(`d${at}`, 10, null), [{ points: 30, periodMs: 5000 }]),
  );
  const slowGroup = { points: 30, periodMs: 5000 };
  const { buses, devices, links } = await run([shape(slow, [slowGroup]), ...others], 600_000);
  const { seen } = buses.get('bus')!;
  const own = seen.filter(({ device, startMonoMs }) => device === 'slow' && startMonoMs > 60_000);
  const plannedMs = planFor(slow, 30).lineMs;
  const sharePlanned = plannedMs / 5000;
  const tookMs = own.reduce((sum, { lineMs }) => sum + lineMs, 0);
  expect(tookMs / 540_000).toBeLessThanOrEqual(BUDGET_FACTOR * sharePlanned * 1.05);
  expect(own.filter(({ isAnswered }) => isAnswered).length).toBeGreaterThan(15);
  const [report, ...rest] = devices;
  expect(report).toMatchObject({ state: 'up', overBudget: true });
  expect(report!.totals.missed).toBeGreaterThan(report!.totals.taken);
  expect(rest.every(({ overBudget, totals }) => !overBudget && totals.missed === 0)).toBe(true);
  expect(links[0]).toMatchObject({ devicesOverBudget: 1, devicesDegraded: 0 });
});

test('the line says what it is loaded with, what the sick take of it, and how many there are', async () => {
  const groups = [{ points: 30, periodMs: 1000 }];
  const { links } = await run(
    [
      shape(stationOf('dead', 10, sickFrom('silent', 0)), groups),
      shape(stationOf('a', 10, null), groups),
      shape(stationOf('b', 10, null), groups),
    ],
    LENGTH_MS,
  );
  const percent = planFor(stationOf('a', 10, null), 30).lineMs / 10;
  const [report] = links;
  expect(report).toMatchObject({ devicesDegraded: 1, devicesOverBudget: 0 });
  expect(report!.plannedPercent).toBeCloseTo(3 * percent, 0);
  expect(report!.probesPercent).toBeGreaterThan(0);
  expect(report!.probesPercent).toBeLessThanOrEqual(SICK_SHARE * 100);
  expect(Math.abs(report!.loadPercent - report!.probesPercent - 2 * percent)).toBeLessThan(1);
});

test('a device that comes and goes is trusted less each time: it delays others a few times an hour, not each time', async () => {
  const flapping: Station = {
    ...{ id: 'flapping', thinkMs: 10 },
    reply: (monoMs) => (Math.floor(monoMs / 30_000) % 2 ? null : { afterMs: 10 }),
  };
  const groups = [{ points: 10, periodMs: 1000 }];
  const others = ['a', 'b', 'c'].map((id) => shape(stationOf(id, 10, null), groups));
  const { buses } = await run([shape(flapping, groups), ...others], 3_600_000);
  const { seen } = buses.get('bus')!;
  const late = intervals(seen, others[0]!).filter(({ tookMs }) => tookMs > 1000 * (1 + TOLERANCE));
  expect(late.length).toBeLessThanOrEqual(10); // Of 60 outages.
  const good = seen.filter(({ device, isAnswered }) => device === 'flapping' && isAnswered);
  expect(good.length).toBeGreaterThan(500); // Of 1,800 it could have answered.
}, 120_000);
