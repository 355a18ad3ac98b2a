// A payload on a record topic becomes a record that can be stored, or a letter that says why not.
// Pure.
import { isFault } from '../../core/fault.ts';
import type { Lane } from '../../core/reading.ts';
import { openRecord, readEnvelope } from '../../protocols/uplink/envelope.ts';
import type { Body, Envelope, RefusalReason } from '../../protocols/uplink/record.ts';
import { MESSAGE_BYTES_MAX, type TopicParts } from '../../protocols/uplink/topics.ts';
import type { ArrivedRecord } from '../inbox/core.ts';
import type { DeadLetter } from '../inbox/dead-letters.ts';

export interface Arrived extends ArrivedRecord {
  readonly topic: string;
}

/** A dead letter to be; with an envelope and a refusal its gateway is answered by name. */
export interface Letter extends DeadLetter {
  readonly envelope: Envelope | null;
  readonly refusal: RefusalReason | null;
}

export type Opened =
  | { readonly kind: 'record'; readonly record: Omit<Arrived, 'lane'>; readonly hasTimes: boolean }
  | { readonly kind: 'letter'; readonly letter: Letter };

export function openMessage(
  topic: string,
  { area, gateway }: TopicParts,
  bytes: Uint8Array,
  receivedMs: number,
): Opened {
  const reading = readEnvelope(bytes);
  const { checksum = 0 } = reading;
  const refuse = (reason: RefusalReason, envelope: Envelope | null, detail: string): Opened => {
    const { epoch = '', sequence = 0, readings = 0 } = envelope ?? {};
    const key = { area, gateway, topic, epoch, sequence, readings, checksum };
    const letter = { atMs: receivedMs, reason, detail, ...key, bytes, envelope, refusal: reason };
    return { kind: 'letter', letter };
  };
  if (!reading.ok) return refuse(reading.reason, whole(reading.envelope), 'the envelope');
  const { envelope } = reading;
  if (bytes.length > MESSAGE_BYTES_MAX)
    return refuse('too_large', envelope, `${bytes.length} bytes`);
  try {
    const { body, dictionaryHash } = openRecord(bytes);
    const { dictionary, clock, gaps } = body;
    const isManifest = dictionary?.kind === 'manifest';
    const part = dictionaryHash === null ? null : { hash: dictionaryHash, isManifest };
    const common = { topic, area, gateway, envelope, receivedMs, checksum, bytes };
    return {
      kind: 'record',
      record: { ...common, clock, gaps, part, aliasEnd: aliasEndOf(body) },
      hasTimes: body.readings !== null || body.coverage.length > 0,
    };
  } catch (error) {
    if (!isFault(error)) throw error;
    const reason = error.code === 'uplink_too_large' ? 'too_large' : 'malformed';
    return refuse(reason, envelope, error.message);
  }
}

export function letterOf(record: Arrived, refusal: RefusalReason, detail: string): Letter {
  const { envelope, receivedMs, topic, area, gateway, checksum, bytes } = record;
  const { epoch, sequence, readings } = envelope;
  const key = { area, gateway, topic, epoch, sequence, readings, checksum };
  return { atMs: receivedMs, reason: refusal, detail, ...key, bytes, envelope, refusal };
}

/** What a broker of ours did not let through. */
export interface RefusedByBroker {
  readonly reason: string;
  /** Whoever sent it, as logged in. */
  readonly name: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Of the whole payload. */
  readonly size: number;
}

/** What is known of a message that is no record. */
export interface ForeignParts {
  readonly area?: string;
  readonly gateway?: string;
  readonly detail?: string;
  /** Of the whole, where only the beginning is there. */
  readonly size?: number;
}

export function foreignLetter(
  reason: string,
  topic: string,
  bytes: Uint8Array,
  atMs: number,
  more: ForeignParts,
): Letter {
  const { area = '', gateway = '', detail = '', size = bytes.length } = more;
  const key = { area, gateway, topic, epoch: '', sequence: 0, readings: 0, checksum: 0 };
  return { atMs, reason, detail, ...key, bytes, size, envelope: null, refusal: null };
}

// One that names key, counts and span can be refused by name; the lane is then no matter.
function whole(partial: Partial<Envelope> | undefined): Envelope | null {
  if (partial?.epoch === undefined || partial.sequence === undefined) return null;
  const lane: Lane = 'event';
  const counts = { readings: 0, taken: 0, unchanged: 0, givenUp: 0 };
  const { epoch, sequence } = partial;
  return {
    lane,
    manifest: '',
    ...counts,
    firstMonoMs: 0,
    lastMonoMs: 0,
    ...partial,
    epoch,
    sequence,
  };
}

function aliasEndOf({ readings, coverage, gaps }: Body): number {
  let end = 0;
  if (readings) {
    const { count, alias } = readings;
    for (let at = 0; at < count; at++) if (alias[at]! >= end) end = alias[at]! + 1;
  }
  for (const { firstAlias, points } of coverage) end = Math.max(end, firstAlias + points);
  for (const { firstAlias, points } of gaps) end = Math.max(end, points && firstAlias + points);
  return end;
}
