import { expect, test } from 'vitest';
import { crc16Modbus } from '../core/bytes.ts';
import { SimClock } from '../core/clock.ts';
import { loadProfile } from '../device-profiles/loader.ts';
import { parseProfile } from '../device-profiles/profile.ts';
import type { LineSettings } from '../protocols/line-settings.ts';
import { lineSettings } from '../protocols/line-settings.ts';
import { AsciiDeframer, encodeAsciiFrame } from '../protocols/modbus/ascii-frames.ts';
import { encodeRequest } from '../protocols/modbus/codec.ts';
import { encodeRtuFrame } from '../protocols/modbus/rtu-frames.ts';
import type { BusStation } from './bus.ts';
import { SimBus } from './bus.ts';
import { SimulatedDevice } from './device.ts';
import type { SimulatedFault } from './faults.ts';
import type { RegisterBank } from './modbus-answer.ts';
import type { Framing } from './station.ts';

const settings = (text: string): LineSettings => lineSettings(text)!;

/** Holding register i of unit u holds u × 1000 + i. */
function bankOf(unit: number): RegisterBank {
  return {
    read: (_table, address, count) =>
      Uint16Array.from({ length: count }, (_, at) => unit * 1000 + address + at),
    write: () => 0,
  };
}

const numbered = (...units: number[]): BusStation[] =>
  units.map((unit) => ({ unit, bank: bankOf(unit), turnaroundMs: 5 }));

interface Setup {
  readonly faults?: readonly SimulatedFault[];
  readonly stations?: readonly BusStation[];
  readonly framing?: Framing;
  readonly seed?: number;
  readonly serial?: string;
}

/** Asks one question after the other and keeps all that comes, with when. */
class Desk {
  readonly clock = new SimClock();
  readonly bus: SimBus;
  readonly master;
  bytes: number[] = [];
  lastMs = 0;
  readonly #framing: Framing;

  constructor({
    faults = [],
    stations = numbered(1, 2, 3),
    framing = 'rtu',
    seed = 7,
    serial = '9600-8N1',
  }: Setup) {
    this.#framing = framing;
    this.bus = new SimBus(this.clock, {
      settings: settings(serial),
      stations,
      framing,
      faults,
      seed,
    });
    this.master = this.bus.attachMaster();
    this.master.onBytes = (bytes) => {
      this.bytes.push(...bytes);
      this.lastMs = this.clock.monoMs();
    };
  }

  /** All that was heard until the time was up. */
  async ask(unit: number, address = 0, count = 2, waitMs = 300): Promise<number[]> {
    this.bytes = [];
    const pdu = encodeRequest({ function: 3, address, count });
    const encode = this.#framing === 'rtu' ? encodeRtuFrame : encodeAsciiFrame;
    this.master.send(encode(unit, pdu));
    await this.clock.advance(waitMs);
    return this.bytes;
  }

  async good(unit: number): Promise<boolean> {
    const heard = await this.ask(unit);
    return String(heard) === String([...rightAnswer(unit)]);
  }
}

const rightAnswer = (unit: number) =>
  encodeRtuFrame(unit, Uint8Array.of(3, 4, ...word(unit * 1000), ...word(unit * 1000 + 1)));
const word = (value: number) => [value >> 8, value & 0xff];

const fits = (frame: readonly number[]) =>
  frame.length >= 4 && crc16Modbus(Uint8Array.from(frame)) === 0;

test('an answer takes request, turnaround and answer, to the microsecond', async () => {
  const desk = new Desk({});
  expect(await desk.ask(2)).toEqual([...rightAnswer(2)]);
  const each = 10_000 / 9_600;
  expect(desk.lastMs).toBeCloseTo(8 * each + 5 + 9 * each, 3);
  // A turnaround shorter than the silence is not shorter on the line: 3.5 characters of 11 bits.
  const fast = new Desk({ stations: [{ unit: 1, bank: bankOf(1), turnaroundMs: 0 }] });
  await fast.ask(1);
  expect(fast.lastMs).toBeCloseTo(8 * each + (3.5 * 11_000) / 9_600 + 9 * each, 3);
});

