// What a DataValue is worth as a reading, and a value as the Variant a node wants.
//
// A reading is of the type its profile declares. Another type, a text that is too long, an element
// that is no scalar: bad/decode for that reading alone. Not-a-number is no value, and so is a Good
// without one.
import type { QualityCode } from '../../core/quality.ts';
import { isBad, qualityCode } from '../../core/quality.ts';
import type { Value } from '../../core/reading.ts';
import { TEXT_BYTES_MAX } from '../../core/reading.ts';
import type { OpcuaType } from './address.ts';
import type { DataValue } from './library.ts';
import { qualityOfStatus } from './status.ts';

const DECODE = qualityCode('bad', 'decode');
const NOT_AVAILABLE = qualityCode('bad', 'not_available');
const OUT_OF_RANGE = qualityCode('bad', 'out_of_range');

/** Numbers of the built-in types (Part 6, 5.1.2). */
export const builtIn = {
  null: 0,
  boolean: 1,
  sbyte: 2,
  byte: 3,
  int16: 4,
  uint16: 5,
  int32: 6,
  uint32: 7,
  int64: 8,
  uint64: 9,
  float: 10,
  double: 11,
  string: 12,
  datetime: 13,
  guid: 14,
  bytestring: 15,
  xml: 16,
  nodeid: 17,
  expandednodeid: 18,
  statuscode: 19,
  qualifiedname: 20,
  localizedtext: 21,
  structure: 22,
} as const;

/** What a variant shows of itself; arrays are of the same built-in type throughout. */
export interface Shown {
  readonly dataType: number;
  readonly value: unknown;
}

/** One value, decoded; the two places are used again for the next. */
export interface Decoded {
  value: Value;
  quality: QualityCode;
}

/** Puts into `into` what the data value shows at `element` as `type`. */
export function decode(
  { statusCode, value: variant }: DataValue,
  type: OpcuaType,
  element: readonly (number | string)[],
  into: Decoded,
): void {
  const quality = qualityOfStatus(statusCode.value);
  into.value = null;
  into.quality = quality;
  if (!isBad(quality)) decodeVariant(variant, type, element, into);
}

/** As `decode`, of what has no status of its own; the quality stays where it is a value. */
export function decodeVariant(
  variant: Shown,
  type: OpcuaType,
  element: readonly (number | string)[],
  into: Decoded,
): void {
  const shown: Shown = element.length === 0 ? variant : elementOf(variant, element);
  const { dataType, value } = shown;
  if (dataType === builtIn.null || value === null || value === undefined) {
    into.quality = NOT_AVAILABLE;
    return;
  }
  if (typeof value === 'number') decodeNumber(value, dataType, type, into);
  else decodeOther(value, dataType, type, into);
}

function decodeNumber(value: number, dataType: number, type: OpcuaType, into: Decoded): void {
  const isDeclared = dataType === builtIn[type];
  if (!isDeclared && !(dataType === UNKNOWN && fitsNumber(value, type))) into.quality = DECODE;
  else if (Number.isNaN(value)) into.quality = NOT_AVAILABLE;
  else if (!Number.isFinite(value)) into.quality = OUT_OF_RANGE;
  else into.value = value;
}

function decodeOther(value: unknown, dataType: number, type: OpcuaType, into: Decoded): void {
  const decoded = shownAs(value, dataType, type);
  if (decoded === null) into.quality = DECODE;
  else if (typeof decoded === 'string' && Buffer.byteLength(decoded) > TEXT_BYTES_MAX) {
    into.quality = DECODE;
  } else into.value = decoded;
}

function shownAs(value: unknown, dataType: number, type: OpcuaType): Value {
  const isDeclared = dataType === builtIn[type] || dataType === UNKNOWN;
  switch (type) {
    case 'boolean':
      return isDeclared && typeof value === 'boolean' ? value : null;
    case 'int64':
    case 'uint64':
      return isDeclared ? wholeOf(value, type) : null;
    case 'datetime':
      return isDeclared && value instanceof Date && !Number.isNaN(value.getTime())
        ? value.toISOString()
        : null;
    case 'uint32':
      return dataType === builtIn.statuscode ? codeOf(value) : null;
    case 'string':
      return textOf(value, dataType);
    default:
      return null;
  }
}

/** A pair of 32-bit halves, the high one first, as the library has it; or a bigint. */
function wholeOf(value: unknown, type: 'int64' | 'uint64'): Value {
  let whole: bigint;
  if (typeof value === 'bigint') whole = value;
  else if (isPair(value)) {
    const unsigned = (BigInt(value[0] >>> 0) << 32n) | BigInt(value[1] >>> 0);
    whole = type === 'int64' ? BigInt.asIntN(64, unsigned) : unsigned;
  } else return null;
  const number = Number(whole);
  return Number.isSafeInteger(number) ? number : whole;
}

function isPair(value: unknown): value is readonly [number, number] {
  const isList = Array.isArray(value) || ArrayBuffer.isView(value);
  return isList && (value as unknown as ArrayLike<unknown>).length === 2;
}

