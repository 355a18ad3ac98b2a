// The cells of one row that say what its value means: type, scale, unit, range, states, limits.

import { didYouMean } from '../core/problems.ts';
import { bilingual } from '../core/text/text.ts';
import type { UnitCode } from '../core/units.ts';
import { unitCodes } from '../core/units.ts';
import type { ModbusAddress, ModbusType, WordOrder } from '../protocols/modbus/address.ts';
import type { LimitName } from './defaults.ts';
import type { Role } from './headings.ts';
import { wholeLimitsOf } from './raw-values.ts';
import type { UnitFound } from './spellings.ts';
import {
  factorInRemark,
  factorOf,
  numberOf,
  orderOf,
  plainText,
  scaledUnitOf,
  shortest,
  spanOf,
  statesOf,
  typeOf,
  unitInName,
  unitInRemark,
  unitOf,
} from './spellings.ts';
import type { Row } from './table-row.ts';

// --- Type ---

export interface RowType {
  readonly type: ModbusType;
  readonly order: WordOrder | null;
  /** Registers, for types that have no length of their own. */
  readonly length: number | null;
}

/** Registers of a type; 0 where the table must say it. */
function registersOf(type: ModbusType): number {
  if (type === 'string') return 0;
  return type.endsWith('64') ? 4 : type.endsWith('32') ? 2 : 1;
}

/** The type of a row; `count` is how many registers its address names. */
export function typeIn(row: Row, count: number): RowType | undefined {
  const text = row.text('type');
  const length = lengthOf(row, count);
  if (length === undefined) return undefined;
  const named = text ? typeOf(text, length) : guessed(row, length);
  if (!named) {
    const help = bilingual('help-table-type');
    if (text) row.findings.error(row.at('type'), 'table-type-unknown', { found: text }, help);
    else
      row.findings.error(
        row.at('length', 'bytes'),
        'table-type-needed',
        { count: length ?? 0 },
        help,
      );
    return undefined;
  }
  const { type, doubt } = named;
  if (doubt) row.findings.remark(row.at('type'), 'table-type-doubt', { found: text, type });
  const registers = registersOf(type);
  // A length of 4 beside a float counts bytes.
  const fits = length === null || length === registers || length === 2 * registers;
  if (registers > 0 && !fits && type !== 'bool') {
    row.findings.error(row.at('length', 'bytes'), 'table-type-width', { count: length, type });
    return undefined;
  }
  if (type === 'string' && length === null) {
    row.findings.error(row.at('type'), 'table-string-length', {});
    return undefined;
  }
  const order = registers > 1 ? orderIn(row, named.order) : null;
  return { type, order, length: type === 'string' ? length : null };
}

function orderIn(row: Row, inType: WordOrder | null): WordOrder | null {
  const told = row.text('order');
  const order = orderOf(told) ?? inType;
  if (told && !orderOf(told))
    row.findings.remark(row.at('order'), 'table-order-unknown', { found: told });
  if (order) return order;
  // Of a remark only words count: 1234 may be anything there.
  const remark = row.text('remark');
  const remarked = orderOf(remark.replaceAll(/\d|inverse/gi, ' '));
  if (remarked) {
    row.findings.remark(row.at('remark'), 'table-order-remark', { order: remarked, found: remark });
    return remarked;
  }
  row.findings.remark(row.at('type'), 'table-order-guessed', {});
  return null;
}

/** How many registers the row says it has; null where it does not say. */
function lengthOf(row: Row, named: number): number | null | undefined {
  const inBytes = row.text('bytes');
  const text = row.text('length') || (inBytes && `${inBytes} bytes`);
  if (text === '') return named > 1 ? named : null;
  const count = Number(
    /^(\d{1,3})\s*(?:regs?|registers?|words?|字|个)?$/i.exec(plainText(text))?.[1],
  );
  const bytes = /^(\d{1,3})\s*(?:bytes?|字节)$/i.exec(plainText(text));
  if (bytes) return Math.ceil(Number(bytes[1]) / 2);
  if (count >= 1) return count;
  row.findings.error(row.at('length', 'bytes'), 'table-number-bad', { found: text });
  return undefined;
}

