// The outside of a record: fixed binary, never compressed, so that whoever holds the bytes can
// name, count and refuse a record whose body nobody here can read. The body is in body.ts.
//
//   byte 0    'L' (4C)
//   byte 1    envelope format, 1: this layout
//   byte 2    least reader version: a reader below it answers `later` and nothing is lost
//   byte 3    bits 0-3 codec of the body (0 plain, 1 zstd), bits 4-6 lane, bit 7 manifest named
//   byte 4    bytes of the whole envelope, so where the body starts
//   varint    opening number of the epoch
//   8 bytes   random part of the epoch
//   varint    sequence
//   16 bytes  manifest hash, when bit 7 of byte 3 is set
//   varints   readings, taken, unchanged, given up
//   varint    first time of the span, zigzag; varint length of the span (milliseconds of the epoch)
//   4 bytes   CRC-32C of the body as sent, little-endian
//   ...       what later writers append
//   2 bytes   CRC-16/MODBUS of all envelope bytes before it, little-endian
//
// Two checks, because a damaged envelope names the wrong record: then nothing is named and nobody
// may act on it. With a good envelope and a damaged body the record is refused by its name.
import { concatBytes, crc16Modbus, crc32c } from '../../core/bytes.ts';
import { assert, Fault, isFault } from '../../core/fault.ts';
import type { Random } from '../../core/random.ts';
import { type Lane, lanes } from '../../core/reading.ts';
import { decodeBody, encodeBody, packBody, spanOf, unpackBody } from './body.ts';
import { hashOfBytes } from './dictionary.ts';
import { malformed, ProtoReader, ProtoWriter, unzigzag, zigzag } from './proto.ts';
import {
  type Body,
  type Envelope,
  EPOCH_PATTERN,
  type Epoch,
  type Hash,
  type RefusalReason,
  type SealedRecord,
} from './record.ts';
import { MESSAGE_BYTES_MAX } from './topics.ts';
import { LEAST_READER_VERSION, READER_VERSION } from './version.ts';
import { hexBytes, hexDigits, joinEpoch, splitEpoch } from './wire-words.ts';

export { MESSAGE_BYTES_MAX } from './topics.ts';

const MAGIC = 0x4c;
const FORMAT = 1;
const FIXED_BYTES = 5;
const EPOCH_BYTES = 8;
const MANIFEST_BYTES = 16;
const CHECK_BYTES = 2;
/**
 * 5 + 5 + 8 + 8 + 16 + 4 x 8 + 2 x 8 + 4 + 2 bytes at most; what is appended may fill one byte's
 * worth.
 */
const ENVELOPE_BYTES_MAX = 255;

/** Epoch `<opening>-<64 random bits>`; `opening` rises by one each time the outbox is opened. */
export function makeEpoch(opening: number, random: Random): Epoch {
  const epoch = `${opening}-${hexDigits(random.bytes(EPOCH_BYTES))}`;
  assert(EPOCH_PATTERN.test(epoch), 'an opening number is 1 to 9999999999');
  return epoch;
}

export interface SealFields {
  readonly lane: Lane;
  readonly epoch: Epoch;
  readonly sequence: number;
  readonly manifest: Hash;
  /** readings + unchanged; 0 for a state record. */
  readonly taken: number;
  readonly unchanged: number;
  readonly givenUp: number;
}

/**
 * Makes a record of a body. Readings count and time span are those of the body; fractions of a
 * millisecond are rounded. Throws Fault `uplink_too_large` when the record would pass
 * MESSAGE_BYTES_MAX or a list its limit: the caller splits it.
 */
export function seal(fields: SealFields, body: Body): SealedRecord {
  const span = spanOf(body, fields.epoch);
  const plain = encodeBody(body, span.firstMonoMs);
  const packed = packBody(plain);
  const envelope: Envelope = {
    lane: fields.lane,
    epoch: fields.epoch,
    sequence: fields.sequence,
    manifest: fields.manifest,
    readings: body.readings?.count ?? 0,
    taken: fields.taken,
    unchanged: fields.unchanged,
    givenUp: fields.givenUp,
    ...span,
  };
  const bytes = concatBytes([writeEnvelope(envelope, packed), packed.bytes]);
  if (bytes.length > MESSAGE_BYTES_MAX) {
    throw new Fault('uplink_too_large', 'never', `a record of ${bytes.length} bytes`);
  }
  return { ...envelope, bytes };
}

