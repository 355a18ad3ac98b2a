// Where an answer ends, for whoever must keep foreign bytes out of answers: the heartbeats of a
// terminal unit stand between them, and may look like anything.
//
// RTU: unit, function, then as the function says; CRC (Modbus over Serial Line V1.02, 2.5.1).
// ASCII: from the colon to CR LF (2.5.2). TCP: by its header.
import { crc16Modbus } from '../../core/bytes.ts';
import type { Framing } from './address.ts';
import { PDU_BYTES_MAX } from './codec.ts';
import { answerLength } from './rtu-frames.ts';

const CRC_BYTES = 2;
/** Colon, two digits a byte of unit, PDU and check, CR, LF. */
const ASCII_BYTES_MAX = 1 + 2 * (1 + PDU_BYTES_MAX + 1) + 2;
const MBAP_PREFIX_BYTES = 6;
const NONE = -1;
const MORE = 0;

/** See `Protocol.answerBytes`. */
export function answerBytes(
  framing: Framing,
  units: readonly number[],
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  if (start >= end) return MORE;
  switch (framing) {
    case 'rtu':
      return rtuBytes(units, bytes, start, end);
    case 'ascii':
      return asciiBytes(units, bytes, start, end);
    case 'tcp':
      return tcpBytes(units, bytes, start, end);
  }
}

function rtuBytes(units: readonly number[], bytes: Uint8Array, start: number, end: number): number {
  if (!units.includes(bytes[start]!)) return NONE;
  const length = answerLength(bytes, start, end);
  if (length <= 0 || start + length > end) return Math.min(length, MORE);
  const crcAt = start + length - CRC_BYTES;
  const crc = bytes[crcAt]! | (bytes[crcAt + 1]! << 8);
  return crc === crc16Modbus(bytes, start, crcAt) ? length : NONE;
}

function asciiBytes(
  units: readonly number[],
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  if (bytes[start] !== 0x3a) return NONE;
  for (let at = start + 1; at < end; at++) {
    if (at - start >= ASCII_BYTES_MAX) return NONE;
    const byte = bytes[at]!;
    if (byte === 0x0a && bytes[at - 1] === 0x0d) return at + 1 - start;
    if (byte !== 0x0d && !isHexDigit(byte)) return NONE;
    if (bytes[at - 1] === 0x0d) return NONE;
    if (at - start === 2 && !units.includes(unitOf(bytes, start))) return NONE;
  }
  return MORE;
}

function isHexDigit(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46);
}

function unitOf(bytes: Uint8Array, start: number): number {
  return Number.parseInt(String.fromCharCode(bytes[start + 1]!, bytes[start + 2]!), 16);
}

function tcpBytes(units: readonly number[], bytes: Uint8Array, start: number, end: number): number {
  const have = end - start;
  if ((have > 2 && bytes[start + 2] !== 0) || (have > 3 && bytes[start + 3] !== 0)) return NONE;
  if (have < MBAP_PREFIX_BYTES) return MORE;
  const length = (bytes[start + 4]! << 8) | bytes[start + 5]!;
  if (length < 2 || length > 1 + PDU_BYTES_MAX) return NONE;
  if (have > MBAP_PREFIX_BYTES && !units.includes(bytes[start + 6]!)) return NONE;
  return have < MBAP_PREFIX_BYTES + length ? MORE : MBAP_PREFIX_BYTES + length;
}
