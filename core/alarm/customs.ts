// Deadbands and delays for those who have no better ones: starting values after the tables of
// ISA-TR18.2 and EEMUA 191, by what a unit measures and by the kind of rule. Whoever uses one marks
// it as a default.
import type { UnitCode } from '../units.ts';

export interface Custom {
  /** Part of the range, or of the limit where `of` says so or no range is known. */
  readonly deadband: number;
  readonly of: 'range' | 'limit';
  readonly delay: string;
  readonly offDelay: string;
}

const flow: Custom = { deadband: 0.05, of: 'range', delay: '15s', offDelay: '15m' };
const level: Custom = { deadband: 0.05, of: 'range', delay: '60s', offDelay: '5m' };
const pressure: Custom = { deadband: 0.02, of: 'range', delay: '15s', offDelay: '60s' };
const temperature: Custom = { deadband: 0.01, of: 'range', delay: '60s', offDelay: '5m' };
const gas: Custom = { deadband: 0.02, of: 'range', delay: '5s', offDelay: '60s' };
const other: Custom = { deadband: 0.05, of: 'limit', delay: '60s', offDelay: '60s' };
/** A code or a count is what it is, at once. */
const bare: Custom = { deadband: 0.05, of: 'limit', delay: '0s', offDelay: '60s' };

const byUnit: Readonly<Partial<Record<UnitCode, Custom>>> = {
  'm3/h': flow,
  'm3/s': flow,
  'L/s': flow,
  'L/min': flow,
  'kg/h': flow,
  m: level,
  cm: level,
  Pa: pressure,
  kPa: pressure,
  hPa: pressure,
  MPa: pressure,
  bar: pressure,
  Cel: temperature,
  K: temperature,
  '%{LEL}': gas,
  '%{vol}': gas,
  '[ppm]': gas,
  'mg/m3': gas,
  '1': bare,
};

/** A window has waited already; a transient is over before anybody can act. */
const atOnce = { deadband: 0.05, of: 'limit', delay: '0s' } as const;
const byKind: Readonly<Record<string, Custom>> = {
  rate: { ...atOnce, offDelay: '5m' },
  statistic: { ...atOnce, offDelay: '30m' },
  duration: { ...atOnce, offDelay: '60s' },
  'night-flow': { ...atOnce, offDelay: '15m' },
  cusum: { ...atOnce, offDelay: '0s' },
  frozen: { ...atOnce, offDelay: '0s' },
  'no-data': { ...atOnce, offDelay: '0s' },
  state: { ...atOnce, offDelay: '0s' },
  deviation: other,
  comparison: other,
};

/** What is customary for a kind of rule on a point of this unit. */
export function customOf(kind: string, unit: string): Custom {
  return byKind[kind] ?? byUnit[unit as UnitCode] ?? other;
}
