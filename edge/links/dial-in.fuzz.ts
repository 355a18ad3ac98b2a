// What terminal units send, whatever it is and however it is cut: who registers is the same in one
// piece and in many; of heartbeats nothing stays between answers, and nothing else is taken out.
import assert from 'node:assert/strict';
import type { Framing } from '../../protocols/modbus/address.ts';
import { answerBytes } from '../../protocols/modbus/answer-bytes.ts';
import { asciiFrames, rtuAnswers, tcpFrames } from '../../protocols/modbus/frames.fuzz.ts';
import type { Draw } from '../../tests/fuzz/draw.ts';
import { joined } from '../../tests/fuzz/draw.ts';
import type { FuzzTarget } from '../../tests/fuzz/target.ts';
import { HeartbeatFilter } from './heartbeat.ts';
import { unitNamed } from './registration.ts';

const units = Array.from({ length: 256 }, (_, unit) => unit);
const frames: Readonly<Record<Framing, readonly Uint8Array[]>> = {
  rtu: rtuAnswers,
  ascii: asciiFrames,
  tcp: tcpFrames,
};
const framings: readonly Framing[] = ['rtu', 'ascii', 'tcp'];
const packets = ['ping', 'HF-0417-SURFACE', 'HF-0417', '\u0000', '+++', '$$', 'x'.repeat(64)].map(
  (text) => new TextEncoder().encode(text),
);

function filtered(framing: Framing, heartbeat: Uint8Array, pieces: readonly Uint8Array[]) {
  const ends = (bytes: Uint8Array, start: number, end: number) =>
    answerBytes(framing, units, bytes, start, end);
  const filter = new HeartbeatFilter(heartbeat, ends);
  const out = joined(pieces.map((piece) => filter.push(piece).slice()));
  return { out, heartbeats: filter.heartbeats };
}

/** Packets the configuration admits: no answer begins so. */
function heartbeatOf(draw: Draw, framing: Framing): Uint8Array {
  for (;;) {
    const heartbeat = draw.oneIn(2) ? draw.pick(packets) : draw.bytes(draw.integer(1, 16));
    if (answerBytes(framing, units, heartbeat, 0, heartbeat.length) < 0) return heartbeat;
  }
}

const heartbeats: FuzzTarget = {
  name: 'dial-in-heartbeats',
  about: 'streams of terminal units with heartbeats in them',
  swallow: (draw) => {
    const framing = draw.pick(framings);
    const heartbeat = heartbeatOf(draw, framing);
    const answers = draw.oneIn(2);
    const parts = Array.from({ length: draw.integer(1, 6) }, () => {
      if (draw.oneIn(2)) return heartbeat;
      return answers ? draw.pick(frames[framing]) : draw.mutated([...frames[framing], heartbeat]);
    });
    const stream = joined(parts);
    const { out, heartbeats } = filtered(framing, heartbeat, draw.pieces(stream));
    const gone = stream.length - out.length - heartbeats * heartbeat.length;
    assert(gone >= 0 && gone < heartbeat.length, `${gone} bytes held back`);
    if (!answers) return;
    const expected = joined(parts.filter((part) => part !== heartbeat));
    assert.deepEqual(out, expected);
  },
};

const registration: FuzzTarget = {
  name: 'dial-in-registration',
  about: 'what a terminal unit says first',
  swallow: (draw) => {
    const known = Array.from({ length: draw.integer(1, 4) }, () => ({
      identity: draw.pick(packets),
    }));
    const stream = draw.mutated(known.map(({ identity }) => identity));
    const nothing = new Uint8Array(0);
    const whole = unitNamed(known, nothing, stream);
    let said: Uint8Array = nothing;
    let named: ReturnType<typeof unitNamed> = 'more';
    for (const piece of draw.pieces(stream)) {
      named = unitNamed(known, said, piece);
      if (named !== 'more') break;
      said = joined([said, piece]);
      assert(said.length < 64, 'no more is kept than the longest packet');
    }
    // Of two packets that begin alike the shorter is found first where both have not come yet.
    if (named === null) assert.equal(whole, null);
    if (whole === null) assert.equal(named, null);
    if (named !== null && named !== 'more' && whole !== named) {
      assert(typeof whole === 'object' && whole, 'somebody else, or nobody');
      const [short, long] = [named.identity, whole.identity];
      assert.deepEqual(long.subarray(0, short.length), short.subarray(0, long.length));
    }
  },
};

export const dialIn: readonly FuzzTarget[] = [heartbeats, registration];
