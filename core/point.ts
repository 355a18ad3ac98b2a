// What is known of a point: written by the edge from profile and site file, carried by the
// dictionary, the only thing the cloud ever learns about a device.
import type { RuleProposal } from './alarm/rule.ts';
import type { CommandOffer } from './command.ts';
import type { PointClass, Value } from './reading.ts';
import type { Bilingual } from './text/text.ts';

/** Areas, gateways, devices, points, rules: also safe in MQTT topics, URLs and file names. */
export const ID_PATTERN = /^[a-z0-9-]{1,64}$/;

export function isId(text: string): boolean {
  return ID_PATTERN.test(text);
}

/** Place of an asset: `gas/MP-1193/well-07`; at most 8 segments. */
export const ASSET_PATTERN = /^[A-Za-z0-9-]{1,64}(\/[A-Za-z0-9-]{1,64}){0,7}$/;

export const datums = ['wgs84', 'cgcs2000', 'gcj02'] as const;
export interface Position {
  readonly latitude: number;
  readonly longitude: number;
  readonly datum: (typeof datums)[number];
}

/** `number` covers scaled registers and floats; `integer` stays whole, beyond 2^53 as bigint. */
export const valueTypes = ['number', 'integer', 'boolean', 'text'] as const;
export type ValueType = (typeof valueTypes)[number];

/**
 * A device of each gateway that is the gateway: points that rise by themselves or by command, to
 * show that the way to a person is whole. No gateway file may use the name.
 */
export const SELF_DEVICE = 'self';
/** Rises at a set interval; nobody is called, receivers that confirm by themselves answer. */
export const PATH_TEST_POINT = 'path-test';
/** `drill-1` to `drill-4`, a level each: true by command, and people are called, marked. */
export const DRILL_POINT = 'drill-';

export interface PointDefinition {
  readonly device: string;
  readonly point: string;
  readonly name: Bilingual;
  /** UCUM code, see units.ts; '1' for a number without unit. */
  readonly unit: string;
  readonly type: ValueType;
  /**
   * Engineering value = raw x scale + offset; the wire carries raw. 1 and 0 for floats and text.
   */
  readonly scale: number;
  readonly offset: number;
  /** Plausible engineering range, inclusive; null where nothing is known. */
  readonly range: readonly [number, number] | null;
  readonly class: PointClass;
  readonly periodMs: number;
  /** In engineering units; a change up to this may be left out of the report. */
  readonly deadband: number;
  readonly asset: string | null;
  readonly rules: readonly RuleProposal[];
  /** What may be commanded of it: offered by the profile and allowed by the site. */
  readonly commands?: readonly CommandOffer[];
}

export function pointId(gateway: string, device: string, point: string): string {
  return `${gateway}/${device}/${point}`;
}

/**
 * Raw to engineering value, bit for bit the same at the edge and in the cloud. Dividing by the
 * whole number behind 0.1, 0.01 ... gives the nearest double, so 123 at scale 0.1 is 12.3 and
 * prints so.
 */
export function engineering(raw: number, scale: number, offset: number): number {
  if (scale === 1) return raw + offset;
  const inverse = 1 / scale;
  const whole = Math.round(inverse);
  const scaled = Math.abs(inverse - whole) < 1e-9 * whole ? raw / whole : raw * scale;
  return offset === 0 ? scaled : scaled + offset;
}

/** The engineering value of whatever the wire carried: only numbers scale. */
export function engineeringValue(raw: Value, scale: number, offset: number): Value {
  return typeof raw === 'number' ? engineering(raw, scale, offset) : raw;
}
