import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes, crc16Modbus, fromHex, hex } from '../../core/bytes.ts';
import type { Framing } from '../../protocols/modbus/address.ts';
import { answerBytes } from '../../protocols/modbus/answer-bytes.ts';
import { encodeFrame } from '../../protocols/modbus/tcp-frames.ts';
import type { AnswerBytes } from './heartbeat.ts';
import { HeartbeatFilter } from './heartbeat.ts';

const UNITS = [1, 2, 77, 247];
const framed =
  (framing: Framing): AnswerBytes =>
  (bytes, start, end) =>
    answerBytes(framing, UNITS, bytes, start, end);

const text = (words: string) => new TextEncoder().encode(words);

/** What comes out of a filter, whole, and how many heartbeats it took. */
function run(framing: Framing, heartbeat: Uint8Array, chunks: readonly Uint8Array[]) {
  const filter = new HeartbeatFilter(heartbeat, framed(framing));
  const out = concatBytes(chunks.map((chunk) => filter.push(chunk).slice()));
  return { out, heartbeats: filter.heartbeats };
}

function rtu(unit: number, pdu: Uint8Array): Uint8Array {
  const body = Uint8Array.of(unit, ...pdu);
  const crc = crc16Modbus(body);
  return Uint8Array.of(...body, crc & 0xff, crc >> 8);
}

function ascii(unit: number, pdu: Uint8Array): Uint8Array {
  const body = Uint8Array.of(unit, ...pdu);
  const lrc = -body.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return text(`:${hex(Uint8Array.of(...body, lrc)).toUpperCase()}\r\n`);
}

const encoders: Record<Framing, (unit: number, pdu: Uint8Array, id: number) => Uint8Array> = {
  rtu,
  ascii,
  tcp: (unit, pdu, id) => encodeFrame(id, unit, pdu),
};

const data = (count: number) => fc.uint8Array({ minLength: count, maxLength: count });
const pdu: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.tuple(fc.constantFrom(3, 4, 23), fc.integer({ min: 1, max: 125 })).chain(([code, count]) => {
    return data(2 * count).map((bytes) => Uint8Array.of(code, 2 * count, ...bytes));
  }),
  fc.tuple(fc.constantFrom(1, 2), fc.integer({ min: 1, max: 250 })).chain(([code, count]) => {
    return data(count).map((bytes) => Uint8Array.of(code, count, ...bytes));
  }),
  fc.tuple(fc.constantFrom(5, 6, 15, 16), data(4)).map(([code, rest]) => {
    return Uint8Array.of(code, ...rest);
  }),
  data(6).map((rest) => Uint8Array.of(22, ...rest)),
  fc.tuple(fc.constantFrom(0x81, 0x83, 0x90, 0xab), fc.integer({ min: 1, max: 11 })).map((pair) => {
    return Uint8Array.of(...pair);
  }),
  fc.array(data(5), { maxLength: 5 }).map((objects) => {
    const parts = objects.map((bytes, at) => Uint8Array.of(at, bytes.length, ...bytes));
    return Uint8Array.of(43, 14, 1, 1, 0, 0, objects.length, ...concatBytes(parts));
  }),
);

/** Cuts `whole` at the given shares of its length, or into pieces of one size. */
function cut(whole: Uint8Array, shares: readonly number[] | number): Uint8Array[] {
  if (typeof shares === 'number') {
    return Array.from({ length: Math.ceil(whole.length / shares) }, (_, at) =>
      whole.subarray(at * shares, (at + 1) * shares),
    );
  }
  const places = shares.map((share) => Math.floor(share * whole.length)).sort((a, b) => a - b);
  return [0, ...places].map((from, at) => whole.subarray(from, places[at] ?? whole.length));
}

const shares = fc.oneof(
  fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 }),
  fc.integer({ min: 1, max: 12 }),
);

