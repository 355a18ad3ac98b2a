// How far a reading may be believed, and why not further. One closed list and one table: the wire,
// the store, the alarm kernel, OPC UA and Sparkplug all map from here.
import { assert } from './fault.ts';

export const qualities = ['good', 'uncertain', 'bad'] as const;
export type Quality = (typeof qualities)[number];

// The place in this list is the code on the wire and in the store: append only, never reorder.
export const reasons = [
  'none',
  'timeout', // The device did not answer within its deadline.
  'no_connection', // The link to the device is down.
  'device_exception', // The device answered that it cannot.
  'bad_response', // The answer was damaged or was not an answer to what was asked.
  'configuration', // The device says the point does not exist; somebody must change a file.
  'sensor_fault', // The device reports its sensor broken, or shows a fault code as value.
  'not_available', // The device says it has no value now.
  'out_of_range', // Outside what the sensor can physically measure.
  'warming_up',
  'inhibited',
  'calibration',
  'maintenance',
  'frozen', // Has not moved for longer than a living signal would stand still.
  'clock', // The time label cannot be trusted.
  'substituted', // Not measured; put in by a person or a rule.
  'initial', // Not read yet since start.
  'decode', // The bytes do not form a value of the declared type.
  'not_in_service', // The device says that it warms up, is inhibited or calibrated.
  'history', // Read later out of the device's own memory; not there when it was due.
] as const;
export type Reason = (typeof reasons)[number];

/**
 * Quality and reason in one byte: two bits of quality, six of reason. 0 is good without a reason.
 */
export type QualityCode = number;
export const GOOD: QualityCode = 0;

assert(reasons.length <= 64, 'a reason fits six bits');

export function qualityCode(quality: Quality, reason: Reason = 'none'): QualityCode {
  return (qualities.indexOf(quality) << 6) | reasons.indexOf(reason);
}

/** Undefined for a code this version does not know: the caller decides what unknown means. */
export function qualityOf(code: QualityCode): { quality: Quality; reason: Reason } | undefined {
  const quality = qualities[code >> 6];
  const reason = reasons[code & 0x3f];
  return quality && reason ? { quality, reason } : undefined;
}

export function isGood(code: QualityCode): boolean {
  return code >> 6 === 0;
}

export function isBad(code: QualityCode): boolean {
  return code >> 6 === 2;
}

const NOT_IN_SERVICE = qualityCode('bad', 'not_in_service');

/**
 * Nothing usable was heard of the point. A device that says of itself that it is not in service has
 * no value either, but it is not silent: its mode tells, and is an alarm of its own.
 */
export function isSilent(code: QualityCode): boolean {
  return isBad(code) && code !== NOT_IN_SERVICE;
}

const HISTORY = reasons.indexOf('history');

/** Out of a device's memory: history knows it, nothing was ever decided by it. */
export function isFilled(code: QualityCode): boolean {
  return (code & 0x3f) === HISTORY;
}

interface Mapping {
  /** OPC UA Part 8, 6.3 and Part 4, 7.39: StatusCode. */
  readonly opcua: number;
  /** Sparkplug B 3.0, 6.4.12: 0 BAD, 192 GOOD, 500 STALE. */
  readonly sparkplug: 0 | 192 | 500;
}

const uncertain = 0x40000000;
const bad = 0x80000000;

const badCodes: Record<Reason, number> = {
  none: bad,
  timeout: 0x800a0000, // BadTimeout
  no_connection: 0x808a0000, // BadNotConnected
  device_exception: 0x808b0000, // BadDeviceFailure
  bad_response: 0x80050000, // BadCommunicationError
  configuration: 0x80890000, // BadConfigurationError
  sensor_fault: 0x808c0000, // BadSensorFailure
  not_available: 0x809b0000, // BadNoData
  out_of_range: 0x803c0000, // BadOutOfRange
  warming_up: 0x80320000, // BadWaitingForInitialData
  inhibited: 0x808d0000, // BadOutOfService
  calibration: 0x808d0000,
  maintenance: 0x808d0000,
  frozen: 0x808c0000,
  clock: bad,
  substituted: bad,
  initial: 0x80320000,
  decode: 0x80070000, // BadDecodingError
  not_in_service: 0x808d0000, // BadOutOfService
  history: bad,
};

const uncertainCodes: Partial<Record<Reason, number>> = {
  substituted: 0x40910000, // UncertainSubstituteValue
  initial: 0x40920000, // UncertainInitialValue
  calibration: 0x42080000, // UncertainSensorCalibration
  sensor_fault: 0x40930000, // UncertainSensorNotAccurate
  out_of_range: 0x40940000, // UncertainEngineeringUnitsExceeded
  frozen: 0x40900000, // UncertainLastUsableValue
};

/** The one table from our quality to the neighbours' codes. */
export function foreignCodes(quality: Quality, reason: Reason): Mapping {
  if (quality === 'good') return { opcua: 0, sparkplug: 192 };
  if (quality === 'uncertain')
    return { opcua: uncertainCodes[reason] ?? uncertain, sparkplug: 500 };
  return { opcua: badCodes[reason], sparkplug: 0 };
}
