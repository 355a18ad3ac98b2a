// Tests for the draft of a profile: registers that show a value in the range of each point, and
// what the profile makes of them. The numbers are computed, and the name of the test says so.
import type { Value } from '../core/reading.ts';
import type { Language } from '../core/text/text.ts';
import { say } from '../core/text/text.ts';
import type { Table } from '../protocols/modbus/address.ts';
import { encodeValue, writeValue } from '../protocols/modbus/value.ts';
import { PLACEHOLDER } from './format.ts';
import type { ModbusPoint, Profile, ProfilePoint } from './profile.ts';
import { modbusPoints } from './profile.ts';
import { isFloat, wholeLimitsOf } from './raw-values.ts';
import type { TableFindings } from './table-findings.ts';
import type { TablePoint } from './table-points.ts';
import { shownBy } from './vectors.ts';

/** Registers of a line in the file. */
const WORDS_A_LINE = 8;

/** The lines below `tests:`; a point that no register can show is told at its row. */
export function sampledTests(
  profile: Profile,
  rows: readonly TablePoint[],
  language: Language,
  findings: TableFindings,
): string[] {
  const image = new Map<Table, Map<number, number>>();
  const expected: string[] = [];
  modbusPoints(profile).forEach((point, at) => {
    put(image, point, sampleOf(point, at));
    const { value, quality } = shownBy(point, wordsOf(image, point));
    if (quality === 'good' && value !== null) expected.push(`      ${point.id}: ${text(value)}`);
    else {
      const row = rows.find(({ id }) => id === point.id)?.row ?? 1;
      findings.error({ row, column: 1 }, 'table-never-in-range', {});
    }
  });
  const registers = [...image].flatMap(([table, words]) => [
    `      ${table}:`,
    ...runsOf(words).map(([from, run]) => `        ${from}: [${run.map(hex).join(', ')}]`),
  ]);
  return [
    `  - name: "${PLACEHOLDER}: ${say(language, 'draft-test')}"`,
    '    registers:',
    ...registers,
    '    expect:',
    ...expected,
  ];
}

/** A raw value away from both ends of the range, another one for each point. */
function sampleOf(point: ProfilePoint, at: number): Value {
  const { address, definition, states } = point;
  const { type, range, scale, offset } = definition;
  if (type === 'boolean') return at % 2 === 0;
  if (type === 'text') return 'A1';
  const [state] = states.keys();
  if (typeof state === 'number') return state;
  const part = 0.3 + (at % 5) / 10;
  const wanted = range
    ? range[0] + (range[1] - range[0]) * part
    : (20 + at) * Math.abs(scale) + offset;
  const raw = (wanted - offset) / scale;
  if (isFloat(address)) return Number(raw.toPrecision(4));
  const limits = wholeLimitsOf(address);
  const whole = Math.round(raw);
  if (!limits) return whole;
  return Math.min(Math.max(whole, Number(limits.min)), Number(limits.max));
}

function put(image: Map<Table, Map<number, number>>, { address }: ModbusPoint, raw: Value): void {
  const { table, address: first, width } = address;
  const words = image.get(table) ?? new Map<number, number>();
  image.set(table, words);
  if (table === 'coil' || table === 'discrete') {
    words.set(first, encodeValue(address, raw) ? 1 : 0);
    return;
  }
  const registers = Uint16Array.from({ length: width }, (_, at) => words.get(first + at) ?? 0);
  writeValue(address, raw, registers, 0);
  registers.forEach((word, at) => {
    words.set(first + at, word);
  });
}

function wordsOf(image: ReadonlyMap<Table, ReadonlyMap<number, number>>, point: ModbusPoint) {
  const { table, address, width } = point.address;
  const words = image.get(table);
  return Uint16Array.from({ length: width }, (_, at) => words?.get(address + at) ?? 0);
}

function runsOf(words: ReadonlyMap<number, number>): (readonly [number, number[]])[] {
  const runs: [number, number[]][] = [];
  for (const [address, word] of [...words].sort(([a], [b]) => a - b)) {
    const last = runs.at(-1);
    const isNext = last && last[0] + last[1].length === address;
    if (isNext && last[1].length < WORDS_A_LINE) last[1].push(word);
    else runs.push([address, [word]]);
  }
  return runs;
}

function hex(word: number): string {
  return word < 10 ? `${word}` : `0x${word.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Seven digits are what a float of four bytes knows. */
function text(value: Exclude<Value, null>): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'number') return `${value}`;
  return `${Number(value.toPrecision(7))}`;
}
