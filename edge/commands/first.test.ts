// A command goes ahead of what is polled: proved on a line that is never free, at the level of the
// collector. 1,500 registers of twelve devices are due every second, which takes the line two.
import { expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { Problems } from '../../core/problems.ts';
import { pickInteger, seededRandom } from '../../core/random.ts';
import type { Link } from '../../protocols/driver.ts';
import { lineSettings } from '../../protocols/line-settings.ts';
import { modbus } from '../../protocols/modbus/driver.ts';
import { SimBus } from '../../simulators/bus.ts';
import type { RegisterBank } from '../../simulators/modbus-answer.ts';
import type { CollectedDevice } from '../collect/device.ts';
import { Collector } from '../collect/loop.ts';
import type { PollReport } from '../sink.ts';

const SETTINGS = lineSettings('9600-8N1')!;
const UNITS = 12;
const REGISTERS = 125;
const WRITE_CODE = 6;
const COMMANDS = 200;

class Bank implements RegisterBank {
  readonly words = new Uint16Array(REGISTERS);

  read(_table: string, address: number, count: number): Uint16Array {
    return this.words.slice(address, address + count);
  }

  write(_table: string, address: number, values: Uint16Array): number {
    this.words.set(values, address);
    return 0;
  }
}

const addressOf = (address: number) =>
  modbus.parseAddress({ table: 'holding', address, type: 'uint16' }, [], new Problems('test'))!;

function deviceOf(unit: number): CollectedDevice {
  const addresses = Array.from({ length: REGISTERS }, (_, at) => addressOf(at));
  const points = addresses.map((address, at) => {
    const definition = {
      ...{ device: `d${unit}`, point: `p${at}`, name: { en: 'p', zh: '点' } },
      ...{ unit: '1', type: 'number' as const, scale: 1, offset: 0, range: null },
      ...{ class: 'life-safety' as const, periodMs: 1_000, deadband: 0, asset: null, rules: [] },
    };
    const known = { invalid: new Map(), states: new Map(), norms: {}, caveat: null };
    const profile = { id: definition.point, address, definition, ...known } as never;
    return { definition, profile };
  });
  return {
    ...{ id: `d${unit}`, link: 'bus' },
    options: modbus.parseDevice({ unit, timeoutMs: 1_000 }, [], new Problems('test'))!,
    groups: [{ firstAlias: (unit - 1) * REGISTERS, periodMs: 1_000, points, addresses }],
  };
}

async function fullLine() {
  const clock = new SimClock();
  const banks = Array.from({ length: UNITS }, () => new Bank());
  const stations = banks.map((bank, at) => ({ unit: at + 1, bank, turnaroundMs: 5 }));
  const bus = new SimBus(clock, { settings: SETTINGS, stations, faults: [], seed: 3 });
  /** Function codes of the requests, as they left. */
  const sent: { readonly code: number; readonly atMs: number }[] = [];
  const noting = (link: Link): Link => {
    const { send } = link;
    link.send = (bytes) => {
      sent.push({ code: bytes[1]!, atMs: clock.monoMs() });
      send.call(link, bytes);
    };
    return link;
  };
  const reports: PollReport[] = [];
  const collector = new Collector(clock, seededRandom(1), silentLog, new Metrics(), {
    links: [
      {
        ...{ id: 'bus', protocol: modbus as never, line: { framing: 'rtu', echo: false } },
        open: async () => noting(bus.attachMaster()),
      },
    ],
    devices: Array.from({ length: UNITS }, (_, at) => deviceOf(at + 1)),
    sink: { accepts: true, report: (poll) => reports.push(poll), missed: () => {} },
    reportAll: false,
  });
  collector.start();
  await clock.advance(20_000);
  return { clock, banks, bus, sent, reports, collector };
}

test('a command waits for two transactions at most while 1,500 registers are polled without a pause', async () => {
  const { clock, banks, bus, sent, reports, collector } = await fullLine();
  using _bus = bus;
  expect(collector.links()[0]!.loadPercent).toBeGreaterThan(95);
  const random = seededRandom(7);
  const signal = new AbortController().signal;
  const waited: number[] = [];
  for (let at = 1; at <= COMMANDS; at++) {
    await clock.advance(pickInteger(random, 0, 400));
    const unit = pickInteger(random, 1, UNITS);
    const register = pickInteger(random, 0, REGISTERS - 1);
    const before = sent.length;
    const loop = collector.loopOf(`d${unit}`)!;
    let isOver = false;
    const commanding = loop
      .write(addressOf(register), at, signal, () => true)
      .then(async (written) => {
        const shown = await loop.look(`p${register}`, signal);
        isOver = true;
        return { written, shown };
      });
    while (!isOver) await clock.advance(5);
    const { written, shown } = await commanding;
    expect([written.fault, banks[unit - 1]!.words[register], shown?.raw]).toEqual([null, at, at]);
    // Those that left after the command was given; one more may have been under way.
    waited.push(sent.slice(before).findIndex(({ code }) => code === WRITE_CODE));
    const report = reports.at(-1)!;
    expect([report.urgent, report.values]).toEqual([true, [at]]);
  }
  expect(Math.max(...waited)).toBeLessThanOrEqual(1);
  const stopping = collector.stop(2_000);
  await clock.advance(5_000);
  await stopping;
  const { due, taken, missed } = collector.totals();
  expect(due).toBe(taken + missed);
});

test('no reading of a point goes back in time when it is looked at while it is polled', async () => {
  const { clock, bus, reports, collector } = await fullLine();
  using _bus = bus;
  const random = seededRandom(9);
  const signal = new AbortController().signal;
  for (let at = 1; at <= 60; at++) {
    await clock.advance(pickInteger(random, 0, 300));
    const loop = collector.loopOf('d1')!;
    void loop.write(addressOf(0), at, signal, () => true).then(() => loop.look('p0', signal));
  }
  await clock.advance(20_000);
  const newest = new Map<number, { monoMs: number; value: unknown }>();
  for (const { alias, monoMs, values } of reports) {
    alias.forEach((one, at) => {
      const before = newest.get(one);
      expect(Math.round(monoMs[at]!)).toBeGreaterThan(Math.round(before?.monoMs ?? -1));
      newest.set(one, { monoMs: monoMs[at]!, value: values[at] });
    });
  }
  expect(newest.get(0)?.value).toBe(60);
});