function guessed(row: Row, length: number | null) {
  const isSigned = /-\s*\d/.test(row.text('range')) || row.text('min').startsWith('-');
  const sign = isSigned ? 'int' : 'uint';
  const type = ({ 1: `${sign}16`, 2: `${sign}32`, 4: `${sign}64` } as const)[length ?? 1];
  if (!type) return undefined;
  row.findings.remark(row.at('type', 'address'), 'table-type-guessed', { type });
  return { type, order: null, doubt: false };
}

// --- Scale, offset, unit ---

export interface Scaling {
  readonly scale: number;
  readonly offset: number;
  readonly unit: UnitCode;
  /** Ours = the manual's x factor, for ranges and limits. */
  readonly factor: number;
  /** The name without a unit that stood in it. */
  readonly name: string;
  readonly notes: readonly string[];
  /** False: a cell of it is an error, and has been told. */
  readonly isRead: boolean;
}

export function scalingOf(row: Row, isNumber: boolean): Scaling {
  const full = row.text('name');
  const inName = unitInName(full);
  const name = inName?.name ?? full;
  const plain = { scale: 1, offset: 0, unit: '1' as UnitCode, factor: 1, name, notes: [] };
  if (!isNumber) return { ...plain, isRead: true };
  const unitText = row.text('unit');
  const told = unitText ? (unitOf(unitText) ?? scaledUnitOf(unitText)) : undefined;
  const inRange = spanOf(row.text('range'))?.rest;
  const found: (UnitFound & { readonly scale?: number }) | undefined =
    told ?? inName?.unit ?? (inRange ? unitOf(inRange) : undefined) ?? remarkUnit(row);
  if (unitText && !told) tellUnknownUnit(row, unitText);
  const unit = found?.unit ?? '1';
  const factor = found?.factor ?? 1;
  if (factor !== 1) {
    const values = { found: unitText || full, unit, factor: shortest(factor) };
    row.findings.remark(row.at('unit', 'name'), 'table-unit-turned', values);
  }
  const own = ownScale(row);
  const offset = row.text('offset') ? numberOf(row.text('offset')) : 0;
  if (offset === undefined) {
    row.findings.error(row.at('offset'), 'table-number-bad', { found: row.text('offset') });
  }
  const isRead = own !== undefined && offset !== undefined;
  const scale = own === null || own === undefined ? (found?.scale ?? remarkScale(row)) : own;
  return {
    ...{ scale: shortest(scale * factor), offset: shortest((offset ?? 0) * factor), unit, factor },
    ...{ name, isRead, notes: told === undefined && unitText ? [unitText] : [] },
  };
}

function remarkUnit(row: Row) {
  const found = row.text('unit') ? undefined : unitInRemark(row.text('remark'));
  if (found) {
    const values = { unit: found.unit, scale: found.scale, found: row.text('remark') };
    row.findings.remark(row.at('remark'), 'table-unit-remark', values);
  }
  return found;
}

function tellUnknownUnit(row: Row, found: string): void {
  const word = didYouMean(plainText(found), unitCodes);
  const help = word
    ? bilingual('help-did-you-mean', { word })
    : bilingual('help-one-of', { list: unitCodes.join(' ') });
  row.findings.remark(row.at('unit'), 'table-unit-unknown', { found }, help);
}

/** What the columns say of the scale: null for nothing, undefined after an error. */
function ownScale(row: Row): number | null | undefined {
  const { decimals, divisor, scale } = {
    decimals: row.text('decimals'),
    divisor: row.text('divisor'),
    scale: row.text('scale'),
  };
  if (decimals) {
    const places = Number(/^[0-9]$/.exec(plainText(decimals))?.[0]);
    if (Number.isInteger(places)) return shortest(10 ** -places);
    row.findings.error(row.at('decimals'), 'table-number-bad', { found: decimals });
    return undefined;
  }
  if (divisor) {
    const by = numberOf(divisor.replace(/^[/÷]/, ''));
    if (by) return shortest(1 / by);
    row.findings.error(row.at('divisor'), 'table-number-bad', { found: divisor });
    return undefined;
  }
  if (!scale) return null;
  const found = factorOf(scale) ?? withUnit(scale);
  if (!found) {
    row.findings.error(row.at('scale'), 'table-scale-bad', { found: scale });
    return undefined;
  }
  if (found.doubt) row.findings.remark(row.at('scale'), 'table-scale-doubt', { found: scale });
  return found.factor;
}

