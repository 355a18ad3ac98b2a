// What stands beside a value and decides what it means: whether the device is in service, the unit,
// the scale and the word order set in it, the signal it comes as. Most points have nothing of it
// and never come here; for the others this is where the driver's answer becomes a raw value of the
// point. Pure: the edge and a profile's own tests run the same.
//
// The rules, in this order:
//   order   bits are put into the order the device says; an order it cannot have is
// `configuration`;
//   invalid codes of the profile count before any scale;
//   scale   a scale the device does not have (SunSpec 0x8000) makes the value `not_available`;
//   unit    another unit than the point's is `configuration`, never a wrong number, but where the
//           profile knows the factor;
//   signal  beyond what NAMUR NE 43 allows a 4-20 mA signal the sensor is broken (below 3.6 mA,
//           above 21 mA) or the value uncertain (below 3.8 mA, above 20.5 mA);
//   mode    while the device says that it is not in service, the reading is `not_in_service`,
//           whatever it shows. A mode the profile does not know, or one that could not be read,
//           leaves the value uncertain: where a life may hang on it, doubt does not hide a value.
import { engineering } from '../core/point.ts';
import type { QualityCode } from '../core/quality.ts';
import { GOOD, isBad, qualityCode } from '../core/quality.ts';
import type { Value } from '../core/reading.ts';
import type { ModbusAddress, WordOrder } from '../protocols/modbus/address.ts';
import type { ModbusStep } from '../protocols/modbus/step.ts';
import { decodeValue, qualityOfDecoded } from '../protocols/modbus/value.ts';
import type { ScaleKind } from './format.ts';
import type { ModbusPoint, ProfilePoint } from './profile.ts';
import { withoutCodes } from './profile.ts';
import type { PointAddress } from './raw-values.ts';

export interface ModeRegister<Address = PointAddress> {
  /** The point it is. */
  readonly point: string;
  readonly address: Address;
  /** All that the profile knows; false: not in service. 0 and 1 stand for false and true. */
  readonly states: ReadonlyMap<number, boolean>;
}

export interface UnitFit {
  readonly unit: string;
  /** Null: another unit than the point's, and nobody said how to turn it. */
  readonly factor: number | null;
  readonly offset: number;
}

export interface Trigger {
  readonly id: string;
  readonly start: ModbusStep;
  readonly waitMs: number;
  readonly stop: ModbusStep | null;
}

export interface Auxiliary<Address = PointAddress> {
  /** What the driver reads: the value, or its bits where only the device knows the order. */
  readonly asked: Address;
  readonly mode: ModeRegister<Address> | null;
  readonly unit: {
    readonly address: ModbusAddress;
    readonly expected: string;
    readonly fits: ReadonlyMap<number, UnitFit>;
  } | null;
  readonly scale: { readonly address: ModbusAddress; readonly kind: ScaleKind } | null;
  readonly order: {
    readonly address: ModbusAddress;
    readonly orders: ReadonlyMap<number, WordOrder>;
    /** Of the value that is put into that order. */
    readonly value: ModbusAddress;
  } | null;
  /** Raw values at 4 and 20 mA. */
  readonly signal: { readonly zero: number; readonly full: number } | null;
  readonly before: Trigger | null;
  /**
   * Set where the raw value of the point is its engineering value, because how to scale is only
   * known with the reading: what the profile says of scale and offset. The definition has 1 and 0.
   */
  readonly scaling: { readonly scale: number; readonly offset: number } | null;
}

/**
 * The point as the rest of the path sees it: where the scale went into the value, it is no raw
 * value any more, and its invalid codes have been judged.
 */
export function plainOf(point: ProfilePoint): ProfilePoint {
  return point.auxiliary?.scaling ? { ...point, invalid: new Map() } : point;
}

/** What was read beside the value; null where it was not asked for, and then taken to fit. */
export interface Aside {
  readonly mode: Read | null;
  readonly unit: Read | null;
  readonly scale: Read | null;
  readonly order: Read | null;
}
export interface Read {
  readonly value: Value;
  readonly quality: QualityCode;
}

export const NOTHING_ASIDE: Aside = { mode: null, unit: null, scale: null, order: null };

/** What somebody must set right, in the device or in a file. */
export interface Complaint {
  readonly what: 'unit' | 'scale' | 'order' | 'mode';
  /** What the register shows, and the unit it stands for where it is known. */
  readonly found: string;
}

export interface Settled {
  readonly raw: Value;
  readonly quality: QualityCode;
  readonly complaint: Complaint | null;
}

