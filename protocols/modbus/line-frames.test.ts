import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, fromHex, hex } from '../../core/bytes.ts';
import {
  ASCII_FRAME_BYTES_MAX,
  AsciiDeframer,
  asciiFrameBytes,
  encodeAsciiFrame,
} from './ascii-frames.ts';
import { encodeException, encodeRequest } from './codec.ts';
import type { LineDeframer } from './line-frames.ts';
import {
  answerLength,
  encodeRtuFrame,
  RTU_FRAME_BYTES_MAX,
  RtuDeframer,
  requestLength,
  rtuFrameBytes,
} from './rtu-frames.ts';

interface Seen {
  readonly frames: string[];
  garbage: number;
}

const sinkOf = (seen: Seen) => ({
  frame: (unit: number, bytes: Uint8Array, start: number, end: number) => {
    seen.frames.push(`${unit} ${hex(bytes.subarray(start, end))}`);
  },
  garbage: () => {
    seen.garbage++;
  },
});

function feed(deframer: LineDeframer, chunks: readonly Uint8Array[]): Seen {
  const seen: Seen = { frames: [], garbage: 0 };
  for (const chunk of chunks) deframer.push(chunk, sinkOf(seen));
  return seen;
}

function quiet(deframer: LineDeframer): string[] {
  const seen: Seen = { frames: [], garbage: 0 };
  deframer.silence(sinkOf(seen));
  return seen.frames;
}

/** Cuts `whole` at the given shares of its length. */
function cut(whole: Uint8Array, shares: readonly number[]): Uint8Array[] {
  const places = shares.map((share) => Math.floor(share * whole.length)).sort((a, b) => a - b);
  return [0, ...places].map((from, at) => whole.subarray(from, places[at] ?? whole.length));
}

const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 });
const unit = fc.integer({ min: 1, max: 247 });
const registers = (count: number, of: (at: number) => number) =>
  Uint8Array.from({ length: 2 + 2 * count }, (_, at) =>
    at === 0 ? 3 : at === 1 ? 2 * count : of(at),
  );
const answers = fc.oneof(
  fc
    .tuple(fc.constantFrom(3, 4, 23), fc.uint8Array({ minLength: 1, maxLength: 125 }))
    .map(([code, half]) => Uint8Array.of(code, 2 * half.length, ...half, ...half)),
  fc
    .tuple(fc.constantFrom(1, 2), fc.uint8Array({ minLength: 1, maxLength: 250 }))
    .map(([code, data]) => Uint8Array.of(code, data.length, ...data)),
  fc
    .tuple(fc.constantFrom(5, 6, 15, 16), fc.nat(0xffff))
    .map(([code, at]) => Uint8Array.of(code, at >> 8, at & 0xff, 0, 1)),
  fc
    .tuple(fc.constantFrom(1, 3, 16, 43), fc.integer({ min: 1, max: 11 }))
    .map(([of, code]) => encodeException(of, code)),
  fc.constant(fromHex('160004 00f2 0025')!),
  fc.constant(fromHex('2b0e0101000002 0003414243 010144')!),
);

// Frames as manuals and public documents print them; the checksums were computed again.
const requests: readonly [string, string, string][] = [
  ['0103 0000 000a c5cd', '1 030000000a', '10 holding registers from 0'],
  ['0103 0000 0002 c40b', '1 0300000002', '2 holding registers from 0'],
  ['0104 0000 0002 71cb', '1 0400000002', '2 input registers from 0'],
  ['1103 006b 0003 7687', '17 03006b0003', 'the example of the Modbus guide'],
  ['0106 0001 0003 980b', '1 0600010003', 'register 1 becomes 3'],
  ['0110 0001 0002 04 000a 0102 9230', '1 100001000204000a0102', 'two registers from 1'],
  ['012b 0e01 00 7077', '1 2b0e0100', 'identification'],
  ['0203 0000 0001 8439', '2 0300000001', 'a level gauge'],
];
const answered: readonly [string, string, string][] = [
  ['1103 06 ae41 5652 4340 49ad', '17 0306ae4156524340', 'its answer'],
  ['0183 02 c0f1', '1 8302', 'exception 2'],
  ['0104 04 4366 3334 1b38', '1 040443663334', '230.2 as a float'],
  ['0103 04 806b 4212 1282', '1 0304806b4212', '36.6254, low word first'],
  ['0103 04 0000 c148 ab95', '1 03040000c148', '-12.5, low word first'],
  ['0203 02 001f bd8c', '2 0302001f', '31 cm'],
  ['0106 0001 0003 980b', '1 0600010003', 'a write is echoed'],
];

