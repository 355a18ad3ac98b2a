// What the framings of a serial line have in common, and the times that its pace gives.
import type { Pace } from '../driver.ts';
import {
  ASCII_FRAME_BYTES_MAX,
  AsciiDeframer,
  asciiFrameBytes,
  writeAsciiFrame,
} from './ascii-frames.ts';
import {
  answerLength,
  RTU_FRAME_BYTES_MAX,
  RtuDeframer,
  rtuFrameBytes,
  writeRtuFrame,
} from './rtu-frames.ts';

export interface LineSink {
  /** The PDU is `bytes[start..end)`, valid only during the call. */
  frame(unit: number, bytes: Uint8Array, start: number, end: number): void;
  /** Bytes that are no frame: when they begin, and again after each full frame's worth of them. */
  garbage(): void;
}

/** What takes the bytes of a line apart, whatever the framing. */
export interface LineDeframer {
  /** Bytes of a frame that was begun. */
  readonly heldBytes: number;
  /** All bytes ever dropped in search of a frame. */
  readonly garbageBytes: number;
  /** Which answer is awaited, as unit and request PDU. */
  expect(unit: number, asked: Uint8Array): void;
  expectNothing(): void;
  push(bytes: Uint8Array, sink: LineSink): void;
  /** Nothing came for a while: finds what is hidden behind a frame that was only begun. */
  silence(sink: LineSink): void;
  /** Drops what is held. */
  flush(sink: LineSink): void;
}

/** How a master speaks one framing. */
export interface LineFrames {
  readonly bytesMax: number;
  /** Whether only silence parts frames. */
  readonly needsSilence: boolean;
  deframer(): LineDeframer;
  /** Of the frame around a PDU of so many bytes. */
  bytesOf(pduBytes: number): number;
  /** Writes a whole frame at the beginning of `out` and returns its end. */
  write(out: Uint8Array, unit: number, pdu: Uint8Array): number;
}

export const lineFrames: Readonly<Record<'rtu' | 'ascii', LineFrames>> = {
  rtu: {
    bytesMax: RTU_FRAME_BYTES_MAX,
    needsSilence: true,
    deframer: () => new RtuDeframer(answerLength),
    bytesOf: rtuFrameBytes,
    write: writeRtuFrame,
  },
  ascii: {
    bytesMax: ASCII_FRAME_BYTES_MAX,
    needsSilence: false,
    deframer: () => new AsciiDeframer(),
    bytesOf: asciiFrameBytes,
    write: writeAsciiFrame,
  },
};

/** Above this the silence between frames no longer shrinks with the characters (2.5.1.1). */
const FIXED_SILENCE_ABOVE_BAUD = 19_200;
const FIXED_SILENCE_MS = 1.75;
const SILENCE_CHARACTERS = 3.5;

/** 0 where nothing paces bytes. */
export function characterMsOf(pace: Pace | undefined): number {
  return pace ? (1_000 * pace.bitsPerCharacter) / pace.bitsPerSecond : 0;
}

/** How long a line is silent between two frames. */
export function silenceMsOf(pace: Pace | undefined, { needsSilence }: LineFrames): number {
  if (!pace || !needsSilence) return 0;
  const isFixed = pace.bitsPerSecond > FIXED_SILENCE_ABOVE_BAUD;
  return isFixed ? FIXED_SILENCE_MS : SILENCE_CHARACTERS * characterMsOf(pace);
}