const NOT_IN_SERVICE = qualityCode('bad', 'not_in_service');
const NOT_AVAILABLE = qualityCode('bad', 'not_available');
const CONFIGURATION = qualityCode('bad', 'configuration');
const SENSOR_FAULT = qualityCode('bad', 'sensor_fault');
const UNCERTAIN_RANGE = qualityCode('uncertain', 'out_of_range');
const UNCERTAIN_MODE = qualityCode('uncertain', 'configuration');
const UNCERTAIN_UNREAD = qualityCode('uncertain', 'not_available');

/** The largest power of ten a device can mean: SunSpec allows -10 to 10. */
const EXPONENT_MAX = 10;
/** SunSpec's "not implemented" for a scale factor. */
const NO_EXPONENT = -32_768;
// NAMUR NE 43, as parts of the span of 16 mA above 4 mA.
const MA_FAULT_LOW = (3.6 - 4) / 16;
const MA_UNDER = (3.8 - 4) / 16;
const MA_OVER = (20.5 - 4) / 16;
const MA_FAULT_HIGH = (21 - 4) / 16;
/** Of a part of a span: no converter resolves a billionth. */
const ROUNDING = 1e-9;

/** `raw` is what the driver brought for `auxiliary.asked`. */
export function settle(
  point: ProfilePoint,
  auxiliary: Auxiliary,
  raw: Value,
  quality: QualityCode,
  aside: Aside,
): Settled {
  const service = inService(auxiliary.mode, aside.mode);
  if (service.quality === NOT_IN_SERVICE) return service;
  const judged = valued(point, auxiliary, raw, quality, aside);
  // What a device doubts itself stays in doubt.
  const settled = judged.quality === GOOD && !isBad(quality) ? { ...judged, quality } : judged;
  if (settled.quality !== GOOD || service.quality === GOOD) return settled;
  return { ...settled, quality: service.quality, complaint: service.complaint };
}

/** Whether a mode that was read says that the device is not in service. */
export function isOutOfService(mode: ModeRegister, read: Read): boolean {
  return !isBad(read.quality) && mode.states.get(Number(read.value)) === false;
}

function inService(mode: ModeRegister | null, read: Read | null): Settled {
  if (!mode || !read) return { raw: null, quality: GOOD, complaint: null };
  if (isBad(read.quality)) return { raw: null, quality: UNCERTAIN_UNREAD, complaint: null };
  if (isOutOfService(mode, read)) return { raw: null, quality: NOT_IN_SERVICE, complaint: null };
  if (mode.states.has(Number(read.value))) return { raw: null, quality: GOOD, complaint: null };
  return {
    raw: null,
    quality: UNCERTAIN_MODE,
    complaint: { what: 'mode', found: `${read.value}` },
  };
}

function valued(
  point: ProfilePoint,
  auxiliary: Auxiliary,
  raw: Value,
  quality: QualityCode,
  aside: Aside,
): Settled {
  const { unit, scale, signal, scaling } = auxiliary;
  if (isBad(quality) && quality !== NOT_AVAILABLE) return bad(quality);
  const ordered = isBad(quality) ? { value: null, quality } : inOrder(auxiliary, raw, aside);
  if ('what' in ordered) return { ...bad(CONFIGURATION), complaint: ordered };
  const known = withoutCodes(point, ordered.value, ordered.quality);
  if (known.quality !== GOOD) return { ...known, complaint: null };
  const exponent = scale && aside.scale ? scaleOf(scale.kind, aside.scale) : 0;
  if (typeof exponent === 'object') return exponent;
  const fit = unit && aside.unit ? fitOf(unit.fits, aside.unit) : null;
  if (fit && 'quality' in fit) return fit;
  const beyond = signal ? signalOf(signal, known.raw) : GOOD;
  if (isBad(beyond)) return bad(beyond);
  if (!scaling) return { raw: known.raw, quality: beyond, complaint: null };
  const number = Number(known.raw);
  const scaled =
    scale?.kind === 'factor'
      ? number * (aside.scale ? Number(aside.scale.value) : 1)
      : engineering(number, 10 ** exponent, 0);
  const value = engineering(scaled, scaling.scale, scaling.offset);
  const turned = fit ? value * fit.factor! + fit.offset : value;
  return { raw: turned, quality: beyond, complaint: null };
}

function bad(quality: QualityCode): Settled {
  return { raw: null, quality, complaint: null };
}