function writeEnvelope(
  envelope: Envelope,
  body: { readonly codec: number; readonly bytes: Uint8Array },
): Uint8Array {
  const { opening, random } = splitEpoch(envelope.epoch);
  const manifest = envelope.manifest === '' ? null : hexBytes(envelope.manifest);
  assert(manifest === null || manifest?.length === MANIFEST_BYTES, 'a manifest hash is 16 bytes');
  assert(envelope.sequence >= 1, 'sequences begin at 1');
  const writer = new ProtoWriter(128);
  const start = writer.claim(FIXED_BYTES);
  writer.varint(opening);
  writer.buffer.set(random, writer.claim(EPOCH_BYTES));
  writer.varint(envelope.sequence);
  if (manifest) writer.buffer.set(manifest, writer.claim(MANIFEST_BYTES));
  writer.varint(envelope.readings);
  writer.varint(envelope.taken);
  writer.varint(envelope.unchanged);
  writer.varint(envelope.givenUp);
  writer.varint(zigzag(envelope.firstMonoMs));
  writer.varint(envelope.lastMonoMs - envelope.firstMonoMs);
  const crcAt = writer.claim(4);
  const checkAt = writer.claim(CHECK_BYTES);
  const out = writer.buffer;
  const codecAndLane = body.codec | (lanes.indexOf(envelope.lane) << 4) | (manifest ? 0x80 : 0);
  out.set([MAGIC, FORMAT, LEAST_READER_VERSION, codecAndLane, checkAt + CHECK_BYTES], start);
  const view = new DataView(out.buffer);
  view.setUint32(crcAt, crc32c(body.bytes), true);
  view.setUint16(checkAt, crc16Modbus(out, 0, checkAt), true);
  return writer.written;
}

export type EnvelopeReading =
  | {
      readonly ok: true;
      readonly envelope: Envelope;
      readonly codec: number;
      readonly bodyStart: number;
      /** What `recordChecksum` gives. */
      readonly checksum: number;
    }
  | {
      readonly ok: false;
      readonly reason: RefusalReason;
      /**
       * What could be read, when the envelope's own check holds: key and counts may be acted on.
       */
      readonly envelope?: Partial<Envelope>;
      readonly checksum?: number;
    };

/**
 * Checks everything about a record but what its body says: never throws. `corrupt` without an
 * envelope means that not even the name can be trusted.
 */
export function readEnvelope(bytes: Uint8Array): EnvelopeReading {
  if (bytes.length < FIXED_BYTES + CHECK_BYTES || bytes[0] !== MAGIC || bytes[1] === 0) {
    return { ok: false, reason: 'malformed' };
  }
  if (bytes[1]! > FORMAT) return { ok: false, reason: 'later' };
  const bodyStart = bytes[4]!;
  if (bodyStart < FIXED_BYTES + CHECK_BYTES || bodyStart > bytes.length) {
    return { ok: false, reason: 'corrupt' };
  }
  const checkAt = bodyStart - CHECK_BYTES;
  if (crc16Modbus(bytes, 0, checkAt) !== (bytes[checkAt]! | (bytes[checkAt + 1]! << 8))) {
    return { ok: false, reason: 'corrupt' };
  }
  const checksum = recordChecksum(bytes);
  const later = bytes[2]! > READER_VERSION;
  const fields = readFields(bytes, checkAt);
  if (isFault(fields)) return { ok: false, reason: later ? 'later' : 'malformed', checksum };
  const { envelope, bodyCrc } = fields;
  const refuse = (reason: RefusalReason): EnvelopeReading => {
    return { ok: false, reason, envelope, checksum };
  };
  if (bytes.length > MESSAGE_BYTES_MAX) return refuse('too_large');
  if (crc32c(bytes, bodyStart) !== bodyCrc) return refuse('corrupt');
  if (later) return refuse('later');
  if (!hasLane(envelope)) return refuse('malformed');
  const codec = bytes[3]! & 0x0f;
  return { ok: true, envelope, codec, bodyStart, checksum };
}

