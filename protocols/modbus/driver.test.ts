import { describe, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { Problems } from '../../core/problems.ts';
import { qualityOf } from '../../core/quality.ts';
import type { RegisterBank } from '../../simulators/modbus-answer.ts';
import { answerRequest } from '../../simulators/modbus-answer.ts';
import { driverContract, TestLink } from '../driver.contract.ts';
import type { Answers, Pace } from '../driver.ts';
import { protocolNamed, protocols } from '../registry.ts';
import type { Framing, ModbusAddress, Table } from './address.ts';
import { ModbusConnection, modbus } from './driver.ts';
import { BISECT_REQUESTS_MAX, RECHECK_MS } from './poll.ts';
import { encodeFrame } from './tcp-frames.ts';
import { devicesSide } from './wire.contract.ts';

/** Registers show address + generation × 1000; coils are the parity of that. */
function bankOf(generation: number): RegisterBank {
  return {
    read: (table, address, count) =>
      Uint16Array.from({ length: count }, (_, at) =>
        table === 'coil' || table === 'discrete'
          ? (address + at + generation) & 1
          : address + at + generation * 1_000,
      ),
    write: () => 0,
  };
}

/** The device's side of a connection: frames in, frames out. */
function serve(bankFor: (generation: number) => RegisterBank, framing: Framing = 'tcp') {
  const side = devicesSide(framing);
  return (sent: Uint8Array, generation: number): Uint8Array[] =>
    side(sent, (pdu) => answerRequest(bankFor(generation), pdu, 0, pdu.length));
}

const subjects: readonly { framing: Framing; inFlightMax: number; pace?: Pace }[] = [
  { framing: 'tcp', inFlightMax: 1 },
  { framing: 'tcp', inFlightMax: 16 },
  { framing: 'rtu', inFlightMax: 1 },
  { framing: 'ascii', inFlightMax: 1 },
  { framing: 'rtu', inFlightMax: 1, pace: { bitsPerSecond: 9_600, bitsPerCharacter: 11 } },
];
for (const { framing, inFlightMax, pace } of subjects) {
  driverContract(`modbus ${framing} with ${inFlightMax} in flight${pace ? ', paced' : ''}`, () => ({
    protocol: modbus,
    line: { framing },
    ...(pace && { pace }),
    device: { unit: 3, timeoutMs: 500, inFlightMax, limits: { maxRegisters: 4 } },
    addresses: [
      { table: 'holding', address: 40, type: 'uint16' },
      { table: 'input', address: 0, type: 'int32' },
      { table: 'coil', address: 9 },
      { table: 'holding', address: 41, type: 'uint16' },
      { table: 'holding', address: 500, type: 'uint16' },
      { table: 'discrete', address: 1_000 },
    ],
    wrongAddress: { table: 'holdin', address: 70_000, type: 'u16' },
    deadlineMs: 2_000,
    values: (generation) => {
      const high = generation * 1_000;
      const bit = (address: number) => ((address + generation) & 1) === 1;
      return [40 + high, high * 65_536 + high + 1, bit(9), 41 + high, 500 + high, bit(1_000)];
    },
    connect: () => serve(bankOf, framing),
  }));
}

test('the registry knows modbus by name, and each name once', () => {
  expect(protocolNamed('modbus')).toBe(modbus);
  expect(protocolNamed('modbu')).toBeUndefined();
  expect(new Set(protocols.map(({ name }) => name)).size).toBe(protocols.length);
});

/** A device with holes: a request that touches one is refused with `code`. */
class Field {
  readonly clock = new SimClock();
  readonly link = new TestLink();
  readonly connection = new ModbusConnection(this.clock, this.link);
  readonly asked: string[] = [];
  holes = new Set<number>();
  code = 2;
  lengthMax = 125;
  silent = new Set<number>();
  everything: number | null = null;

  constructor() {
    const bank = bankOf(0);
    const read = (table: Table, address: number, count: number) => {
      this.asked.push(`${address}+${count}`);
      if (this.everything !== null) return this.everything;
      if (count > this.lengthMax) return 3;
      for (let at = address; at < address + count; at++) if (this.holes.has(at)) return this.code;
      return bank.read(table, address, count);
    };
    const answer = serve(() => ({ ...bank, read }));
    this.link.onSend = (sent) => {
      for (const bytes of answer(sent, 0)) {
        const last = Number(this.asked.at(-1)!.split('+')[0]);
        if (!this.silent.has(last)) this.link.onBytes(bytes);
      }
    };
  }

  device(raw: unknown = {}) {
    return this.connection.device(modbus.parseDevice(raw, [], new Problems('test'))!);
  }

  async poll(
    device: ReturnType<Field['device']>,
    plan: ReturnType<ReturnType<Field['device']>['plan']>,
  ): Promise<Answers> {
    this.asked.length = 0;
    let answers: Answers | undefined;
    void device.poll(plan, new AbortController().signal).then((settled) => {
      answers = settled;
    });
    await this.clock.advance(0);
    while (!answers) await this.clock.advance(100);
    return answers;
  }
}

const holding = (address: number): ModbusAddress =>
  modbus.parseAddress({ table: 'holding', address, type: 'uint16' }, [], new Problems('test'))!;
const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => holding(from + at));
const bad = (answers: Answers) =>
  answers.qualities.flatMap((code, at) => (code === 0 ? [] : [[at, qualityOf(code)!.reason]]));