test('125 registers at 19200-8E1 and 5 ms take what the arithmetic says', async () => {
  const desk = new Desk({ serial: '19200-8E1' });
  expect(await desk.ask(1, 0, 125, 400)).toHaveLength(255);
  expect(desk.lastMs + 3.5 * (11_000 / 19_200)).toBeCloseTo(157.7, 1);
});

test('a foreign unit, a damaged request and a broadcast get no answer', async () => {
  const desk = new Desk({});
  expect(await desk.ask(9)).toEqual([]);
  const damaged = encodeRtuFrame(1, encodeRequest({ function: 3, address: 0, count: 2 }));
  damaged[3]! ^= 1;
  desk.master.send(damaged);
  await desk.clock.advance(300);
  expect(desk.bytes).toEqual([]);
  expect(await desk.ask(0)).toEqual([]);
  expect(desk.bus.stations.map(({ requests }) => requests)).toEqual([1, 1, 1]);
  expect(await desk.good(1)).toBe(true);
});

test('a request right behind an answer, without the silence, is found', async () => {
  const desk = new Desk({});
  const request = (unit: number) =>
    encodeRtuFrame(unit, encodeRequest({ function: 3, address: 0, count: 2 }));
  desk.master.send(Uint8Array.from([...rightAnswer(3), ...request(2)]));
  await desk.clock.advance(300);
  expect(desk.bytes).toEqual([...rightAnswer(2)]);
});

test('ASCII stations answer in ASCII, with seven data bits too', async () => {
  const desk = new Desk({ framing: 'ascii', serial: '9600-7E1' });
  const heard = await desk.ask(2);
  const frames: number[][] = [];
  new AsciiDeframer().push(Uint8Array.from(heard), {
    frame: (unit, bytes, start, end) => frames.push([unit, ...bytes.subarray(start, end)]),
    garbage: () => {},
  });
  expect(frames).toEqual([[2, 3, 4, ...word(2000), ...word(2001)]]);
});

test('silence, exception and wrong-unit concern their units, every so many requests', async () => {
  const desk = new Desk({
    faults: [
      { kind: 'silence', units: [1], every: 2 },
      { kind: 'exception', code: 6, units: [2] },
      { kind: 'wrong-unit', units: [3] },
    ],
  });
  expect([await desk.good(1), await desk.good(1), await desk.good(1)]).toEqual([true, false, true]);
  expect(await desk.ask(2)).toEqual([...encodeRtuFrame(2, Uint8Array.of(0x83, 6))]);
  expect((await desk.ask(3))[0]).toBe(4);
});

test('a late answer comes behind the next question', async () => {
  const desk = new Desk({ faults: [{ kind: 'late', delayMs: 400, units: [1] }] });
  expect(await desk.ask(1)).toEqual([]);
  expect(await desk.ask(2)).toEqual([...rightAnswer(2), ...rightAnswer(1)]);
});

test('truncate, split, garbage, duplicate and merge do to frames what they say', async () => {
  const whole = [...rightAnswer(1)];
  const one = (fault: SimulatedFault) => new Desk({ faults: [fault] });
  expect(await one({ kind: 'truncate', bytes: 4 }).ask(1)).toEqual(whole.slice(0, 4));
  const split = one({ kind: 'split', bytes: 3 });
  expect(await split.ask(1)).toEqual(whole);
  const each = 10_000 / 9_600;
  expect(split.lastMs).toBeCloseTo(8 * each + 5 + (9 + 2 * 5) * each, 3);
  const garbage = await one({ kind: 'garbage', bytes: 5 }).ask(1);
  expect([garbage.length, garbage.slice(5)]).toEqual([14, whole]);
  expect(await one({ kind: 'duplicate' }).ask(1)).toEqual([...whole, ...whole]);
  const merge = one({ kind: 'merge', frames: 2 });
  expect(await merge.ask(1)).toEqual([]);
  expect(await merge.ask(1)).toEqual([...whole, ...whole]);
});

