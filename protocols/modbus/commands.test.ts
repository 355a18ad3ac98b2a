// Writes, identification and steps through the driver, in every framing, against the server's side.
import { describe, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { Problems } from '../../core/problems.ts';
import type { Value } from '../../core/reading.ts';
import type { RegisterBank } from '../../simulators/modbus-answer.ts';
import { answerRequest } from '../../simulators/modbus-answer.ts';
import { TestLink } from '../driver.contract.ts';
import type { Plan } from '../driver.ts';
import type { ModbusAddress } from './address.ts';
import { framings } from './address.ts';
import { Bus } from './bus.ts';
import { decodeResponse, encodeException, encodeRequest, encodeResponse } from './codec.ts';
import type { Conversation, Outcome } from './conversation.ts';
import { Ticket } from './conversation.ts';
import { ModbusConnection, modbus } from './driver.ts';
import { Transactions } from './session.ts';
import { decodeValue } from './value.ts';
import type { Respond } from './wire.contract.ts';
import { devicesSide } from './wire.contract.ts';

const TIMEOUT_MS = 100;
const IDENTITY = new Map([
  [0, 'Vendor'.padEnd(200, '.')],
  [1, 'Product'],
  [2, 'V1.2'],
  [3, 'example.org'],
  [4, 'Gas head'.padEnd(240, '.')],
  [5, 'M'],
]);

/** A device with registers 0..99 of every kind, that keeps what is written. */
class Device {
  readonly clock = new SimClock();
  readonly words = new Uint16Array(100).fill(0xa5a5);
  readonly coils = new Uint8Array(100);
  /** Function codes asked. */
  readonly asked: number[] = [];
  unknown: readonly number[] = [];
  identification: ReadonlyMap<number, string> | undefined = IDENTITY;
  respond: Respond = (pdu) => this.answer(pdu);
  connection: ModbusConnection;
  readonly #framing: (typeof framings)[number];

  constructor(framing: (typeof framings)[number] = 'tcp') {
    this.#framing = framing;
    this.connection = this.connect();
  }

  connect(): ModbusConnection {
    const link = new TestLink();
    const side = devicesSide(this.#framing);
    link.onSend = (sent) => {
      for (const bytes of side(sent, (pdu, unit) => this.respond(pdu, unit))) link.onBytes(bytes);
    };
    this.connection = new ModbusConnection(this.clock, link, {
      framing: this.#framing,
      echo: false,
    });
    return this.connection;
  }

  handle(raw: unknown = {}) {
    const options = { timeoutMs: TIMEOUT_MS, ...(raw as object) };
    return this.connection.device(modbus.parseDevice(options, [], new Problems('test'))!);
  }

  async settled<Kind>(promise: Promise<Kind>): Promise<Kind> {
    let done = false;
    void promise.finally(() => {
      done = true;
    });
    await this.clock.advance(0);
    while (!done) await this.clock.advance(10);
    return promise;
  }

  answer(pdu: Uint8Array): Uint8Array {
    const [code = 0] = pdu;
    this.asked.push(code);
    if (this.unknown.includes(code)) return encodeException(code, 1);
    const bank: RegisterBank = {
      read: (table, from, count) => {
        if (from + count > 100) return 2;
        const isBits = table === 'coil' || table === 'discrete';
        return Uint16Array.from((isBits ? this.coils : this.words).slice(from, from + count));
      },
      write: (table, from, values) => {
        if (from + values.length > 100) return 2;
        if (table === 'coil') this.coils.set(Uint8Array.from(values), from);
        else this.words.set(values, from);
        return 0;
      },
      ...(this.identification && { identification: this.identification }),
    };
    return answerRequest(bank, pdu, 0, pdu.length);
  }
}

const at = (raw: object): ModbusAddress =>
  modbus.parseAddress({ table: 'holding', address: 10, ...raw }, [], new Problems('test'))!;
const signal = new AbortController().signal;

interface Case {
  readonly raw: object;
  readonly value: Value;
  readonly code: number;
  /** Registers from 10 on; what was A5A5 before and is nobody's stays. */
  readonly shown: readonly number[];
}

const cases: readonly Case[] = [
  { raw: { type: 'uint16' }, value: 0x1234, code: 6, shown: [0x1234, 0xa5a5] },
  { raw: { type: 'int16', order: 'BADC' }, value: -2, code: 6, shown: [0xfeff, 0xa5a5] },
  { raw: { type: 'float32' }, value: 230.2, code: 16, shown: [0x4366, 0x3333, 0xa5a5] },
  { raw: { type: 'float32', order: 'CDAB' }, value: -12.5, code: 16, shown: [0, 0xc148] },
  { raw: { type: 'int64' }, value: -2n, code: 16, shown: [0xffff, 0xffff, 0xffff, 0xfffe] },
  { raw: { type: 'bcd16' }, value: 1234, code: 6, shown: [0x1234] },
  { raw: { type: 'string', length: 2 }, value: 'abc', code: 16, shown: [0x6162, 0x6300] },
  { raw: { type: 'bool' }, value: true, code: 6, shown: [1] },
  { raw: { type: 'bool', bit: 1 }, value: true, code: 22, shown: [0xa5a7] },
  { raw: { type: 'bool', bit: 0 }, value: false, code: 22, shown: [0xa5a4] },
  { raw: { type: 'bool', bit: 17, length: 2 }, value: true, code: 22, shown: [0xa5a7, 0xa5a5] },
  { raw: { type: 'uint8-hi' }, value: 0x12, code: 22, shown: [0x12a5] },
  { raw: { type: 'uint16', bits: { mask: 0xf0 } }, value: 3, code: 22, shown: [0xa535] },
];

describe.each(framings)('in %s frames', (framing) => {
  test.each(cases)('$raw becomes $value with function $code', async (one) => {
    const device = new Device(framing);
    const point = at(one.raw);
    const { fault } = await device.settled(device.handle().write!(point, one.value, signal));
    expect([fault, device.asked]).toEqual([null, [one.code]]);
    expect([...device.words.slice(10, 10 + one.shown.length)]).toEqual(one.shown);
    const shown = decodeValue(point, device.words.slice(10, 10 + point.width));
    if (typeof one.value !== 'number') expect(String(shown)).toBe(String(one.value));
    else expect(shown).toBeCloseTo(one.value, 4);
  });

  test('a coil is written with 5, by a device that knows 15 only with 15 from then on', async () => {
    const device = new Device(framing);
    const coil = at({ table: 'coil', address: 3 });
    const handle = device.handle();
    await device.settled(handle.write!(coil, true, signal));
    device.unknown = [5, 6];
    await device.settled(handle.write!(coil, false, signal));
    await device.settled(handle.write!(coil, true, signal));
    expect(device.coils[3]).toBe(1);
    await device.settled(handle.write!(at({ type: 'uint16' }), 7, signal));
    await device.settled(handle.write!(at({ type: 'uint16' }), 8, signal));
    expect(device.words[10]).toBe(8);
    expect(device.asked).toEqual([5, 5, 15, 15, 6, 16, 16]);
  });

  test('a profile that says so writes one value as many from the first', async () => {
    const device = new Device(framing);
    const handle = device.handle({ writes: 'multiple' });
    await device.settled(handle.write!(at({ type: 'uint16' }), 7, signal));
    await device.settled(handle.write!(at({ table: 'coil', address: 3 }), true, signal));
    expect(device.asked).toEqual([16, 15]);
  });

  test('identification brings every object, over as many answers as it takes', async () => {
    const device = new Device(framing);
    const { objects, fault } = await device.settled(device.handle().identify!(signal));
    expect(fault).toBeNull();
    expect(new Map([...objects].sort(([a], [b]) => a - b))).toEqual(IDENTITY);
    expect(await device.settled(device.handle().identity!(signal))).toMatchObject({
      product: 'Product',
      revision: 'V1.2',
    });
  });

  test('a step that reads no registers is sent, and its answer of no registers is one', async () => {
    const device = new Device(framing);
    const asked: string[] = [];
    device.respond = (pdu) => {
      asked.push(Buffer.from(pdu).toString('hex'));
      return Uint8Array.of(3, 0);
    };
    const step = { kind: 'read', table: 'holding', address: 0x2500, count: 0 };
    const { quality, fault } = await device.settled(device.handle().send!(step, signal));
    expect([quality, fault, asked]).toEqual([0, null, ['0325000000']]);
  });
});

describe('a write', () => {
  test('that may not go any more when its turn comes is not sent, and says so', async () => {
    for (const framing of framings) {
      const device = new Device(framing);
      const handle = device.handle();
      const isFirst = () => device.asked.length === 0;
      const before = handle.write!(at({ type: 'uint16' }), 1, signal, isFirst);
      const behind = handle.write!(at({ type: 'uint16' }), 2, signal, isFirst);
      expect((await device.settled(before)).fault).toBeNull();
      const { fault, sure } = await device.settled(behind);
      expect([framing, fault !== null, sure, device.words[10]]).toEqual([
        framing,
        true,
        'unsent',
        1,
      ]);
    }
  });

  test('is surely refused by an exception that says so, and unsure after one that does not', async () => {
    const unsure = [4, 5, 11];
    for (const framing of framings) {
      for (const exception of [2, 3, 4, 5, 6, 10, 11]) {
        const device = new Device(framing);
        device.respond = (pdu) => encodeException(pdu[0]!, exception);
        const writing = device.handle().write!(at({ type: 'uint16' }), 1, signal);
        const { sure } = await device.settled(writing);
        expect([exception, sure]).toEqual([
          exception,
          unsure.includes(exception) ? undefined : 'refused',
        ]);
      }
      const silent = new Device(framing);
      silent.respond = () => null;
      const written = await silent.settled(
        silent.handle().write!(at({ type: 'uint16' }), 1, signal),
      );
      expect([written.fault?.code, written.sure]).toEqual(['device_timeout', undefined]);
      silent.connection.close();
      const closed = silent.handle().write!(at({ type: 'uint16' }), 1, signal);
      expect((await silent.settled(closed)).sure).toBe('unsent');
    }
  });

  const refused: readonly [string, object, Value][] = [
    ['modbus_read_only', { table: 'input', type: 'uint16' }, 1],
    ['modbus_read_only', { table: 'discrete' }, true],
    ['modbus_value_unfit', { type: 'uint16' }, 70_000],
    ['modbus_value_unfit', { type: 'uint16' }, 1.5],
    ['modbus_value_unfit', { type: 'uint16' }, 'seven'],
    ['modbus_value_unfit', { type: 'uint16' }, null],
    ['modbus_value_unfit', { type: 'float32' }, Number.NaN],
    ['modbus_value_unfit', { type: 'string', length: 1 }, 'abc'],
    ['modbus_value_unfit', { type: 'packed-bcd-time' }, 'noon'],
    ['modbus_value_unfit', { table: 'coil' }, 1],
    ['modbus_value_unfit', { type: 'bool' }, 1],
  ];
  test.each(refused)('is %s for %o = %s, and nothing is sent', async (code, raw, value) => {
    const device = new Device();
    const { fault } = await device.settled(device.handle().write!(at(raw), value, signal));
    expect([fault?.code, fault?.retry, device.asked]).toEqual([code, 'never', []]);
  });

  test('that is refused, or not answered, says so; what may have been done is not sent again', async () => {
    for (const framing of framings) {
      const device = new Device(framing);
      const handle = device.handle();
      const beyond = at({ type: 'uint16', address: 200 });
      const refusal = await device.settled(handle.write!(beyond, 1, signal));
      expect([refusal.fault?.code, refusal.fault?.retry]).toEqual(['modbus_exception_2', 'never']);
      device.respond = (pdu) => {
        device.asked.push(pdu[0]!);
        return null;
      };
      device.asked.length = 0;
      const lost = await device.settled(handle.write!(at({ type: 'uint16' }), 1, signal));
      expect([lost.fault?.code, lost.fault?.retry]).toEqual(['device_timeout', 'later']);
      expect([device.asked, lost.lineMs]).toEqual([[6], TIMEOUT_MS]);
    }
  });

  test('goes ahead of what is polled', async () => {
    for (const framing of framings) {
      const device = new Device(framing);
      const handle = device.handle({ limits: { maxRegisters: 1 } });
      const points = Array.from({ length: 5 }, (_, address) => at({ type: 'uint16', address }));
      device.respond = (pdu) => {
        device.asked.push(pdu[0]!);
        return null;
      };
      void handle.poll(handle.plan(points), signal);
      void handle.poll(handle.plan(points), signal);
      const written = handle.write!(at({ type: 'uint16' }), 1, signal);
      device.respond = (pdu) => device.answer(pdu);
      await device.settled(written);
      expect(device.asked.slice(0, 2), framing).toEqual([3, 6]);
    }
  });

  test('is ended by an abort, before and under way', async () => {
    const device = new Device();
    device.respond = () => null;
    const handle = device.handle();
    const point = at({ type: 'uint16' });
    const before = await device.settled(handle.write!(point, 1, AbortSignal.abort()));
    const controller = new AbortController();
    const under = handle.write!(point, 1, controller.signal);
    controller.abort();
    const codes = [before.fault?.code, (await device.settled(under)).fault?.code];
    expect(codes).toEqual(['poll_aborted', 'poll_aborted']);
  });
});

describe('identification', () => {
  test('of a device that knows no function 43 is a fault, and of one with basic objects these', async () => {
    const device = new Device();
    device.identification = undefined;
    const nothing = await device.settled(device.handle().identify!(signal));
    expect([nothing.objects.size, nothing.fault?.code]).toEqual([0, 'modbus_exception_1']);
    device.identification = new Map([[0, 'Vendor']]);
    const basic = await device.settled(device.handle().identify!(signal));
    expect(basic).toEqual({ objects: new Map([[0, 'Vendor']]), fault: null });
  });

  test('that always says more follows ends', async () => {
    for (const next of [0, 1, 200]) {
      const device = new Device();
      let requests = 0;
      device.respond = (pdu) => {
        requests++;
        const objects = new Map([[pdu[3]!, 'x']]);
        const response = { kind: 'identification', level: pdu[2]!, conformity: 2 } as const;
        return encodeResponse(
          { function: 43, level: 1, object: 0 },
          { ...response, next: Math.max(next, next === 200 ? pdu[3]! + 1 : 0), objects },
        );
      };
      await device.settled(device.handle().identify!(signal));
      expect(requests).toBeLessThanOrEqual(3 + 16);
    }
  });
});

class Raw extends Ticket {
  answer: Uint8Array | null = null;

  override settled(
    outcome: Outcome,
    _code: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    expect(outcome).toBe('answered');
    this.answer = bytes.slice(start, end);
  }
}

test('reading and writing in one request (function 23) is carried in every framing', () => {
  for (const framing of framings) {
    const device = new Device(framing);
    const side = devicesSide(framing);
    const effects = {
      send: (sent: Uint8Array) => {
        for (const bytes of side(sent, (pdu) => device.answer(pdu))) carried.receive(bytes, 0);
      },
      distrust: () => expect.unreachable(),
    };
    const line = { echo: false, pace: undefined };
    const carried: Conversation =
      framing === 'tcp' ? new Transactions(effects) : new Bus(effects, { framing, ...line });
    const registers = Uint16Array.of(7);
    const asked = { function: 23, address: 10, count: 2, writeAddress: 11, registers } as const;
    const ticket = new Raw(encodeRequest(asked));
    const lane = carried.lane({ unit: 3, timeoutMs: 100, inFlightMax: 1, minGapMs: 0 });
    carried.submit(lane, ticket, 0);
    const { pdu, answer } = ticket;
    expect(decodeResponse(pdu, answer!, 0, answer!.length)).toEqual({
      kind: 'registers',
      registers: Uint16Array.of(0xa5a5, 7),
    });
  }
});

describe('what a device taught', () => {
  /** Holes, gaps and lengths refused; each request of a poll. */
  async function pollOf(device: Device, plan: Plan): Promise<string[]> {
    const asked: string[] = [];
    device.respond = (pdu) => {
      const from = (pdu[1]! << 8) | pdu[2]!;
      const count = (pdu[3]! << 8) | pdu[4]!;
      asked.push(`${from}+${count}`);
      const holes = [5, 20, 21];
      const isHole = holes.some((hole) => hole >= from && hole < from + count);
      return isHole ? encodeException(pdu[0]!, 2) : device.answer(pdu);
    };
    await device.settled(device.handle().poll(plan, signal));
    return asked;
  }

  test('survives the connection: holes and walls are not met again, and the pace is known', async () => {
    for (const framing of framings) {
      const device = new Device(framing);
      const numbers = [0, 1, 5, 10, 19, 22, 23];
      const points = numbers.map((address) => at({ type: 'uint16', address }));
      const before = device.handle().plan(points);
      const first = await pollOf(device, before);
      await pollOf(device, before);
      const learned = await pollOf(device, before);
      expect(first.length).toBeGreaterThan(learned.length);
      device.connect();
      const after = device.handle().plan(points, before);
      expect(after.requests).toBe(learned.length);
      expect(await pollOf(device, after)).toEqual(learned);
      const others = device.handle().plan(points.slice(1), before);
      expect(others.requests, 'of other points nothing is known').toBe(1);
    }
  });
});