describe('RTU', () => {
  test.each(requests)('request %s is %s (%s)', (wire, frame) => {
    const bytes = fromHex(wire)!;
    expect(feed(new RtuDeframer(requestLength), [bytes]).frames).toEqual([frame]);
    expect(hex(encodeRtuFrame(bytes[0]!, bytes.slice(1, -2)))).toBe(hex(bytes));
  });

  test.each(answered)('answer %s is %s (%s)', (wire, frame) => {
    const bytes = fromHex(wire)!;
    expect(feed(new RtuDeframer(answerLength), [bytes]).frames).toEqual([frame]);
    expect(feed(new RtuDeframer(answerLength), [bytes.with(3, bytes[3]! ^ 1)]).frames).toEqual([]);
  });

  test('however a stream is cut or merged, the same frames come out', () => {
    const sent = fc.array(fc.tuple(unit, answers), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sent, shares, (frames, cuts) => {
        const whole = concatBytes(frames.map(([from, pdu]) => encodeRtuFrame(from, pdu)));
        const seen = feed(new RtuDeframer(answerLength), cut(whole, cuts));
        expect(seen.frames).toEqual(frames.map(([from, pdu]) => `${from} ${hex(pdu)}`));
        expect(seen.garbage).toBe(0);
      }),
    );
  });

  test('requests likewise, on the side that answers', () => {
    const pdus = fc.constantFrom(
      encodeRequest({ function: 1, address: 7, count: 9 }),
      encodeRequest({ function: 5, address: 7, on: true }),
      encodeRequest({ function: 15, address: 7, bits: new Uint8Array(1_968) }),
      encodeRequest({ function: 16, address: 7, registers: new Uint16Array(123) }),
      encodeRequest({ function: 22, address: 7, andMask: 1, orMask: 2 }),
      encodeRequest({
        function: 23,
        address: 7,
        count: 125,
        writeAddress: 9,
        registers: new Uint16Array(121),
      }),
      encodeRequest({ function: 43, level: 2, object: 5 }),
    );
    const sent = fc.array(fc.tuple(unit, pdus), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(sent, shares, (frames, cuts) => {
        const whole = concatBytes(frames.map(([to, pdu]) => encodeRtuFrame(to, pdu)));
        const seen = feed(new RtuDeframer(requestLength), cut(whole, cuts));
        expect(seen.frames).toEqual(frames.map(([to, pdu]) => `${to} ${hex(pdu)}`));
      }),
    );
  });

  test('noise around the awaited answer hides it from nobody, and is never itself an answer', () => {
    const asked = encodeRequest({ function: 3, address: 0, count: 20 });
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      // What looks like the beginning of a frame, up to the longest.
      fc
        .tuple(fc.constantFrom(9, 1), fc.constantFrom(3, 4, 16, 43, 0x83), fc.nat(255))
        .map(([from, code, data]) => Uint8Array.of(from, code, data)),
    );
    const run = fc.property(noise, noise, fc.nat(255), shares, (before, behind, first, cuts) => {
      const pdu = registers(20, (at) => (first * at) & 0xff);
      const deframer = new RtuDeframer(answerLength);
      deframer.expect(9, asked);
      const whole = concatBytes([before, encodeRtuFrame(9, pdu), behind]);
      const { frames } = feed(deframer, cut(whole, cuts));
      frames.push(...quiet(deframer));
      const mine = frames.filter((frame) => frame.startsWith('9 0328'));
      expect(mine).toEqual([`9 ${hex(pdu)}`]);
      deframer.flush(sinkOf({ frames: [], garbage: 0 }));
      expect(deframer.heldBytes).toBe(0);
      expect(deframer.garbageBytes).toBeLessThanOrEqual(before.length + behind.length);
    });
    fc.assert(run, { numRuns: 500 });
  });

  test('half a frame holds a whole one back until silence tells that it stays half', () => {
    const deframer = new RtuDeframer(answerLength);
    const late = encodeRtuFrame(
      5,
      registers(2, () => 7),
    );
    const half = encodeRtuFrame(
      4,
      registers(100, () => 1),
    ).subarray(0, 90);
    expect(feed(deframer, [half, late]).frames).toEqual([]);
    expect(quiet(deframer)).toEqual(['5 030407070707']);
    expect([deframer.heldBytes, deframer.garbageBytes]).toEqual([0, 90]);
  });

  test('an exception hidden behind half an answer of its own unit is found by silence', () => {
    const deframer = new RtuDeframer(answerLength);
    deframer.expect(4, encodeRequest({ function: 3, address: 0, count: 100 }));
    const half = encodeRtuFrame(
      4,
      registers(100, () => 1),
    ).subarray(0, 20);
    expect(feed(deframer, [half, encodeRtuFrame(4, encodeException(3, 2))]).frames).toEqual([]);
    expect(quiet(deframer)).toEqual(['4 8302']);
  });

  test('noise is counted when it begins and once a frame of it, and no more than one is held', () => {
    const deframer = new RtuDeframer(answerLength);
    expect(feed(deframer, [new Uint8Array(3 * RTU_FRAME_BYTES_MAX).fill(0xf9)])).toEqual({
      frames: [],
      garbage: 3,
    });
    const run = fc.property(
      fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 6 }),
      (all) => {
        const noisy = new RtuDeframer(answerLength);
        for (const frame of feed(noisy, all).frames) {
          expect(frame.split(' ')[1]!.length).toBeLessThanOrEqual(2 * 253);
        }
        expect(noisy.heldBytes).toBeLessThan(RTU_FRAME_BYTES_MAX);
      },
    );
    fc.assert(run);
  });
});

