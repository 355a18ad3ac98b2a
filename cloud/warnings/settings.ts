// The part `warnings` of the cloud's file: in whose name warnings go out, to whom, and what is said
// of which place. Plain data once it is read.
import { z } from 'zod';
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import { durationMs } from '../../core/duration.ts';
import { datums, type Position } from '../../core/point.ts';
import type { Path, Problems } from '../../core/problems.ts';
import { alarmLevelForm, bilingualForm, durationForm } from '../../core/schema.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { CAP_NAME } from './cap.ts';
import { toWgs84, type Wgs84 } from './datum.ts';
import type { EbmSettings } from './ebm.ts';
import type { NationalCodes } from './national.ts';
import type { Category, Named, ResponseType, Scope, WarningArea } from './warning.ts';
import { categories, responseTypes } from './warning.ts';

/** Corners of a polygon: what a person draws round some streets. */
const CORNERS_MAX = 100;
const text = z.string().trim().min(1).max(300);
const place = { latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) };
const datum = z.enum(datums).describe('of the numbers; CAP is WGS-84, GCJ-02 is converted');

const areaForm = z.strictObject({
  asset: z.string().max(600).optional().describe('asset path prefix; the longest that fits'),
  text: bilingualForm.describe('the place as people know it'),
  event: bilingualForm.optional().describe('what it is called; default the title of the rule'),
  categories: z.array(z.enum(categories)).min(1).max(12).optional().describe('of CAP 1.2'),
  responses: z.array(z.enum(responseTypes)).min(1).max(8).optional().describe('of CAP 1.2'),
  position: z.strictObject({ ...place, datum }).optional(),
  radius_m: z.number().min(1).max(100_000).optional().describe('about position; default 50'),
  polygon: z
    .strictObject({ datum, corners: z.array(z.strictObject(place)).min(3).max(CORNERS_MAX) })
    .optional(),
  geocodes: z.record(z.string().trim().min(1).max(60), text).optional(),
});

export const warningsForm = z.strictObject({
  sender: z
    .string()
    .max(120)
    .describe('of CAP: a domain or address of yours; no blank, comma, <, &'),
  name: bilingualForm.describe('who warns'),
  contact: text.optional(),
  web: z.url().max(300).optional(),
  scope: z.enum(['public', 'restricted', 'private']).describe('to whom it may be told'),
  restriction: text.optional().describe('of scope restricted: who'),
  addresses: z.array(text).min(1).max(50).optional().describe('of scope private: to whom'),
  draft_from: alarmLevelForm
    .optional()
    .describe('alarms of this level and above are drafted by themselves; default none'),
  valid_for: durationForm.optional().describe('10m to 7d; default 2h'),
  national: z
    .strictObject({
      division: z
        .string()
        .regex(/^\d{6}$/)
        .describe('GB/T 2260'),
      organisation: z
        .string()
        .regex(/^[0-9A-Z]{3}$/)
        .describe('GB/T 4657'),
      internal: z
        .string()
        .regex(/^[0-9A-Z]{3}$/)
        .optional(),
      extension: z
        .string()
        .regex(/^[0-9A-Z]{2}$/)
        .optional(),
    })
    .optional()
    .describe('codes of the national early-warning system: identifiers are made of them'),
  broadcast: z
    .strictObject({
      resource: z
        .string()
        .regex(/^\d{18}$/)
        .describe('EBRID of this platform'),
      destination: z
        .string()
        .regex(/^\d{18}$/)
        .describe('EBRID of the one that takes it'),
      event_type: z
        .string()
        .regex(/^[0-9A-Z]{5}$/)
        .describe('by the list of the platform'),
      areas: z
        .array(z.string().regex(/^\d{6,23}$/))
        .min(1)
        .max(100),
    })
    .optional()
    .describe('emergency broadcasting (GD/J 082): packages are made as well'),
  areas: z.array(areaForm).max(1_000).optional(),
});

export interface AreaSettings {
  readonly asset: string;
  readonly area: WarningArea;
  readonly event: Bilingual | null;
  readonly categories: readonly Category[];
  readonly responses: readonly ResponseType[];
  /** In which datum its position was written; null where it has none. */
  readonly datum: Position['datum'] | null;
}

export interface WarningSettings {
  readonly sender: string;
  readonly name: Bilingual;
  readonly contact: string | null;
  readonly web: string | null;
  readonly scope: Scope;
  readonly draftFrom: AlarmLevel | null;
  readonly validForMs: number;
  readonly national: NationalCodes | null;
  readonly broadcast: EbmSettings | null;
  /** The longest asset prefix first. */
  readonly areas: readonly AreaSettings[];
}

export const VALID_MIN_MS = 600_000;
export const VALID_MAX_MS = 7 * 86_400_000;
const VALID_DEFAULT = '2h';
const RADIUS_DEFAULT_M = 50;
export const CATEGORIES_DEFAULT = ['Safety', 'Infra'] as const satisfies readonly Category[];
/** "Attend to information": whatever else people are to do, people decide. */
export const RESPONSES_DEFAULT = ['Monitor'] as const satisfies readonly ResponseType[];

