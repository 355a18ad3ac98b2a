// What takes streams apart, whatever comes and however it is cut: every byte is in a frame, held or
// counted as garbage; what is held is bounded; what is called a frame passes its check.
import assert from 'node:assert/strict';
import { crc16Modbus } from '../../core/bytes.ts';
import type { Draw } from '../../tests/fuzz/draw.ts';
import { joined } from '../../tests/fuzz/draw.ts';
import type { FuzzTarget } from '../../tests/fuzz/target.ts';
import { ASCII_FRAME_BYTES_MAX, AsciiDeframer, encodeAsciiFrame } from './ascii-frames.ts';
import { answerPdus, requestPdus } from './codec.fuzz.ts';
import { PDU_BYTES_MAX } from './codec.ts';
import type { LineDeframer, LineSink } from './line-frames.ts';
import type { FrameLength } from './rtu-frames.ts';
import {
  answerLength,
  encodeRtuFrame,
  RTU_FRAME_BYTES_MAX,
  RtuDeframer,
  requestLength,
  rtuFrameBytes,
} from './rtu-frames.ts';
import { Deframer, encodeFrame, FRAME_BYTES_MAX, MBAP_BYTES } from './tcp-frames.ts';

const PARTS_MAX = 5;
const pdus = [...requestPdus, ...answerPdus];
export const tcpFrames = pdus.map((pdu, at) => encodeFrame(at * 1_021, at, pdu));
export const rtuAnswers = answerPdus.map((pdu, at) => encodeRtuFrame(at + 1, pdu));
const rtuRequests = requestPdus.map((pdu, at) => encodeRtuFrame(at + 1, pdu));
export const asciiFrames = pdus.map((pdu, at) => encodeAsciiFrame(at + 1, pdu));

/** Frames and garbage as text, to compare. */
function takenBy(push: (note: (text: string) => void, count: (bytes: number) => void) => void) {
  const notes: string[] = [];
  let bytes = 0;
  push(
    (text) => notes.push(text),
    (size) => {
      bytes += size;
    },
  );
  return { notes, bytes };
}

function throughTcp(pieces: readonly Uint8Array[]) {
  const deframer = new Deframer();
  const taken = takenBy((note, count) => {
    const sink = {
      frame: (id: number, unit: number, bytes: Uint8Array, start: number, end: number) => {
        assert(end > start && end - start <= PDU_BYTES_MAX && end <= bytes.length);
        count(MBAP_BYTES + end - start);
        note(`${id} ${unit} ${bytes.subarray(start, end).join()}`);
      },
      garbage: () => note('garbage'),
    };
    for (const piece of pieces) deframer.push(piece, sink);
  });
  return { ...taken, garbage: deframer.garbageBytes };
}

const tcp: FuzzTarget = {
  name: 'modbus-tcp-frames',
  about: 'streams of Modbus TCP',
  swallow: (draw) => {
    const stream = draw.stream(tcpFrames, PARTS_MAX);
    const whole = throughTcp([stream]);
    const cut = throughTcp(draw.pieces(stream));
    assert.deepEqual(cut, whole);
    const held = stream.length - whole.bytes - whole.garbage;
    assert(held >= 0 && held < FRAME_BYTES_MAX, `${held} bytes held`);
  },
};

/** Makes the check of a broken frame hold again, so that the damage is met further in. */
function withCrc(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 4) return bytes;
  const out = bytes.slice();
  const crc = crc16Modbus(out, 0, out.length - 2);
  out[out.length - 2] = crc & 0xff;
  out[out.length - 1] = crc >> 8;
  return out;
}

function rtuStream(draw: Draw, golden: readonly Uint8Array[]): Uint8Array[] {
  return Array.from({ length: draw.integer(1, PARTS_MAX) }, () => {
    const part = draw.mutated(golden);
    return draw.oneIn(2) ? withCrc(part) : part;
  });
}

