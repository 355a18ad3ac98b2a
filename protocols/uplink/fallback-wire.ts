// Why a gateway commanded by itself, on the wire: with the command that it issued, and so wherever
// that command is told of.
import { assert } from '../../core/fault.ts';
import { malformed, type ProtoReader, type ProtoWriter } from './proto.ts';
import { bounded, readId } from './wire-words.ts';

/** Of one release; more alarms than these on one output are not named with it. */
export const FALLBACK_ALARMS_MAX = 16;
const OCCURRENCE_BYTES_MAX = 128;

/** An alarm of a rule that the gateway evaluated by itself. */
export interface FallbackAlarm {
  readonly occurrence: string;
  readonly device: string;
  readonly point: string;
  readonly rule: string;
}

/** The local fallback: an output was driven for an alarm that nobody confirmed, or released. */
export interface LocalFallback {
  /** Of the site's file. */
  readonly id: string;
  readonly act: 'fire' | 'release';
  /** One for which it was driven; for a release those it had been driven for. */
  readonly alarms: readonly FallbackAlarm[];
}

export function writeFallback(
  writer: ProtoWriter,
  field: number,
  { id, act, alarms }: LocalFallback,
): void {
  assert(alarms.length > 0, 'an output is driven for an alarm');
  const mark = writer.open(field);
  writer.text(1, id);
  writer.bool(2, act === 'release');
  for (const { occurrence, device, point, rule } of alarms.slice(0, FALLBACK_ALARMS_MAX)) {
    const alarm = writer.open(3);
    writer.text(1, bounded(occurrence, OCCURRENCE_BYTES_MAX));
    writer.text(2, device);
    writer.text(3, point);
    writer.text(4, rule);
    writer.close(alarm);
  }
  writer.close(mark);
}

export function readFallback(reader: ProtoReader): LocalFallback {
  let id = '';
  let isRelease = false;
  const alarms: FallbackAlarm[] = [];
  while (reader.next()) {
    if (reader.field === 1) id = readId(reader);
    else if (reader.field === 2) isRelease = reader.bool();
    else if (reader.field === 3) {
      if (alarms.length >= FALLBACK_ALARMS_MAX) throw malformed('a fallback for too many alarms');
      alarms.push(readAlarm(reader.message()));
    } else reader.skip();
  }
  if (id === '' || alarms.length === 0) throw malformed('a fallback names itself and its alarms');
  return { id, act: isRelease ? 'release' : 'fire', alarms };
}

function readAlarm(reader: ProtoReader): FallbackAlarm {
  const alarm = { occurrence: '', device: '', point: '', rule: '' };
  while (reader.next()) {
    if (reader.field === 1) alarm.occurrence = reader.text(OCCURRENCE_BYTES_MAX);
    else if (reader.field === 2) alarm.device = readId(reader);
    else if (reader.field === 3) alarm.point = readId(reader);
    else if (reader.field === 4) alarm.rule = readId(reader);
    else reader.skip();
  }
  if (Object.values(alarm).some((word) => word === '')) {
    throw malformed('an alarm of a fallback has a name, a point and a rule');
  }
  return alarm;
}
