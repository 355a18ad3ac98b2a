// The driver against the simulated line: whatever is wrong there, a reading that is called good is
// right, and devices that nothing is wrong with are read.
import { expect, test } from 'vitest';
import { SimClock } from '../core/clock.ts';
import { Problems } from '../core/problems.ts';
import { qualityOf } from '../core/quality.ts';
import { lineSettings } from '../protocols/line-settings.ts';
import { modbus } from '../protocols/modbus/driver.ts';
import { SimBus } from './bus.ts';
import { parseFault } from './faults.ts';
import type { RegisterBank } from './modbus-answer.ts';
import type { Framing } from './station.ts';

const settings = lineSettings('19200-8E1')!;
const UNITS = [1, 2, 3, 4];
const POLLS = 40;

/** Each read shows other values, so that a late answer is told from the right one. */
class Changing implements RegisterBank {
  readonly #unit: number;
  reads = 0;

  constructor(unit: number) {
    this.#unit = unit;
  }

  read(_table: string, address: number, count: number): Uint16Array {
    this.reads++;
    return Uint16Array.from({ length: count }, (_, at) => this.valueOf(address + at));
  }

  valueOf(address: number): number {
    return (this.#unit * 10_000 + this.reads * 100 + address) & 0xffff;
  }

  write(): number {
    return 0;
  }
}

interface Seen {
  /** Share of good readings, by unit. */
  readonly good: ReadonlyMap<number, number>;
  readonly wrong: readonly string[];
}

async function polled(text: string, framing: Framing = 'rtu'): Promise<Seen> {
  const clock = new SimClock();
  const banks = new Map(UNITS.map((unit) => [unit, new Changing(unit)]));
  const problems = new Problems('test');
  const fault = text === 'well' ? [] : [parseFault(text, { on: 'line', settings }, [], problems)!];
  problems.throwIfAny();
  const stations = [...banks].map(([unit, bank]) => ({ unit, bank, turnaroundMs: 5 }));
  using bus = new SimBus(clock, { settings, framing, stations, faults: fault, seed: 11 });
  const echo = fault[0]?.kind === 'echo';
  const session = modbus.open(clock, bus.attachMaster(), { framing, echo });
  const addresses = [0, 1, 2, 3].map(
    (address) => modbus.parseAddress({ table: 'holding', address, type: 'uint16' }, [], problems)!,
  );
  const devices = UNITS.map((unit) => {
    const device = session.device(modbus.parseDevice({ unit, timeoutMs: 200 }, [], problems)!);
    return { unit, device, plan: device.plan(addresses) };
  });
  const good = new Map(UNITS.map((unit) => [unit, 0]));
  const wrong: string[] = [];
  const { signal } = new AbortController();
  for (let poll = 0; poll < POLLS; poll++) {
    for (const { unit, device, plan } of devices) {
      const before = banks.get(unit)!.reads;
      const asked = device.poll(plan, signal);
      await clock.advance(600);
      const { values, qualities } = await asked;
      qualities.forEach((code, at) => {
        if (qualityOf(code)?.quality !== 'good') return;
        good.set(unit, good.get(unit)! + 1 / (POLLS * addresses.length));
        // Read within this poll: never what an earlier question was answered with.
        const shown = Number(values[at]);
        const read = Math.floor(((shown - at - unit * 10_000 + 131_072) % 65_536) / 100);
        if (read <= before || read > banks.get(unit)!.reads || shown % 100 !== at) {
          wrong.push(`unit ${unit}, poll ${poll}: ${shown}`);
        }
      });
    }
  }
  session.close();
  return { good, wrong };
}

const others = (seen: Seen) => Math.min(...[1, 3, 4].map((unit) => seen.good.get(unit)!));

test.each(['rtu', 'ascii'] as const)('%s: a line that is well is read whole', async (framing) => {
  const seen = await polled('well', framing);
  expect(seen.wrong).toEqual([]);
  for (const share of seen.good.values()) expect(share).toBeCloseTo(1, 6);
});

test.each(['echo', 'split=3', 'garbage=5:2', 'duplicate:2'])(
  '%s: everything is read all the same',
  async (text) => {
    const seen = await polled(text);
    expect(seen.wrong).toEqual([]);
    for (const share of seen.good.values()) expect(share).toBeGreaterThan(0.95);
  },
);

test.each([
  'silence:2',
  'late=250:2',
  'truncate=5:2',
  'merge=2:2',
  'wrong-unit:2',
  'noise=3:2',
  'swapped-pair:2',
  'wrong-settings=9600-8E1:2',
])('%s: the others are read, and nothing good is wrong', async (text) => {
  const seen = await polled(text);
  expect(seen.wrong).toEqual([]);
  expect(others(seen)).toBeGreaterThan(0.85);
  expect(seen.good.get(2)).toBeLessThan(0.7);
});

test.each(['missing-bias=60', 'second-master=900'])(
  '%s: much is read, and nothing good is wrong',
  async (text) => {
    const seen = await polled(text);
    expect(seen.wrong).toEqual([]);
    for (const share of seen.good.values()) expect(share).toBeGreaterThan(0.3);
  },
);

test('swapped at the master: nothing at all is read', async () => {
  const seen = await polled('swapped-pair');
  expect([...seen.good.values()]).toEqual([0, 0, 0, 0]);
});