test('noise turns bits of answers round: most of them do not fit any more', async () => {
  const desk = new Desk({ faults: [{ kind: 'noise', bits: 2, units: [1] }] });
  let damaged = 0;
  for (let asked = 0; asked < 20; asked++) if (!fits(await desk.ask(1))) damaged++;
  expect(damaged).toBeGreaterThan(15);
  expect(await desk.good(2)).toBe(true);
});

test('an echo comes ahead of the answer', async () => {
  const desk = new Desk({ faults: [{ kind: 'echo' }] });
  const heard = await desk.ask(1);
  expect([heard.length, heard.slice(8)]).toEqual([17, [...rightAnswer(1)]]);
});

test('two devices at one address: long or damaged answers, sometimes a whole one', async () => {
  const desk = new Desk({ faults: [{ kind: 'duplicate-address', units: [1] }] });
  let whole = 0;
  let long = 0;
  for (let asked = 0; asked < 60; asked++) {
    const heard = await desk.ask(1);
    if (heard.length > 9) long++;
    if (fits(heard.slice(0, 9))) whole++;
  }
  expect(desk.bus.line.collisions).toBeGreaterThan(10);
  expect(long).toBeGreaterThan(30);
  expect(whole).toBeGreaterThan(0);
  expect(whole).toBeLessThan(60);
  expect(await desk.good(2)).toBe(true);
  desk.bus.faults = [];
  expect(await desk.good(1)).toBe(true);
});

test('a second master is heard asking and being answered', async () => {
  const desk = new Desk({ faults: [{ kind: 'second-master', periodMs: 200 }] });
  await desk.clock.advance(2_000);
  expect(desk.bytes.length).toBeGreaterThan(8 * (8 + 25));
  const request = desk.bytes.slice(0, 8);
  expect([fits(request), request.slice(1, 6)]).toEqual([true, [3, 0, 0, 0, 10]]);
  expect(fits(desk.bytes.slice(8, 8 + 25))).toBe(true);
  desk.bus.faults = [];
  await desk.clock.advance(500);
  expect(await desk.good(1)).toBe(true);
});

test('a station with other settings is silent or garbage; the others are well', async () => {
  const speed = settings('4800-8N1');
  const desk = new Desk({ faults: [{ kind: 'wrong-settings', settings: speed, units: [2] }] });
  expect([await desk.good(1), await desk.good(2), await desk.good(3)]).toEqual([true, false, true]);
  const parity = new Desk({
    serial: '9600-8E1',
    faults: [{ kind: 'wrong-settings', settings: settings('9600-8O1'), units: [2] }],
  });
  await parity.ask(2);
  expect(parity.master.errors.parity).toBeGreaterThan(0);
});

test('swapped at the master: a break at once, then framing errors and not one answer', async () => {
  const desk = new Desk({ faults: [{ kind: 'swapped-pair' }] });
  await desk.clock.advance(1_000);
  expect(desk.master.errors).toEqual({ parity: 0, framing: 0, overrun: 0, break: 1 });
  for (const unit of [1, 2, 3]) expect(await desk.good(unit)).toBe(false);
  expect(desk.bus.served).toBe(0);
});

test('swapped at one station: it alone does not answer', async () => {
  const desk = new Desk({ faults: [{ kind: 'swapped-pair', units: [2] }] });
  expect([await desk.good(1), await desk.good(2), await desk.good(3)]).toEqual([true, false, true]);
  expect(desk.bus.stations[1]!.transceiver.errors.framing).toBeGreaterThan(0);
});

test('without bias stray characters come while the pair is idle', async () => {
  const desk = new Desk({ faults: [{ kind: 'missing-bias', meanMs: 40 }] });
  await desk.clock.advance(2_000);
  expect(desk.bytes.length).toBeGreaterThan(40);
  let good = 0;
  for (let asked = 0; asked < 40; asked++) {
    if (String(await desk.ask(1)).includes(String([...rightAnswer(1)]))) good++;
  }
  expect(good).toBeGreaterThan(20);
});