function codeOf(value: unknown): Value {
  const code = value as { readonly value?: unknown };
  return typeof code.value === 'number' ? code.value >>> 0 : null;
}

function textOf(value: unknown, dataType: number): Value {
  switch (dataType) {
    case UNKNOWN:
      return typeof value === 'string' ? value : localText(value);
    case builtIn.string:
    case builtIn.guid:
    case builtIn.xml:
      return typeof value === 'string' ? value : null;
    case builtIn.localizedtext:
      return localText(value);
    case builtIn.nodeid:
    case builtIn.expandednodeid:
    case builtIn.qualifiedname:
      return `${value as { toString(): string }}`;
    default:
      return null;
  }
}

function localText(value: unknown): Value {
  const { text } = value as { readonly text?: unknown };
  return typeof text === 'string' ? text : null;
}

// --- Elements ---

/** Of a field of a structure only the JavaScript value is known. */
const UNKNOWN = -1;

/** What stands at the element; of type null where there is no such place. */
function elementOf({ dataType, value }: Shown, element: readonly (number | string)[]): Shown {
  let type = dataType;
  let inner = value;
  for (const step of element) {
    if (inner === null || inner === undefined || typeof inner !== 'object') return NOTHING;
    if (typeof step === 'number') {
      inner = (inner as Readonly<Record<number, unknown>>)[step];
    } else if (isOpaque(inner)) {
      return { dataType: builtIn.bytestring, value: inner.buffer };
    } else {
      inner = fieldOf(inner as Readonly<Record<string, unknown>>, step);
      type = UNKNOWN;
    }
  }
  return { dataType: type, value: inner };
}

const NOTHING: Shown = { dataType: builtIn.null, value: null };

/** A structure whose shape the server did not tell: its bytes, and of which type. */
function isOpaque(value: object): value is { readonly buffer: Uint8Array } {
  return 'nodeId' in value && 'buffer' in value && value.buffer instanceof Uint8Array;
}

/** The library begins the names of fields with a small letter. */
function fieldOf(structure: Readonly<Record<string, unknown>>, name: string): unknown {
  const small = name.charAt(0).toLowerCase() + name.slice(1);
  return small in structure ? structure[small] : structure[name];
}

const wholeRanges: Readonly<Partial<Record<OpcuaType, readonly [number, number]>>> = {
  sbyte: [-0x80, 0x7f],
  byte: [0, 0xff],
  int16: [-0x8000, 0x7fff],
  uint16: [0, 0xffff],
  int32: [-0x8000_0000, 0x7fff_ffff],
  uint32: [0, 0xffff_ffff],
};

function fitsNumber(value: number, type: OpcuaType): boolean {
  if (type === 'float' || type === 'double') return true;
  const range = wholeRanges[type];
  return range !== undefined && Number.isInteger(value) && value >= range[0] && value <= range[1];
}

// --- The other way ---

const namesOf = new Map<number, string>(
  Object.entries(builtIn).map(([name, code]) => [code, name]),
);

/** Name of a built-in type, for a person. */
export function builtInName(dataType: number): string {
  return namesOf.get(dataType) ?? `${dataType}`;
}

/**
 * What the library encodes as the built-in type, undefined where the type cannot show the value. A
 * float shows the nearest it has; everything else shows exactly what was meant.
 */
export function encodeAs(dataType: number, value: Value): unknown {
  switch (dataType) {
    case builtIn.boolean:
      return typeof value === 'boolean' ? value : undefined;
    case builtIn.float: {
      const number = numberOf(value);
      const rounded = number === undefined ? Number.NaN : Math.fround(number);
      return Number.isFinite(rounded) ? rounded : undefined;
    }
    case builtIn.double: {
      const number = numberOf(value);
      return number !== undefined && Number.isFinite(number) ? number : undefined;
    }
    case builtIn.int64:
    case builtIn.uint64:
      return pairOf(value, dataType === builtIn.int64);
    case builtIn.string:
      return typeof value === 'string' ? value : undefined;
    case builtIn.localizedtext:
      return typeof value === 'string' ? { text: value } : undefined;
    case builtIn.datetime: {
      const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
      return Number.isNaN(ms) ? undefined : new Date(ms);
    }
    default: {
      const range = wholeRanges[(namesOf.get(dataType) ?? '') as OpcuaType];
      const number = numberOf(value);
      if (!range || number === undefined || !Number.isInteger(number)) return undefined;
      return number >= range[0] && number <= range[1] ? number : undefined;
    }
  }
}

function numberOf(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value))
    ? Number(value)
    : undefined;
}

function pairOf(value: Value, isSigned: boolean): readonly [number, number] | undefined {
  const isWhole =
    typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value));
  if (!isWhole) return undefined;
  const whole = BigInt(value);
  const fits = isSigned ? BigInt.asIntN(64, whole) === whole : BigInt.asUintN(64, whole) === whole;
  if (!fits) return undefined;
  const bits = BigInt.asUintN(64, whole);
  return [Number(bits >> 32n), Number(bits & 0xffff_ffffn)];
}