describe('ASCII', () => {
  test.each([...requests, ...answered])('%s in characters is the same frame (%s)', (wire) => {
    const bytes = fromHex(wire)!;
    const pdu = bytes.slice(1, -2);
    const frame = encodeAsciiFrame(bytes[0]!, pdu);
    expect(frame.length).toBe(asciiFrameBytes(pdu.length));
    expect(feed(new AsciiDeframer(), [frame]).frames).toEqual([`${bytes[0]} ${hex(pdu)}`]);
  });

  test('a frame is laid out as the standard says, and small digits or no return are read too', () => {
    const pdu = fromHex('03 006b 0003')!;
    expect(Buffer.from(encodeAsciiFrame(0x11, pdu)).toString()).toBe(':1103006B00037E\r\n');
    for (const text of [':1103006b00037e\r\n', ':1103006B00037E\n']) {
      expect(feed(new AsciiDeframer(), [Buffer.from(text)]).frames).toEqual(['17 03006b0003']);
    }
  });

  test.each([
    [':1103006B00037F\r\n', 'a wrong sum'],
    [':1103006B0003E\r\n', 'half a byte'],
    [':11EF\r\n', 'no PDU'],
    [':11 03006B00037E\r\n', 'a blank'],
    [':1103006B00037E\r\r\n', 'two returns'],
    [`:${'00'.repeat(256)}\r\n`, 'more than a frame'],
  ])('%s is dropped (%s), and the frame behind it is read', (text) => {
    const good = encodeAsciiFrame(1, fromHex('8302')!);
    const deframer = new AsciiDeframer();
    const seen = feed(deframer, [Buffer.from(text), good]);
    expect(seen.frames).toEqual(['1 8302']);
    expect(seen.garbage).toBeGreaterThan(0);
    expect(deframer.garbageBytes).toBeGreaterThan(0);
  });

  test('however a stream is cut, with noise before each frame, the same frames come out', () => {
    const noise = fc.uint8Array({ maxLength: 30 }).map((bytes) => bytes.map((byte) => byte | 0x80));
    const half = fc.nat(15).map((end) => Buffer.from(':1103006B00037').subarray(0, end));
    const sent = fc.array(fc.tuple(fc.oneof(noise, half), unit, answers), { maxLength: 8 });
    fc.assert(
      fc.property(sent, shares, (frames, cuts) => {
        const whole = frames.flatMap(([before, from, pdu]) => [
          before,
          encodeAsciiFrame(from, pdu),
        ]);
        const seen = feed(new AsciiDeframer(), cut(concatBytes(whole), cuts));
        expect(seen.frames).toEqual(frames.map(([, from, pdu]) => `${from} ${hex(pdu)}`));
      }),
    );
  });

  test('whatever comes never throws, and no more than a frame is held', () => {
    const characters = fc.oneof(
      fc.constantFrom(0x3a, 0x0d, 0x0a),
      fc.nat(255),
      fc.nat(9).map((at) => at + 48),
    );
    fc.assert(
      fc.property(fc.array(characters, { maxLength: 2_000 }), (bytes) => {
        const deframer = new AsciiDeframer();
        feed(deframer, [Uint8Array.from(bytes)]);
        expect(deframer.heldBytes).toBeLessThan(ASCII_FRAME_BYTES_MAX);
      }),
    );
    expect([rtuFrameBytes(253), asciiFrameBytes(253)]).toEqual([256, 513]);
  });
});