function inOrder({ order }: Auxiliary, raw: Value, aside: Aside): Read | Complaint {
  if (!order || !aside.order) return { value: raw, quality: GOOD };
  if (isBad(aside.order.quality)) return { value: null, quality: aside.order.quality };
  const found = order.orders.get(Number(aside.order.value));
  if (!found) return { what: 'order', found: `${aside.order.value}` };
  const { value: address } = order;
  const decoded = decodeValue({ ...address, order: found }, wordsOf(raw, address.width));
  const quality = qualityOfDecoded(decoded);
  return { value: isBad(quality) ? null : decoded!, quality };
}

/** The registers of bits that were read as one whole number, the highest first. */
export function wordsOf(bits: Value, width: number): Uint16Array {
  const whole = BigInt(typeof bits === 'number' || typeof bits === 'bigint' ? bits : 0);
  return Uint16Array.from({ length: width }, (_, at) =>
    Number((whole >> BigInt(16 * (width - 1 - at))) & 0xffffn),
  );
}

/** A power of ten; or what the value is when there is none. 0 for a factor, which is its own. */
function scaleOf(kind: ScaleKind, { value, quality }: Read): number | Settled {
  if (isBad(quality)) return bad(quality);
  const number = Number(value);
  if (kind === 'factor') {
    if (Number.isFinite(number) && number !== 0) return 0;
    return { ...bad(CONFIGURATION), complaint: { what: 'scale', found: `${value}` } };
  }
  if (number === NO_EXPONENT) return bad(NOT_AVAILABLE);
  const least = kind === 'decimals' ? 0 : -EXPONENT_MAX;
  if (number >= least && number <= EXPONENT_MAX) return kind === 'decimals' ? -number : number;
  return { ...bad(CONFIGURATION), complaint: { what: 'scale', found: `${value}` } };
}

function fitOf(fits: ReadonlyMap<number, UnitFit>, { value, quality }: Read): UnitFit | Settled {
  if (isBad(quality)) return bad(quality);
  const fit = fits.get(Number(value));
  if (fit && fit.factor !== null) return fit;
  const found = fit ? `${value} (${fit.unit})` : `${value}`;
  return { ...bad(CONFIGURATION), complaint: { what: 'unit', found } };
}

function signalOf({ zero, full }: { zero: number; full: number }, raw: Value): QualityCode {
  const part = (Number(raw) - zero) / (full - zero);
  const isBelow = (limit: number) => part < limit - ROUNDING;
  const isAbove = (limit: number) => part > limit + ROUNDING;
  if (isBelow(MA_FAULT_LOW) || isAbove(MA_FAULT_HIGH)) return SENSOR_FAULT;
  return isBelow(MA_UNDER) || isAbove(MA_OVER) ? UNCERTAIN_RANGE : GOOD;
}

// --- The other way, for a simulated device ---

/** What the registers beside a value show when all is as the profile expects it. */
export function settingsExpected({ unit, scale, order }: Auxiliary): {
  readonly address: ModbusAddress;
  readonly raw: number;
}[] {
  const fits = [...(unit?.fits ?? [])].filter(([, { factor }]) => factor !== null);
  const unchanged = fits.find(([, { factor, offset }]) => factor === 1 && offset === 0);
  const [set] = unchanged ?? fits[0] ?? [];
  const [first] = order?.orders.keys() ?? [];
  return [
    ...(unit && set !== undefined ? [{ address: unit.address, raw: set }] : []),
    ...(scale ? [{ address: scale.address, raw: scale.kind === 'factor' ? 1 : 0 }] : []),
    ...(order && first !== undefined ? [{ address: order.address, raw: first }] : []),
  ];
}

/** Where and as what raw value a device that is set so shows an engineering value of the point. */
export function showing(
  { address, definition }: ModbusPoint,
  auxiliary: Auxiliary<ModbusAddress>,
  value: number,
  aside: Aside,
): { readonly address: ModbusAddress; readonly raw: number } {
  const { unit, scale, order, scaling } = auxiliary;
  const found = aside.order ? order?.orders.get(Number(aside.order.value)) : undefined;
  const shown = found ? { ...address, order: found } : address;
  const line = scaling ?? definition;
  const fit = unit && aside.unit ? fitOf(unit.fits, aside.unit) : null;
  const inUnit = fit && 'unit' in fit ? (value - fit.offset) / (fit.factor ?? 1) : value;
  const unscaled = (inUnit - line.offset) / line.scale;
  if (!scale || !aside.scale) return { address: shown, raw: unscaled };
  const exponent = scaleOf(scale.kind, aside.scale);
  const factor = scale.kind === 'factor' ? Number(aside.scale.value) : 10 ** Number(exponent);
  return { address: shown, raw: unscaled / factor };
}