/** A resolution such as 0.1℃ or 0.01 MPa; its unit stands in the unit column too, or not at all. */
function withUnit(text: string) {
  const number = scaledUnitOf(text)?.scale;
  return number === undefined ? undefined : { factor: number, doubt: false };
}

function remarkScale(row: Row): number {
  const factor = factorInRemark(row.text('remark'));
  if (factor === undefined) return 1;
  const values = { scale: factor, found: row.text('remark') };
  row.findings.remark(row.at('remark'), 'table-scale-remark', values);
  return factor;
}

// --- Range, states, limits ---

export interface RowRange {
  readonly kept: readonly [number, number] | null;
  readonly notes: readonly string[];
}

/** The range in the unit of the point; undefined after an error. */
export function rangeOf(
  row: Row,
  address: ModbusAddress,
  { scale, offset, factor, unit }: Scaling,
): RowRange | undefined {
  const given = endsOf(row);
  if (given === undefined) return undefined;
  const note = row.text('range');
  if (given === null) return { kept: null, notes: note ? [note] : [] };
  const role: Role = row.text('range') ? 'range' : 'max';
  if (unit === '%{LEL}') {
    row.findings.remark(row.at(role), 'table-range-gas', { min: given[0], max: given[1] });
    return { kept: null, notes: [`${given[0]}..${given[1]}`] };
  }
  const limits = wholeLimitsOf(address);
  const ours: [number, number] = [shortest(given[0] * factor), shortest(given[1] * factor)];
  const most = limits
    ? Math.max(...[limits.min, limits.max].map((raw) => Number(raw) * scale))
    : null;
  const isRaw = most !== null && scale < 1 && given[1] * factor > most + offset;
  if (!isRaw) return { kept: ours, notes: [] };
  row.findings.remark(row.at(role), 'table-range-raw', { min: given[0], max: given[1] });
  const scaled = given.map((raw) => shortest(raw * scale + offset));
  return { kept: [scaled[0]!, scaled[1]!], notes: [] };
}

function endsOf(row: Row): readonly [number, number] | null | undefined {
  const [minText, maxText] = [row.text('min'), row.text('max')];
  if (minText || maxText) {
    const ends = (['min', 'max'] as const).map((role) => {
      const found = numberOf(row.text(role));
      if (found === undefined && row.text(role)) {
        row.findings.error(row.at(role), 'table-number-bad', { found: row.text(role) });
      }
      return found;
    });
    const [min, max] = ends;
    if (min !== undefined && max !== undefined) return [min, max];
    if ((minText && min === undefined) || (maxText && max === undefined)) return undefined;
    row.findings.remark(row.at(minText ? 'min' : 'max'), 'table-range-half', {});
    return null;
  }
  const text = row.text('range');
  const span = text ? spanOf(text) : undefined;
  if (text && !span) row.findings.remark(row.at('range'), 'table-range-unread', { found: text });
  return span ? [span.min, span.max] : null;
}

/** 0: off, 1: on in the range or the remark of a whole number. */
export function statesIn(row: Row, { scale, offset, unit }: Scaling) {
  if (scale !== 1 || offset !== 0 || unit !== '1' || /float|real|浮点/i.test(row.text('type'))) {
    return null;
  }
  for (const role of ['range', 'remark', 'unit'] as const) {
    const states = row.text(role) ? statesOf(row.text(role)) : undefined;
    if (!states) continue;
    row.findings.remark(row.at(role), 'table-states-read', {});
    return states;
  }
  return null;
}

const limitRoles = [
  ['highHigh', 'high_high'],
  ['high', 'high'],
  ['low', 'low'],
  ['lowLow', 'low_low'],
] as const satisfies readonly (readonly [Role, LimitName])[];

export function alarmsOf(row: Row, factor: number) {
  return limitRoles.flatMap(([role, name]) => {
    const text = row.text(role);
    if (text === '') return [];
    const raise = numberOf(text);
    if (raise === undefined) {
      row.findings.error(row.at(role), 'table-number-bad', { found: text });
      return [];
    }
    row.findings.remark(row.at(role), 'table-level-guessed', { level: ALARM_LEVELS[name] });
    return [{ name, raise: shortest(raise * factor) }];
  });
}

/** Of a limit that a table gives without a level: yellow, and orange for the outer one. */
export const ALARM_LEVELS = { high_high: 2, high: 3, low: 3, low_low: 2 } as const;
