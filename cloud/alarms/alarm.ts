// An alarm as everybody sees it: one occurrence of one rule, and what follows from its fields.
import type { AlarmLevel, Rule } from '../../core/alarm/rule.ts';
import type { Letter, Removal, Shelf } from '../../core/alarm/state.ts';
import { letterOf, NORMAL } from '../../core/alarm/state.ts';
import { PATH_TEST_POINT, SELF_DEVICE } from '../../core/point.ts';
import type { Bilingual } from '../../core/text/text.ts';

/** Why there is an alarm: something is wrong, people are drilled, or the path is looked after. */
export const purposes = ['alarm', 'drill', 'path-test'] as const;
export type Purpose = (typeof purposes)[number];

export interface Alarm {
  readonly occurrence: string;
  /** Of all but `alarm`: no case, no incident, no figure. */
  readonly purpose: Purpose;
  /** Rises by one an alarm: the cursor of lists. */
  readonly number: number;
  /** Null for an alarm of a gateway itself. */
  readonly series: number | null;
  /** `gateway/device/point`, or the gateway. */
  readonly key: string;
  readonly area: string;
  readonly gateway: string;
  readonly asset: string | null;
  /** Of the point. */
  readonly name: Bilingual;
  readonly unit: string;
  readonly rule: string;
  /** Of the rule: `limit`, `no-data`, ...; `gateway` for an alarm of a gateway itself. */
  readonly kind: Rule['kind'] | 'gateway';
  readonly version: number;
  readonly level: AlarmLevel;
  readonly title: Bilingual;
  readonly action: Bilingual | null;
  /** What else the rule's response sheet says; null where it says nothing more. */
  readonly sheet: ResponseSheet | null;
  readonly limit: number | null;
  /** The value when it was raised. */
  readonly value: number | null;
  /** The first sample beyond; sample time, a label by the gateway's clock. */
  readonly beganMs: number;
  /** Began plus the on-delay; sample time. */
  readonly raisedMs: number;
  /** When the record that showed it was received. */
  readonly raisedReceivedMs: number;
  readonly clearedMs: number | null;
  readonly clearedReceivedMs: number | null;
  readonly acknowledgedMs: number | null;
  readonly acknowledgedBy: string | null;
  readonly note: string | null;
  /** It began and ended in what came late, and paged nobody. */
  readonly isHistorical: boolean;
  /** The occurrence of the same rule that came after it while nobody had acknowledged this one. */
  readonly supersededBy: string | null;
  /** Returned to normal, and shown until it is reset. */
  readonly latched: boolean;
  readonly shelf: Shelf | null;
  /** Why the design of the plant hides it: what it hides under, as `gateway-silent`. */
  readonly suppressedBy: string | null;
  readonly removal: Removal | null;
  /** Raised while its device was tested: told to the tester and to nobody else. */
  readonly test: TestMode | null;
  /** Over, and its class asks for no acknowledgement, or it was over when it was shown again. */
  readonly isSettled: boolean;
  /** How often somebody was told of it; 0 where it was hidden or history all the while. */
  readonly annunciations: number;
  /** Rises by one a change: what `If-Match` is compared with. */
  readonly revision: number;
  /** ISA-18.2 letter, derived. */
  readonly state: Letter;
}

export interface ResponseSheet {
  readonly cause: Bilingual | null;
  readonly consequence: Bilingual | null;
  readonly timeAvailableMs: number | null;
  readonly basis: Bilingual | null;
}

export function sheetOf(rule: Rule): ResponseSheet | null {
  const { cause = null, consequence = null, timeAvailableMs = null, basis = null } = rule;
  const said = cause ?? consequence ?? timeAvailableMs ?? basis;
  return said === null ? null : { cause, consequence, timeAvailableMs, basis };
}

/** A device that a named person tests. */
export interface TestMode {
  readonly by: string;
  readonly reason: string;
  readonly untilMs: number;
}

/** What is false, null or nothing where an older version wrote the document. */
export const UNMARKED = {
  purpose: 'alarm',
  kind: 'gateway',
  latched: false,
  shelf: null,
  suppressedBy: null,
  removal: null,
  test: null,
  isSettled: false,
  annunciations: 0,
  sheet: null,
} as const;

/** A new alarm as evaluation makes it: what follows from other fields is put in by `insert`. */
export type NewAlarm = Omit<Alarm, 'number' | 'state' | 'revision'>;

/** From a row of the table, whichever version wrote it. */
export function alarmOf(row: Record<string, unknown>): Alarm {
  const document = JSON.parse(String(row['document'])) as Alarm;
  const { purpose = 'alarm', sheet = null } = document;
  const kind = document.kind ?? (document.series === null ? 'gateway' : 'limit');
  if (document.revision !== undefined) return { ...document, purpose, kind, sheet };
  const annunciations = document.isHistorical ? 0 : 1;
  return { ...document, ...UNMARKED, kind, annunciations, revision: 1 };
}

/** What the gateway itself makes (core/point.ts, SELF_DEVICE) is never a real alarm. */
export function purposeOf(device: string, point: string): Purpose {
  if (device !== SELF_DEVICE) return 'alarm';
  return point === PATH_TEST_POINT ? 'path-test' : 'drill';
}

/** Made each few minutes: not journalled, not kept, and no person hears of it. */
export function isPathTest({ purpose }: Pick<Alarm, 'purpose'>): boolean {
  return purpose === 'path-test';
}

export function stateOf(alarm: NewAlarm): Letter {
  const { isHistorical, supersededBy, acknowledgedMs, clearedMs } = alarm;
  const { latched, shelf, suppressedBy, removal, isSettled } = alarm;
  const isPast = isHistorical || supersededBy !== null;
  const acknowledged = isPast || isSettled || acknowledgedMs !== null;
  const active = clearedMs === null;
  if (isPast) return letterOf({ ...NORMAL, active, acknowledged });
  const isSuppressed = suppressedBy !== null;
  return letterOf({ ...NORMAL, active, acknowledged, latched, shelf, isSuppressed, removal });
}

export function isOpen(alarm: Alarm): boolean {
  return alarm.state !== 'A' && !alarm.isHistorical;
}