test('what the poller did to the lists of a poll is not in those of the next', async () => {
  const field = new Field();
  const device = field.device();
  const plan = device.plan([...range(20, 39).reverse(), ...range(0, 9)]);
  const first = await field.poll(device, plan);
  const [values, qualities] = [[...first.values], [...first.qualities]];
  for (const list of [first.values, first.qualities, first.atMonoMs]) {
    list.fill(99);
    list.length = 3;
  }
  const { clock } = field;
  await clock.advance(50);
  const second = await field.poll(device, plan);
  expect([second.values, second.qualities]).toEqual([values, qualities]);
  expect(second.atMonoMs).toEqual(values.map(() => clock.monoMs()));
});

describe('a refused point', () => {
  test('is found by halving within one poll, and costs its neighbours nothing', async () => {
    const field = new Field();
    field.holes = new Set([37]);
    const device = field.device();
    const plan = device.plan(range(0, 124));
    const first = await field.poll(device, plan);
    expect(bad(first)).toEqual([[37, 'configuration']]);
    expect([first.failures, first.fault?.code, first.fault?.retry]).toEqual([
      0,
      'modbus_exception_2',
      'never',
    ]);
    expect(field.asked.length).toBeLessThanOrEqual(1 + 2 * 7);
    const second = await field.poll(device, plan);
    expect(bad(second)).toEqual([[37, 'configuration']]);
    expect(field.asked).toEqual(['0+37', '38+87']);
    expect(second.fault).toBeNull();
  });

  test('is looked at again after a while, and taken back when the device has it', async () => {
    const field = new Field();
    field.holes = new Set([5]);
    const device = field.device();
    const plan = device.plan(range(0, 9));
    await field.poll(device, plan);
    await field.clock.advance(RECHECK_MS);
    expect(bad(await field.poll(device, plan))).toEqual([[5, 'configuration']]);
    expect(field.asked).toContain('5+1');
    await field.poll(device, plan);
    expect(field.asked).not.toContain('5+1');
    field.holes.clear();
    await field.clock.advance(RECHECK_MS);
    expect(bad(await field.poll(device, plan))).toEqual([]);
    expect(bad(await field.poll(device, plan))).toEqual([]);
    expect(field.asked).toEqual(['0+10']);
  });

  test('among many is found over several polls, each within its bound', async () => {
    const field = new Field();
    field.holes = new Set(Array.from({ length: 62 }, (_, at) => at * 2));
    const device = field.device();
    const plan = device.plan(range(0, 124));
    let polls = 0;
    for (; polls < 20; polls++) {
      const answers = await field.poll(device, plan);
      expect(field.asked.length).toBeLessThanOrEqual(plan.requests + BISECT_REQUESTS_MAX);
      if (bad(answers).length === 62 && answers.fault === null) break;
    }
    expect(polls).toBeLessThan(20);
    const last = await field.poll(device, plan);
    expect(bad(last)).toEqual([...field.holes].map((at) => [at, 'configuration']));
  });
});

test('a refused gap is not bridged again, and no point is blamed', async () => {
  const field = new Field();
  field.holes = new Set([10, 11]);
  const device = field.device();
  const plan = device.plan([...range(0, 9), ...range(12, 20)]);
  expect(plan.requests).toBe(1);
  expect(bad(await field.poll(device, plan))).toEqual([]);
  expect(bad(await field.poll(device, plan))).toEqual([]);
  expect(field.asked).toEqual(['0+10', '12+9']);
});