type Named = Omit<Envelope, 'lane'> & { readonly lane?: Lane };

function hasLane(envelope: Named): envelope is Envelope {
  return envelope.lane !== undefined;
}

function readFields(
  bytes: Uint8Array,
  end: number,
): { readonly envelope: Named; readonly bodyCrc: number } | Fault {
  const reader = new ProtoReader(bytes, FIXED_BYTES, end);
  try {
    const opening = reader.varint();
    const epoch = joinEpoch(opening, hexDigits(reader.raw(EPOCH_BYTES)));
    const sequence = reader.varint();
    const manifest = bytes[3]! & 0x80 ? hexDigits(reader.raw(MANIFEST_BYTES)) : '';
    const readings = count();
    const taken = count();
    const unchanged = count();
    const givenUp = count();
    const firstMonoMs = unzigzag(reader.varint());
    const lastMonoMs = firstMonoMs + reader.varint();
    const crc = reader.raw(4);
    if (sequence < 1 || sequence > Number.MAX_SAFE_INTEGER) return malformed('no such sequence');
    if (!Number.isSafeInteger(lastMonoMs)) return malformed('the time span is out of range');
    const lane = lanes[(bytes[3]! >> 4) & 7];
    const counts = { readings, taken, unchanged, givenUp };
    const named = { epoch, sequence, manifest, ...counts, firstMonoMs, lastMonoMs };
    const bodyCrc = (crc[0]! | (crc[1]! << 8) | (crc[2]! << 16) | (crc[3]! << 24)) >>> 0;
    return { envelope: lane === undefined ? named : { lane, ...named }, bodyCrc };
  } catch (error) {
    if (isFault(error)) return error;
    throw error;
  }

  function count(): number {
    const value = reader.varint();
    if (value > Number.MAX_SAFE_INTEGER) throw malformed('a count is out of range');
    return value;
  }
}

/**
 * Tells a clone from a duplicate: CRC-32C of the envelope, which holds the CRC-32C of the body. For
 * bytes whose envelope was read; a few dozen bytes of work whatever the size of the record.
 */
export function recordChecksum(bytes: Uint8Array): number {
  return crc32c(bytes, 0, Math.min(bytes[4] ?? 0, bytes.length));
}

export interface OpenedRecord {
  readonly envelope: Envelope;
  readonly body: Body;
  /** Name of the body's dictionary part, from the bytes as they came; null without one. */
  readonly dictionaryHash: Hash | null;
}

/** Opens a record whole, or throws the Fault (`uplink_*`) that says why it cannot. */
export function openRecord(bytes: Uint8Array): OpenedRecord {
  const reading = readEnvelope(bytes);
  if (!reading.ok) throw refusalFault(reading.reason);
  const { envelope, codec, bodyStart } = reading;
  const plain = unpackBody(bytes.subarray(bodyStart), codec);
  const { body, dictionaryBytes } = decodeBody(plain, envelope);
  return { envelope, body, dictionaryHash: dictionaryBytes && hashOfBytes(dictionaryBytes) };
}

/** The Fault of a refusal; `clone` is the inbox's finding and reads as malformed here. */
export function refusalFault(reason: RefusalReason): Fault {
  switch (reason) {
    case 'later':
      return new Fault('uplink_later', 'later', 'the record wants a later reader');
    case 'corrupt':
      return new Fault('uplink_corrupt', 'never', 'the checksum of the record does not hold');
    case 'too_large':
      return new Fault('uplink_too_large', 'never', 'the record is larger than a message may be');
    default:
      return malformed('the bytes are no record');
  }
}

assert(
  FIXED_BYTES + 5 + EPOCH_BYTES + 8 + MANIFEST_BYTES + 6 * 8 + 4 + CHECK_BYTES < ENVELOPE_BYTES_MAX,
  'the length of an envelope fits its byte',
);
