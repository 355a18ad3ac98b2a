import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes, fromHex, hex } from '../../core/bytes.ts';
import { Deframer, encodeFrame, FRAME_BYTES_MAX } from './tcp-frames.ts';

interface Seen {
  readonly frames: string[];
  garbage: number;
}

function feed(deframer: Deframer, chunks: readonly Uint8Array[]): Seen {
  const seen: Seen = { frames: [], garbage: 0 };
  for (const chunk of chunks) {
    deframer.push(chunk, {
      frame: (transaction, unit, bytes, start, end) => {
        seen.frames.push(`${transaction} ${unit} ${hex(bytes.subarray(start, end))}`);
      },
      garbage: () => {
        seen.garbage++;
      },
    });
  }
  return seen;
}

const frames = fc.array(
  fc.tuple(fc.nat(0xffff), fc.nat(255), fc.uint8Array({ minLength: 1, maxLength: 253 })),
  { minLength: 1, maxLength: 12 },
);

/** Cuts `whole` at the given shares of its length. */
function cut(whole: Uint8Array, shares: readonly number[]): Uint8Array[] {
  const places = shares.map((share) => Math.floor(share * whole.length)).sort((a, b) => a - b);
  return [0, ...places].map((from, at) => whole.subarray(from, places[at] ?? whole.length));
}

const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 });

test('a frame is laid out as the standard says', () => {
  const pdu = fromHex('03 006b 0003')!;
  expect(hex(encodeFrame(0x1501, 0xff, pdu))).toBe('150100000006ff03006b0003');
});

test('however a stream is cut, the same frames come out', () => {
  fc.assert(
    fc.property(frames, shares, (sent, cuts) => {
      const whole = concatBytes(sent.map(([id, unit, pdu]) => encodeFrame(id, unit, pdu)));
      const seen = feed(new Deframer(), cut(whole, cuts));
      expect(seen.frames).toEqual(sent.map(([id, unit, pdu]) => `${id} ${unit} ${hex(pdu)}`));
      expect(seen.garbage).toBe(0);
    }),
  );
});

test('a good frame behind bytes that are none is found, and the bytes are counted', () => {
  const good = encodeFrame(7, 1, fromHex('03 02 0001')!);
  for (const noise of ['ff', 'ffffffffffff', '0001000100000006', '000000000001', '0000000000ff']) {
    const whole = concatBytes([fromHex(noise)!, good, good]);
    for (let size = 1; size <= whole.length; size++) {
      const chunks = Array.from({ length: Math.ceil(whole.length / size) }, (_, at) =>
        whole.subarray(at * size, (at + 1) * size),
      );
      const deframer = new Deframer();
      const seen = feed(deframer, chunks);
      expect(seen.frames.at(-1), `${noise} in pieces of ${size}`).toBe('7 1 03020001');
      expect(seen.garbage).toBeGreaterThan(0);
      expect(deframer.garbageBytes).toBeGreaterThan(0);
    }
  }
});

test('noise is reported when it begins and once a frame of it, not a byte', () => {
  const seen = feed(new Deframer(), [new Uint8Array(FRAME_BYTES_MAX * 3).fill(0xff)]);
  expect(seen).toEqual({ frames: [], garbage: 3 });
});

test('whatever comes, in whatever pieces, never throws and never makes a frame too long', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), shares, (noise, cuts) => {
      for (const frame of feed(new Deframer(), cut(noise, cuts)).frames) {
        expect(frame.split(' ')[2]!.length).toBeLessThanOrEqual(2 * 253);
      }
    }),
  );
});
