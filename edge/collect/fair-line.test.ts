// Fairness with the real driver: Modbus RTU over the simulated line, whose stations answer, stay
// silent, are cut off or late, and whose late answers meet those of others on the wire.
import { expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { Problems } from '../../core/problems.ts';
import { seededRandom } from '../../core/random.ts';
import type { Link } from '../../protocols/driver.ts';
import { lineSettings } from '../../protocols/line-settings.ts';
import { modbus } from '../../protocols/modbus/driver.ts';
import { SimBus } from '../../simulators/bus.ts';
import { parseFault } from '../../simulators/faults.ts';
import type { RegisterBank } from '../../simulators/modbus-answer.ts';
import type { CollectedDevice } from './device.ts';
import { Collector } from './loop.ts';
import { SICK_SHARE, TOLERANCE } from './turns.ts';

const SETTINGS = lineSettings('9600-8N1')!;
const UNITS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const REGISTERS = 10;
const LENGTH_MS = 120_000;
/** The sick fall sick at 10 s, and three time-outs of each later all is settled. */
const CALM_MS = 40_000;

const bank: RegisterBank = {
  read: (_table, _address, count) => new Uint16Array(count),
  write: () => 0,
};

function deviceOf(unit: number, periodMs: number): CollectedDevice {
  const problems = new Problems('test');
  const addresses = Array.from(
    { length: REGISTERS },
    (_, address) =>
      modbus.parseAddress({ table: 'holding', address, type: 'uint16' }, [], problems)!,
  );
  const firstAlias = unit * REGISTERS;
  const points = addresses.map((address, at) => {
    const definition = {
      ...{ device: `d${unit}`, point: `p${at}`, name: { en: 'p', zh: '点' } },
      ...{ unit: '1', type: 'number' as const, scale: 1, offset: 0, range: null },
      ...{ class: 'trend' as const, periodMs, deadband: 0, asset: null, rules: [] },
    };
    const known = { invalid: new Map(), states: new Map(), norms: {}, caveat: null };
    const profile = { id: definition.point, address, definition, ...known } as never;
    return { definition, profile };
  });
  return {
    ...{ id: `d${unit}`, link: 'bus' },
    options: modbus.parseDevice({ unit, timeoutMs: 1000 }, [], problems)!,
    groups: [{ firstAlias, periodMs, points, addresses }],
  };
}

async function collect(texts: readonly string[], periodMs: number) {
  const clock = new SimClock();
  const problems = new Problems('test');
  const context = { on: 'line', settings: SETTINGS } as const;
  const faults = texts.map((text) => parseFault(text, context, [], problems)!);
  problems.throwIfAny();
  const stations = UNITS.map((unit) => ({ unit, bank, turnaroundMs: 10 }));
  using bus = new SimBus(clock, { settings: SETTINGS, stations, faults, seed: 3 });
  const asked = new Map(UNITS.map((unit): [number, number[]] => [unit, []]));
  /** When each unit was asked: a request begins with its unit. */
  const noting = (link: Link): Link => {
    const { send } = link;
    link.send = (bytes) => {
      asked.get(bytes[0]!)?.push(clock.monoMs());
      send.call(link, bytes);
    };
    return link;
  };
  const downs: string[] = [];
  const warn: Log['warn'] = (event, fields) => {
    if (event === 'device_down') downs.push(`${fields?.['device']} ${fields?.['code']}`);
  };
  const log: Log = { ...silentLog, warn };
  const collector = new Collector(clock, seededRandom(1), log, new Metrics(), {
    links: [
      {
        ...{ id: 'bus', protocol: modbus as never, line: { framing: 'rtu', echo: false } },
        open: async () => noting(bus.attachMaster()),
      },
    ],
    devices: UNITS.map((unit) => deviceOf(unit, periodMs)),
    sink: { accepts: true, report: () => {}, missed: () => {} },
    reportAll: true,
  });
  collector.start();
  await clock.advance(LENGTH_MS);
  const [line] = collector.links();
  const devices = collector.devices();
  const stopped = collector.stop(2000);
  await clock.advance(5000);
  await stopped;
  return { asked, downs, line: line!, devices, totals: collector.totals() };
}

/** How far from the period the requests to each well unit left at most, in periods. */
function worst(
  asked: ReadonlyMap<number, readonly number[]>,
  well: readonly number[],
  periodMs: number,
) {
  let most = 0;
  for (const unit of well) {
    const times = asked.get(unit)!.filter((ms) => ms > CALM_MS && ms < LENGTH_MS);
    let before = times[0]!;
    for (const ms of times) {
      // After a failure the driver asks something else first, to tell a late answer apart.
      if (ms - before < periodMs / 2) continue;
      most = Math.max(most, Math.abs((ms - before) / periodMs - 1));
      before = ms;
    }
  }
  return most;
}

const PERIOD_MS = 1000;

test('ten devices of ten registers at 9,600 baud and 1 s are asked on the millisecond', async () => {
  const { asked, line } = await collect([], PERIOD_MS);
  expect(line.loadPercent).toBeGreaterThan(40);
  expect(line.loadPercent).toBeLessThan(60);
  expect(worst(asked, UNITS, PERIOD_MS)).toBeLessThan(0.01);
});

const sickness = [
  'silence:2',
  'silence:2+3+4',
  'truncate=5:2+3',
  'noise=3:2+3',
  // Answers shortly before the time-out, and after it, while others are asked.
  'late=900:2',
  'late=1500:2',
  'late=1500:2+3+4',
];

test.each(sickness)('%s: the others keep their period within a tenth', async (text) => {
  const { asked, line, devices, totals } = await collect([`${text}@10s`], PERIOD_MS);
  const sick = (text.split(':')[1] ?? '').split('+').map(Number);
  const well = UNITS.filter((unit) => !sick.includes(unit));
  expect(worst(asked, well, PERIOD_MS)).toBeLessThanOrEqual(TOLERANCE);
  expect(line.probesPercent).toBeLessThanOrEqual(100 * SICK_SHARE);
  expect(line.devicesDegraded).toBe(sick.length);
  expect(devices.filter(({ state }) => state === 'down').length).toBe(sick.length);
  expect(totals.due).toBe(totals.taken + totals.missed);
});

test('a device whose answers come broken is told from one that is off, and the line counts them', async () => {
  const { downs, line } = await collect(['silence:2@10s', 'noise=3:3@10s'], PERIOD_MS);
  expect(downs.sort()).toEqual(['d2 device_timeout', 'd3 modbus_broken_answer']);
  expect(line.anomalies['garbage']).toBeGreaterThan(2);
  expect((await collect([], PERIOD_MS)).line.anomalies['garbage']).toBe(0);
});