test('frozen, spikes and clock-reset show in what a device says, not on its line', async () => {
  const device = new SimulatedDevice(loadProfile('keller/series-30'));
  const faults: SimulatedFault[] = [
    { kind: 'frozen', fromMs: 1_000, toMs: 2_000 },
    { kind: 'spikes', reads: 4, fromMs: 4_000 },
  ];
  const desk = new Desk({ stations: [{ unit: 1, bank: device, turnaroundMs: 5 }], faults });
  const pressure = async () => {
    const heard = await desk.ask(1, 0x100, 2);
    expect(fits(heard)).toBe(true);
    return new DataView(Uint8Array.from(heard).buffer).getFloat32(3);
  };
  device.set('pressure', 4);
  await desk.clock.advance(1_100);
  device.set('pressure', 5);
  expect(await pressure()).toBe(4);
  await desk.clock.advance(1_000);
  expect(await pressure()).toBe(5);
  await desk.clock.advance(2_000);
  const seen: number[] = [];
  for (let asked = 0; asked < 60; asked++) seen.push(await pressure());
  const spikes = seen.filter((value) => value === 1_000);
  expect(spikes.length).toBeGreaterThan(5);
  expect(spikes.length).toBeLessThan(30);
  expect(seen.filter((value) => value === 5)).toHaveLength(60 - spikes.length);
});

const clocked = parseProfile(
  `version: 1
profile:
  id: example/clocked
  revision: "1.0.0"
  kind: flow-meter
  vendor: Example
  models: [C]
  title: { en: Meter with a clock, zh: 带时钟的仪表 }
  source: { document: none, status: community }
protocol: modbus
device: { unit: 1 }
points:
  clock:
    title: { en: Clock, zh: 时钟 }
    read: { table: holding, address: 0, type: packed-bcd-time, length: 3 }
`,
  'clocked.yaml',
);

test('a clock that is reset goes on from 2000-01-01', async () => {
  const device = new SimulatedDevice(clocked);
  const faults: SimulatedFault[] = [{ kind: 'clock-reset', fromMs: 10_000 }];
  const desk = new Desk({ stations: [{ unit: 1, bank: device, turnaroundMs: 5 }], faults });
  await desk.ask(1, 0, 3);
  expect(device.get('clock').value).toMatch(/^2026-01-01T00:00:00/);
  await desk.clock.advance(15_000);
  await desk.ask(1, 0, 3);
  expect(device.get('clock').value).toBe('2000-01-01T00:00:05');
});

test('faults come and go by their plan', async () => {
  const faults: SimulatedFault[] = [{ kind: 'silence', fromMs: 1_000, toMs: 2_000 }];
  const desk = new Desk({ faults });
  const seen: boolean[] = [];
  for (let asked = 0; asked < 10; asked++) seen.push(await desk.good(1));
  expect(seen).toEqual([true, true, true, true, false, false, false, true, true, true]);
});

test('the same seed gives the same bytes at the same times, another seed others', async () => {
  const faults: SimulatedFault[] = [
    { kind: 'noise', bits: 2, every: 2 },
    { kind: 'missing-bias', meanMs: 60 },
    { kind: 'duplicate-address', units: [2] },
    { kind: 'second-master', periodMs: 900 },
    { kind: 'garbage', bytes: 3, units: [3] },
  ];
  const heard = async (seed: number) => {
    const desk = new Desk({ faults, seed });
    const all: string[] = [];
    for (let asked = 0; asked < 30; asked++) {
      all.push(`${desk.lastMs}:${await desk.ask(1 + (asked % 3))}`);
    }
    return [all, desk.master.errors];
  };
  expect(await heard(7)).toEqual(await heard(7));
  expect(await heard(7)).not.toEqual(await heard(8));
});