for (const framing of ['rtu', 'ascii', 'tcp'] as const) {
  test(`${framing}: whatever heartbeats stand between answers, however all is cut, the answers come out whole`, () => {
    // The heartbeats the configuration admits: no answer can begin so. Half of them are made from
    // the answers themselves, so that they stand inside of them too.
    const stream = fc
      .array(fc.tuple(pdu, fc.constantFrom(...UNITS), fc.nat(0xffff), fc.nat(3)), {
        minLength: 1,
        maxLength: 8,
      })
      .chain((answers) => {
        const frames = answers.map(([bytes, unit, id]) => encoders[framing](unit, bytes, id));
        const inside = fc
          .tuple(fc.nat(frames.length - 1), fc.nat(250), fc.integer({ min: 1, max: 12 }))
          .map(([which, from, length]) =>
            frames[which]!.slice(from % frames[which]!.length).slice(0, length),
          );
        const heartbeat = fc
          .oneof(inside, fc.uint8Array({ minLength: 1, maxLength: 16 }))
          .filter((bytes) => framed(framing)(bytes, 0, bytes.length) < 0);
        const between = answers.map(([, , , count]) => count);
        return fc.record({ frames: fc.constant(frames), between: fc.constant(between), heartbeat });
      });
    fc.assert(
      fc.property(stream, shares, ({ frames, between, heartbeat }, cuts) => {
        const parts = frames.flatMap((frame, at) => [
          ...Array.from({ length: between[at]! }, () => heartbeat),
          frame,
        ]);
        const whole = concatBytes([...parts, heartbeat]);
        const { out, heartbeats } = run(framing, heartbeat, cut(whole, cuts));
        expect(hex(out)).toBe(hex(concatBytes(frames)));
        expect(heartbeats).toBe(between.reduce((sum, count) => sum + count, 1));
      }),
      { numRuns: 500 },
    );
  });
}

const answer = rtu(1, fromHex('03 04 0001 0002')!);
const ping = text('ping');

test('a heartbeat before, after and between answers, alone and cut anywhere, is taken out', () => {
  const streams = [[ping], [ping, answer], [answer, ping], [answer, ping, ping, answer]];
  for (const parts of streams) {
    const whole = concatBytes(parts);
    const expected = hex(concatBytes(parts.filter((part) => part === answer)));
    for (let at = 0; at <= whole.length; at++) {
      const { out } = run('rtu', ping, [whole.subarray(0, at), whole.subarray(at)]);
      expect(hex(out), `cut at ${at}`).toBe(expected);
    }
  }
});

test('what looks like a heartbeat inside an answer stays there', () => {
  const full = rtu(1, Uint8Array.of(3, 8, ...text('pingping')));
  for (let at = 0; at <= full.length; at++) {
    const { out, heartbeats } = run('rtu', ping, [full.subarray(0, at), full.subarray(at)]);
    expect(hex(out), `cut at ${at}`).toBe(hex(full));
    expect(heartbeats).toBe(0);
  }
});

test('bytes are held back only while they may be the beginning of a heartbeat', () => {
  const filter = new HeartbeatFilter(ping, framed('rtu'));
  expect(hex(filter.push(answer.subarray(0, 3)))).toBe(hex(answer.subarray(0, 3)));
  expect(hex(filter.push(answer.subarray(3)))).toBe(hex(answer.subarray(3)));
  expect(filter.push(text('pin'))).toHaveLength(0);
  expect(hex(filter.push(text('d')))).toBe(hex(text('pind')));
});

test('after a torn answer and after noise the next answers come out, and heartbeats are found again', () => {
  const torn = answer.subarray(0, 6);
  const wrong = answer.map((byte, at) => (at === 4 ? byte ^ 0xff : byte));
  for (const noise of [torn, wrong, fromHex('ff00ff00')!, text('pi'), text('AT+\r\n')]) {
    const rounds = Array.from({ length: 60 }, () => [answer, ping]).flat();
    const { out, heartbeats } = run('rtu', ping, [noise, ...rounds]);
    expect(hex(out).endsWith(hex(concatBytes([answer, answer]))), hex(noise)).toBe(true);
    expect(heartbeats).toBeGreaterThanOrEqual(58);
  }
});

test('whatever comes, nothing but heartbeats is taken out, and nothing is held beyond their length', () => {
  const noise = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 20 });
  fc.assert(
    fc.property(
      fc.constantFrom(...(['rtu', 'ascii', 'tcp'] as const)),
      noise,
      (framing, chunks) => {
        const heartbeat = text('~~ping');
        const { out, heartbeats } = run(framing, heartbeat, chunks);
        const came = concatBytes(chunks).length;
        const held = came - out.length - heartbeats * heartbeat.length;
        expect(held).toBeGreaterThanOrEqual(0);
        expect(held).toBeLessThan(heartbeat.length);
      },
    ),
  );
});