/** `path` is where the part stands in its file. */
export function readWarnings(
  source: z.output<typeof warningsForm>,
  path: Path,
  problems: Problems,
): WarningSettings {
  const { sender, name, contact = null, web = null, valid_for: valid = VALID_DEFAULT } = source;
  if (!CAP_NAME.test(sender)) problems.add([...path, 'sender'], 'not-a-sender', { found: sender });
  const validForMs = durationMs(valid);
  if (validForMs < VALID_MIN_MS || validForMs > VALID_MAX_MS) {
    problems.add([...path, 'valid_for'], 'warning-valid-range', { found: valid });
  }
  const { national, broadcast, areas = [] } = source;
  const { internal = '000', extension = '00' } = national ?? {};
  const known = areas.map((area, at) => areaOf(area, [...path, 'areas', at], problems));
  return {
    ...{ sender, name, contact, web, validForMs },
    scope: scopeOf(source, path, problems),
    draftFrom: source.draft_from ?? null,
    national: national ? { ...national, internal, extension } : null,
    broadcast: broadcast ? { ...broadcast, eventType: broadcast.event_type } : null,
    areas: known.toSorted((a, b) => b.asset.length - a.asset.length),
  };
}

function scopeOf(source: z.output<typeof warningsForm>, path: Path, problems: Problems): Scope {
  const { scope, restriction, addresses } = source;
  if (scope !== 'restricted' && restriction !== undefined) {
    problems.add([...path, 'restriction'], 'warning-scope-other', { scope: 'restricted' });
  }
  if (scope !== 'private' && addresses !== undefined) {
    problems.add([...path, 'addresses'], 'warning-scope-other', { scope: 'private' });
  }
  if (scope === 'public') return { kind: 'Public' };
  if (scope === 'restricted') {
    if (restriction === undefined) problems.add([...path, 'scope'], 'warning-restriction-none', {});
    return { kind: 'Restricted', restriction: restriction ?? '' };
  }
  if (addresses === undefined) problems.add([...path, 'scope'], 'warning-addresses-none', {});
  return { kind: 'Private', addresses: addresses ?? [] };
}

function areaOf(source: z.output<typeof areaForm>, path: Path, problems: Problems): AreaSettings {
  const { asset = '', text: said, event = null, position, polygon } = source;
  const converted = (at: Path, given: Position): Wgs84 => {
    const { latitude, longitude } = given;
    const found = toWgs84(given);
    if (!found) problems.add(at, 'warning-not-gcj02', { latitude, longitude });
    return found ?? { latitude, longitude };
  };
  const center = position && converted([...path, 'position'], position);
  if (!position && source.radius_m !== undefined) {
    problems.add([...path, 'radius_m'], 'warning-radius-alone', {});
  }
  const corners = polygon?.corners.map((corner, at) =>
    converted([...path, 'polygon', 'corners', at], { ...corner, datum: polygon.datum }),
  );
  if (corners && crossesItself(corners)) {
    problems.add([...path, 'polygon'], 'warning-polygon-crossed', {});
  }
  const geocodes: Named[] = Object.entries(source.geocodes ?? {}).map(([name, value]) => {
    return { name, value };
  });
  const radiusKm = (source.radius_m ?? RADIUS_DEFAULT_M) / 1_000;
  const circle = center ? { center, radiusKm } : null;
  return {
    asset,
    area: { text: said, circle, polygon: corners ?? null, geocodes },
    event,
    categories: source.categories ?? CATEGORIES_DEFAULT,
    responses: source.responses ?? RESPONSES_DEFAULT,
    datum: position?.datum ?? polygon?.datum ?? null,
  };
}

/** Whether two sides that are no neighbours meet. */
export function crossesItself(corners: readonly Wgs84[]): boolean {
  const count = corners.length;
  const side = (at: number) => [corners[at]!, corners[(at + 1) % count]!] as const;
  for (let one = 0; one < count; one++) {
    for (let other = one + 2; other < count; other++) {
      const isNeighbour = one === 0 && other === count - 1;
      if (!isNeighbour && meet(side(one), side(other))) return true;
    }
  }
  return false;
}

type Side = readonly [Wgs84, Wgs84];

function meet([a, b]: Side, [c, d]: Side): boolean {
  return turn(a, b, c) * turn(a, b, d) <= 0 && turn(c, d, a) * turn(c, d, b) <= 0;
}

/** Left of the way from one to the other: positive. */
function turn(from: Wgs84, to: Wgs84, at: Wgs84): number {
  const x = (to.longitude - from.longitude) * (at.latitude - from.latitude);
  return Math.sign(x - (to.latitude - from.latitude) * (at.longitude - from.longitude));
}