test('a device with a shorter block than it says is read in shorter blocks', async () => {
  const field = new Field();
  field.lengthMax = 40;
  const device = field.device();
  const plan = device.plan(range(0, 124));
  expect(bad(await field.poll(device, plan))).toEqual([]);
  expect(bad(await field.poll(device, plan))).toEqual([]);
  expect(field.asked).toEqual(['0+32', '32+31', '63+31', '94+31']);
});

test('a busy or failed device is a bad reading now and a fault for later, never halved', async () => {
  for (const code of [4, 5, 6, 8, 10, 11, 77]) {
    const field = new Field();
    field.everything = code;
    const device = field.device();
    const answers = await field.poll(device, device.plan(range(0, 9)));
    expect(bad(answers).map(([, reason]) => reason)).toEqual(Array(10).fill('device_exception'));
    expect([answers.requests, answers.failures, answers.fault?.retry]).toEqual([1, 1, 'later']);
  }
});

test('one time-out ends a poll, and the next begins behind it: a silent range hides no other', async () => {
  const field = new Field();
  const device = field.device({ limits: { maxRegisters: 10, readAcrossGaps: false } });
  const plan = device.plan([...range(0, 4), ...range(100, 104), ...range(200, 204)]);
  field.silent = new Set([0]);
  const first = await field.poll(device, plan);
  expect([first.requests, first.failures, bad(first).length]).toEqual([1, 1, 15]);
  const second = await field.poll(device, plan);
  expect(field.asked).toEqual(['100+5', '200+5', '0+5']);
  expect(bad(second).map(([at]) => at)).toEqual([0, 1, 2, 3, 4]);
});

test('an answer from another unit is bad, whatever it says', async () => {
  const field = new Field();
  const device = field.device({ timeoutMs: 200 });
  field.link.onSend = (sent) => {
    const answer = serve(() => bankOf(0))(sent, 0)[0]!;
    answer[6] = 9;
    field.link.onBytes(answer);
  };
  const answers = await field.poll(device, device.plan(range(0, 3)));
  expect(bad(answers).map(([, reason]) => reason)).toEqual(Array(4).fill('bad_response'));
  expect(field.connection.counts.foreign).toBe(1);
  expect(answers.fault?.code).toBe('modbus_other_unit');
});

test('a float that is not a number has no value, and an infinite one is out of range', async () => {
  const field = new Field();
  const registers = Uint16Array.of(0x7fc0, 0, 0x7f80, 0, 0x3f80, 0);
  const answer = serve(() => ({ read: () => registers, write: () => 0 }));
  field.link.onSend = (sent) => {
    for (const bytes of answer(sent, 0)) field.link.onBytes(bytes);
  };
  const device = field.device();
  const float = (address: number) =>
    modbus.parseAddress({ table: 'input', address, type: 'float32' }, [], new Problems('test'))!;
  let answers: Answers | undefined;
  const plan = device.plan([float(0), float(2), float(4)]);
  void device.poll(plan, new AbortController().signal).then((settled) => {
    answers = settled;
  });
  await field.clock.advance(1);
  expect(answers!.values).toEqual([null, null, 1]);
  expect(bad(answers!)).toEqual([
    [0, 'not_available'],
    [1, 'out_of_range'],
  ]);
});

test('devices on one link take turns, with the pause each of them needs', async () => {
  const field = new Field();
  const plain = field.device({ unit: 1 });
  const slow = field.device({ unit: 2, limits: { minGapMs: 50, maxRegisters: 1 } });
  const done: string[] = [];
  const signal = new AbortController().signal;
  void slow.poll(slow.plan(range(0, 2)), signal).then(({ atMonoMs }) => {
    done.push(`slow ${atMonoMs.join(' ')}`);
  });
  void plain.poll(plain.plan(range(0, 99)), signal).then(() => {
    done.push('plain');
  });
  await field.clock.advance(500);
  expect(done).toEqual(['plain', 'slow 0 50 100']);
});

test('a stream that is no Modbus is closed, and the poll under way says why', async () => {
  const field = new Field();
  field.link.onSend = () => {
    for (let more = 0; more < 3; more++)
      field.link.onBytes(encodeFrame(60_000, 1, Uint8Array.of(3)));
  };
  const device = field.device();
  const answers = await field.poll(device, device.plan(range(0, 3)));
  expect(bad(answers).map(([, reason]) => reason)).toEqual(Array(4).fill('no_connection'));
  expect([answers.fault?.code, field.link.isOpen]).toEqual(['modbus_desync', false]);
});
