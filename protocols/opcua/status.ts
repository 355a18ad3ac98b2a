// From a StatusCode (Part 4, 7.39) to a quality, beside the table of core/quality.ts that leads the
// other way: what that one writes, this one reads back.
//
// The two highest bits are the severity, the next fourteen the sub-code; what stands below (limits,
// overflow, structure changed) changes nothing about how far a value may be believed. A sub-code
// this table does not know falls back to what its severity says.
import type { QualityCode, Reason } from '../../core/quality.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';

const SUBCODE = 0xffff_0000;
/** Bit of a data value that says the server's queue overflowed (Part 4, 7.39.1). */
const DATA_VALUE_OVERFLOW = 0x0480;

const bads: Readonly<Record<number, Reason>> = {
  2147549184: 'bad_response', // BadUnexpectedError
  2147614720: 'device_exception', // BadInternalError
  2147680256: 'device_exception', // BadOutOfMemory
  2147745792: 'device_exception', // BadResourceUnavailable
  2147811328: 'bad_response', // BadCommunicationError
  2147876864: 'decode', // BadEncodingError
  2147942400: 'decode', // BadDecodingError
  2148139008: 'timeout', // BadTimeout
  2148204544: 'configuration', // BadServiceUnsupported
  2148270080: 'device_exception', // BadShutdown
  2148335616: 'no_connection', // BadServerNotConnected
  2149515264: 'configuration', // BadUserAccessDenied
  2150694912: 'no_connection', // BadNoCommunication
  2150760448: 'initial', // BadWaitingForInitialData
  2150825984: 'configuration', // BadNodeIdInvalid
  2150891520: 'configuration', // BadNodeIdUnknown
  2150957056: 'configuration', // BadAttributeIdInvalid
  2151022592: 'configuration', // BadIndexRangeInvalid
  2151088128: 'not_available', // BadIndexRangeNoData
  2151153664: 'configuration', // BadDataEncodingInvalid
  2151219200: 'configuration', // BadDataEncodingUnsupported
  2151284736: 'configuration', // BadNotReadable
  2151415808: 'out_of_range', // BadOutOfRange
  2151481344: 'configuration', // BadNotSupported
  2151546880: 'not_available', // BadNotFound
  2151612416: 'configuration', // BadObjectDeleted
  2151677952: 'configuration', // BadNotImplemented
  2154758144: 'configuration', // BadNoMatch
  2155020288: 'configuration', // BadWriteNotSupported
  2155085824: 'decode', // BadTypeMismatch
  2156199936: 'timeout', // BadRequestTimeout
  2156462080: 'configuration', // BadConfigurationError
  2156527616: 'no_connection', // BadNotConnected
  2156593152: 'device_exception', // BadDeviceFailure
  2156658688: 'sensor_fault', // BadSensorFailure
  2156724224: 'not_in_service', // BadOutOfService
  2156789760: 'configuration', // BadDeadbandFilterInvalid
  2157641728: 'not_available', // BadNoData
  2158886912: 'no_connection', // BadConnectionClosed
  2159083520: 'not_available', // BadDataUnavailable
};

const uncertains: Readonly<Record<number, Reason>> = {
  1083113472: 'no_connection', // UncertainNoCommunicationLastUsableValue
  1083179008: 'frozen', // UncertainLastUsableValue
  1083244544: 'substituted', // UncertainSubstituteValue
  1083310080: 'initial', // UncertainInitialValue
  1083375616: 'sensor_fault', // UncertainSensorNotAccurate
  1083441152: 'out_of_range', // UncertainEngineeringUnitsExceeded
  1083506688: 'not_available', // UncertainSubNormal
  1107820544: 'calibration', // UncertainSensorCalibration
};

/** Every sub-code seen so far is looked up once. */
const known = new Map<number, QualityCode>();

/** `status` is the code as 32 bits, signed or not. */
export function qualityOfStatus(status: number): QualityCode {
  if (status === 0) return GOOD;
  const subcode = (status & SUBCODE) >>> 0;
  const before = known.get(subcode);
  if (before !== undefined) return before;
  const quality = look(subcode);
  if (known.size < 0x400) known.set(subcode, quality);
  return quality;
}

function look(subcode: number): QualityCode {
  switch (subcode >>> 30) {
    case 0:
      return GOOD;
    case 1:
      return qualityCode('uncertain', uncertains[subcode]);
    default: // 3 is reserved: nothing good can be meant.
      return qualityCode('bad', bads[subcode]);
  }
}

/** Values before this one were dropped because the server's queue was full. */
export function hasOverflown(status: number): boolean {
  return (status & DATA_VALUE_OVERFLOW) === DATA_VALUE_OVERFLOW;
}
