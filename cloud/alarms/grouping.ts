// Which alarms belong together: pure arithmetic of place, cause and time. incidents.ts keeps what
// comes of it.
//
// Place. Assets are paths (`gas/MP-1193/well-07`); alarms that share the first two segments, a
// network and its part, are at one place. When many parts of one network are in alarm at once, each
// with an incident of its own, further parts share an incident of the network, and further networks
// one of the city: of N places in a storm come at most SIBLINGS_MAX + 1 incidents a parent. Points
// without an asset are placed by their gateway, then by its area.
//
// Cause. A silent gateway is its own cause, and what the design of the plant hides under it belongs
// to it. Several gateways of one area that fall silent together have one: power, or the carrier.
//
// Time is sample time, a label by the gateway's clock: what counts is when it was so, not when the
// cloud heard of it. An alarm belongs to an incident when it began no more than a window before the
// incident's first alarm or after its newest. A gateway whose clock is wrong by more than a window
// has incidents of its own.

import type { Alarm } from './alarm.ts';
import { GATEWAY_SILENT_RULE } from './silence.ts';

/** `place`: same place, same time. `silent`: a gateway. `area-silent`: several of one area. */
export const incidentCauses = ['place', 'silent', 'area-silent'] as const;
export type IncidentCause = (typeof incidentCauses)[number];

/** Segments of an asset path that make a place: a network and its part. */
export const PLACE_DEPTH = 2;

/**
 * Ten minutes between one alarm and the next of an incident: the period in which EEMUA 191 counts
 * an operator's load, and within which a condition that returns is the same case.
 */
export const WINDOW_MS = 10 * 60_000;

/** No longer: what goes on for more than a day is not one event, however dense. */
export const SPAN_MAX_MS = 24 * 3_600_000;

/** So many incidents under one parent within a window; the next belongs to the parent. */
export const SIBLINGS_MAX = 8;

/**
 * So many gateways of one area, each silent within so long of the next, have one cause. They notice
 * a dead uplink within a keep-alive of 60 s and the broker within 1.5 of them: 90 s apart at most.
 */
export const AREA_GATEWAYS_MIN = 3;
export const AREA_WINDOW_MS = 120_000;

/** Where an alarm may be put. */
export interface Group {
  readonly key: string;
  /** The wider group that takes what is too much for this one; null for the widest. */
  readonly parent: string | null;
  /** Asset path; null where only the gateway or its area is known. */
  readonly place: string | null;
}

/** From the narrowest to the widest; never empty. */
export function placesOf({ asset, gateway, area }: Alarm): readonly Group[] {
  if (asset === null) {
    const parent = `area:${area}`;
    const own = { key: `gateway:${gateway}`, parent, place: null };
    return [own, { key: parent, parent: null, place: null }];
  }
  const segments = asset.split('/');
  const groups: Group[] = [];
  for (let depth = Math.min(PLACE_DEPTH, segments.length); depth >= 0; depth--) {
    const place = segments.slice(0, depth).join('/');
    const parent = depth === 0 ? null : `place:${segments.slice(0, depth - 1).join('/')}`;
    groups.push({ key: `place:${place}`, parent, place });
  }
  return groups;
}

/** Of the gateway that is silent, or that the alarm hides under. */
export function silenceOf({ gateway, area }: Alarm): Group {
  return { key: `silent:${gateway}`, parent: areaSilenceOf(area).key, place: null };
}

export function areaSilenceOf(area: string): Group {
  return { key: `area-silent:${area}`, parent: null, place: null };
}

export function isOfSilence({ rule, series, suppressedBy }: Alarm): 'itself' | 'under' | null {
  if (suppressedBy === GATEWAY_SILENT_RULE) return 'under';
  return rule === GATEWAY_SILENT_RULE && series === null ? 'itself' : null;
}

/** From the earliest beginning to the newest among an incident's alarms. */
export interface Span {
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Whether an alarm that began then belongs to what went on. */
export function isWithin({ firstMs, lastMs }: Span, beganMs: number, windowMs: number): boolean {
  if (beganMs < firstMs - windowMs || beganMs > lastMs + windowMs) return false;
  return Math.max(lastMs, beganMs) - Math.min(firstMs, beganMs) <= SPAN_MAX_MS;
}

export interface Began {
  readonly beganMs: number;
  readonly raisedMs: number;
  readonly number: number;
}

/**
 * Who was first: the condition that began first, whatever delays its rule has; at the same instant
 * the one raised first, then the one written first.
 */
export function isBefore(one: Began, other: Began): boolean {
  if (one.beganMs !== other.beganMs) return one.beganMs < other.beganMs;
  if (one.raisedMs !== other.raisedMs) return one.raisedMs < other.raisedMs;
  return one.number < other.number;
}

/** The longest path that both lie in, by whole segments; '' when they share none. */
export function commonPlace(one: string, other: string): string {
  const left = one.split('/');
  const right = other.split('/');
  let shared = 0;
  while (shared < left.length && left[shared] === right[shared]) shared++;
  return left.slice(0, shared).join('/');
}

/** Whether an asset path lies within another: whole segments, '' is everything. */
export function isInside(scope: string, asset: string | null): boolean {
  return scope === '' || asset === scope || (asset?.startsWith(`${scope}/`) ?? false);
}