/** Pushes, silences and questions in any order, as a bus makes them. */
function overLine(draw: Draw, parts: readonly Uint8Array[], deframer: LineDeframer) {
  let pushed = 0;
  const taken = takenBy((note, count) => {
    const sink: LineSink = {
      frame: (unit, bytes, start, end) => {
        assert(end > start && end - start <= PDU_BYTES_MAX && end <= bytes.length);
        count(end - start);
        note(`${unit} ${bytes.subarray(start, end).join()}`);
      },
      garbage: () => note('garbage'),
    };
    for (const part of parts) {
      if (draw.oneIn(2)) deframer.expect(draw.integer(0, 255), draw.pick(requestPdus));
      else if (draw.oneIn(4)) deframer.expectNothing();
      for (const piece of draw.pieces(part)) {
        deframer.push(piece, sink);
        pushed += piece.length;
        assert(deframer.heldBytes <= ASCII_FRAME_BYTES_MAX && deframer.garbageBytes <= pushed);
        if (draw.oneIn(16)) deframer.silence(sink);
        if (draw.oneIn(64)) deframer.flush(sink);
      }
    }
  });
  return { ...taken, pushed };
}

function rtuTarget(
  name: string,
  about: string,
  lengthOf: FrameLength,
  golden: readonly Uint8Array[],
): FuzzTarget {
  const swallow = (draw: Draw) => {
    const deframer = new RtuDeframer(lengthOf);
    const parts = rtuStream(draw, golden);
    const { notes, bytes, pushed } = overLine(draw, parts, deframer);
    const frames = notes.filter((text) => text !== 'garbage');
    const around = frames.length * rtuFrameBytes(0);
    assert.equal(bytes + around + deframer.garbageBytes + deframer.heldBytes, pushed);
    assert(deframer.heldBytes <= RTU_FRAME_BYTES_MAX, `${deframer.heldBytes} bytes held`);
    // A frame of noise is one in 65,536: what was delivered stands in what came, check and all.
    const text = `,${joined(parts).join()},`;
    for (const frame of frames) {
      const [unit, pdu] = frame.split(' ');
      const whole = Uint8Array.from(`${unit},${pdu}`.split(','), Number);
      const crc = crc16Modbus(whole);
      const sent = `,${[...whole, crc & 0xff, crc >> 8].join()},`;
      assert(text.includes(sent), `${frame} was never sent`);
    }
    deframer.flush({ frame: () => assert.fail('a flush delivers nothing'), garbage: () => {} });
    assert.equal(deframer.heldBytes, 0);
  };
  return { name, about, swallow };
}

function throughAscii(pieces: readonly Uint8Array[]) {
  const deframer = new AsciiDeframer();
  const taken = takenBy((note, count) => {
    const sink: LineSink = {
      frame: (unit, bytes, start, end) => {
        assert(end > start && end - start <= PDU_BYTES_MAX);
        count(1 + 2 * (end - start + 2));
        const sum = bytes.subarray(0, end + 1).reduce((all, byte) => all + byte, 0);
        assert.equal(sum & 0xff, 0, 'the LRC fits');
        note(`${unit} ${bytes.subarray(start, end).join()}`);
      },
      garbage: () => note('garbage'),
    };
    for (const piece of pieces) deframer.push(piece, sink);
  });
  return { ...taken, held: deframer.heldBytes, garbage: deframer.garbageBytes };
}

const ascii: FuzzTarget = {
  name: 'modbus-ascii-frames',
  about: 'streams of Modbus ASCII',
  swallow: (draw) => {
    const stream = draw.stream(asciiFrames, PARTS_MAX);
    const whole = throughAscii([stream]);
    assert.deepEqual(throughAscii(draw.pieces(stream)), whole);
    assert(whole.held <= ASCII_FRAME_BYTES_MAX);
    assert(whole.bytes + whole.held + whole.garbage <= stream.length);
    overLine(draw, [stream], new AsciiDeframer());
  },
};

export const frameTargets: readonly FuzzTarget[] = [
  tcp,
  rtuTarget('modbus-rtu-answers', 'streams of RTU, as a master', answerLength, rtuAnswers),
  rtuTarget('modbus-rtu-requests', 'streams of RTU, as a device', requestLength, rtuRequests),
  ascii,
];
