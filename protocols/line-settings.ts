// How a serial line is set, written as every manual writes it: `9600-8N1`. One text form, used by
// gateway files, links and simulated lines alike.
import type { Pace } from './driver.ts';

export const parities = ['N', 'E', 'O'] as const;
export type Parity = (typeof parities)[number];

export interface LineSettings {
  /** BAUD_MIN to BAUD_MAX. */
  readonly bitsPerSecond: number;
  readonly dataBits: 7 | 8;
  /** None, even, odd. */
  readonly parity: Parity;
  readonly stopBits: 1 | 2;
}

/** The slowest radio modems still in the field, and what common USB adapters can do. */
export const BAUD_MIN = 300;
export const BAUD_MAX = 921_600;

/** The form; the speed is checked beside it. */
export const LINE_SETTINGS_PATTERN = /^([1-9][0-9]{2,5})-([78])([NEO])([12])$/;

/** Undefined when `text` is no such setting: `9600-8N1`, `19200-8E1`, `2400-7E2`. */
export function lineSettings(text: string): LineSettings | undefined {
  const [, baud = '', dataBits, parity, stopBits] = LINE_SETTINGS_PATTERN.exec(text) ?? [];
  const bitsPerSecond = Number(baud);
  if (bitsPerSecond < BAUD_MIN || bitsPerSecond > BAUD_MAX) return undefined;
  return Object.freeze({
    bitsPerSecond,
    dataBits: dataBits === '7' ? 7 : 8,
    parity: parity === 'E' || parity === 'O' ? parity : 'N',
    stopBits: stopBits === '2' ? 2 : 1,
  });
}

export function lineSettingsText(settings: LineSettings): string {
  const { bitsPerSecond, dataBits, parity, stopBits } = settings;
  return `${bitsPerSecond}-${dataBits}${parity}${stopBits}`;
}

/** Start bit, data, parity and stop bits: 10 bits a character for 8N1, 11 for 8E1. */
export function paceOf({ bitsPerSecond, dataBits, parity, stopBits }: LineSettings): Pace {
  const bitsPerCharacter = 1 + dataBits + (parity === 'N' ? 0 : 1) + stopBits;
  return { bitsPerSecond, bitsPerCharacter };
}
