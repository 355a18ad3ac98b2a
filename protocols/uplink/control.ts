// What travels beside the records, each one Protocol Buffers message of lifeline.proto: ack, birth,
// status, desired, reported, command, reply, confirm. Decoders trust nothing: every list, text and
// number has a bound, and whatever passes it is Fault `uplink_malformed`. Encoders bound as well:
// an ack and a birth are statements that come again, so what does not fit is left for the next one.
import type { CommandReason, Outcome } from '../../core/command.ts';
import { commandReasons, outcomes, SET_COMMAND } from '../../core/command.ts';
import { assert, Fault } from '../../core/fault.ts';
import { isId } from '../../core/point.ts';
import type { Range } from '../../core/ranges.ts';
import type { Value } from '../../core/reading.ts';
import { clockStateOf } from './body.ts';
import { type LocalFallback, readFallback, writeFallback } from './fallback-wire.ts';
import { malformed, ProtoReader, ProtoWriter } from './proto.ts';
import {
  type Ack,
  type Birth,
  type ClockState,
  clockStates,
  type Epoch,
  type EpochAck,
  type Hash,
  type RefusalReason,
  refusalReasons,
  type Status,
} from './record.ts';
import { MESSAGE_BYTES_MAX, PATHS_MAX } from './topics.ts';
import {
  bounded,
  readEpoch,
  readHash,
  readRanges,
  readValue,
  writeEpoch,
  writeHash,
  writeRanges,
  writeValue,
} from './wire-words.ts';

/** Of one epoch in one ack, lowest first: 64 ranges of at most 16 bytes are 1 KiB. */
export const ACK_RANGES_MAX = 64;
export const ACK_REFUSED_MAX = 64;
export const ACK_NEEDED_MAX = 256;
/** 32 x (24 + 2 x 1,024 + 64 x 12) + 256 x 18 bytes = 96 KiB, below MESSAGE_BYTES_MAX. */
export const ACK_EPOCHS_MAX = 32;
assert(
  ACK_EPOCHS_MAX * (24 + 2 * ACK_RANGES_MAX * 16 + ACK_REFUSED_MAX * 12) + ACK_NEEDED_MAX * 18 <
    MESSAGE_BYTES_MAX,
  'the largest ack fits a message',
);

/** Held ranges of all epochs of one birth: 4,096 x 16 bytes are half a message. */
export const BIRTH_RANGES_MAX = 4_096;
/** 1,024 x 28 bytes; with the ranges below MESSAGE_BYTES_MAX. */
export const BIRTH_EPOCHS_MAX = 1_024;
assert(
  BIRTH_RANGES_MAX * 16 + BIRTH_EPOCHS_MAX * 32 + 2_048 < MESSAGE_BYTES_MAX,
  'the largest birth fits a message',
);

/** Store ids, versions, identities of people: what a log line may show whole. */
export const WORD_BYTES_MAX = 128;
/** Why a command was given, what came of it. */
export const SENTENCE_BYTES_MAX = 1_024;
/** Configuration and rules in one document; half of a message. */
export const DOCUMENT_BYTES_MAX = 64 * 1024;

/**
 * At most ACK_EPOCHS_MAX epochs, ACK_RANGES_MAX ranges each (lowest first), ACK_REFUSED_MAX
 * refusals and ACK_NEEDED_MAX hashes are sent; the rest is for the next ack.
 */
export function encodeAck(ack: Ack): Uint8Array {
  const writer = new ProtoWriter();
  writer.text(1, word(ack.storeId));
  for (const entry of ack.epochs.slice(0, ACK_EPOCHS_MAX)) {
    const mark = writer.open(2);
    writeEpoch(writer, 1, entry.epoch);
    writeRanges(writer, 2, entry.stored.slice(0, ACK_RANGES_MAX));
    for (const { sequence, reason } of entry.refused.slice(0, ACK_REFUSED_MAX)) {
      const refusal = writer.open(3);
      writer.uint(1, sequence);
      writer.uint(2, refusalReasons.indexOf(reason));
      writer.close(refusal);
    }
    writeRanges(writer, 4, entry.wanted.slice(0, ACK_RANGES_MAX));
    writer.close(mark);
  }
  for (const hash of ack.needed.slice(0, ACK_NEEDED_MAX)) writeHash(writer, 3, hash);
  writer.uint(4, ack.creditBytes);
  return writer.finish();
}

export function decodeAck(bytes: Uint8Array): Ack {
  const reader = readerOf(bytes);
  const epochs: EpochAck[] = [];
  const needed: Hash[] = [];
  let storeId = '';
  let creditBytes = 0;
  while (reader.next()) {
    if (reader.field === 1) storeId = reader.text(WORD_BYTES_MAX);
    else if (reader.field === 2) push(epochs, readEpochAck(reader.message()), ACK_EPOCHS_MAX);
    else if (reader.field === 3) push(needed, readHash(reader), ACK_NEEDED_MAX);
    else if (reader.field === 4) creditBytes = reader.uint();
    else reader.skip();
  }
  if (storeId === '') throw malformed('an ack names its store');
  return { storeId, epochs, needed, creditBytes };
}

function readEpochAck(reader: ProtoReader): EpochAck {
  let epoch: Epoch | undefined;
  let stored: readonly Range[] = [];
  let wanted: readonly Range[] = [];
  const refused: { sequence: number; reason: RefusalReason }[] = [];
  while (reader.next()) {
    if (reader.field === 1) epoch = readEpoch(reader.message());
    else if (reader.field === 2) stored = readRanges(reader.message(), ACK_RANGES_MAX);
    else if (reader.field === 3) push(refused, readRefusal(reader.message()), ACK_REFUSED_MAX);
    else if (reader.field === 4) wanted = readRanges(reader.message(), ACK_RANGES_MAX);
    else reader.skip();
  }
  if (epoch === undefined) throw malformed('an ack without its epoch');
  return { epoch, stored, refused, wanted };
}

function readRefusal(reader: ProtoReader): { sequence: number; reason: RefusalReason } {
  let sequence = 0;
  let reason: RefusalReason | undefined = refusalReasons[0];
  while (reader.next()) {
    if (reader.field === 1) sequence = reader.uint();
    else if (reader.field === 2) reason = refusalReasons[reader.uint()];
    else reader.skip();
  }
  // A reason this edge does not know yet is still a refusal; `malformed` says the least.
  return { sequence, reason: reason ?? 'malformed' };
}

/**
 * A birth is a hint: epochs beyond BIRTH_EPOCHS_MAX (the oldest) and epochs whose ranges pass
 * BIRTH_RANGES_MAX in sum are left out whole, since a part of the ranges would claim the rest is
 * lost.
 */
export function encodeBirth(birth: Birth): Uint8Array {
  const writer = new ProtoWriter();
  writer.text(1, word(birth.storeIdSeen));
  writer.text(2, word(birth.software));
  writer.text(3, word(birth.configuration));
  if (birth.manifest !== '') writeHash(writer, 4, birth.manifest);
  let ranges = 0;
  for (const { epoch, held, next } of birth.epochs.slice(-BIRTH_EPOCHS_MAX)) {
    if (ranges + held.length > BIRTH_RANGES_MAX) continue;
    ranges += held.length;
    const mark = writer.open(5);
    writeEpoch(writer, 1, epoch);
    writeRanges(writer, 2, held);
    writer.uint(3, next);
    writer.close(mark);
  }
  return writer.finish();
}

export function decodeBirth(bytes: Uint8Array): Birth {
  const reader = readerOf(bytes);
  const words = { storeIdSeen: '', software: '', configuration: '', manifest: '' };
  const epochs: { epoch: Epoch; held: readonly Range[]; next: number }[] = [];
  while (reader.next()) {
    if (reader.field === 1) words.storeIdSeen = reader.text(WORD_BYTES_MAX);
    else if (reader.field === 2) words.software = reader.text(WORD_BYTES_MAX);
    else if (reader.field === 3) words.configuration = reader.text(WORD_BYTES_MAX);
    else if (reader.field === 4) words.manifest = readHash(reader);
    else if (reader.field === 5) push(epochs, readHeld(reader.message()), BIRTH_EPOCHS_MAX);
    else reader.skip();
  }
  return { ...words, epochs };
}

function readHeld(reader: ProtoReader): { epoch: Epoch; held: readonly Range[]; next: number } {
  let epoch: Epoch | undefined;
  let held: readonly Range[] = [];
  let next = 0;
  while (reader.next()) {
    if (reader.field === 1) epoch = readEpoch(reader.message());
    else if (reader.field === 2) held = readRanges(reader.message(), BIRTH_RANGES_MAX);
    else if (reader.field === 3) next = reader.uint();
    else reader.skip();
  }
  if (epoch === undefined) throw malformed('a birth without its epoch');
  if (next < 1) throw malformed('the next sequence is at least 1');
  return { epoch, held, next };
}

export function encodeStatus(status: Status): Uint8Array {
  const writer = new ProtoWriter(16);
  writer.uint(1, status.connection);
  writer.bool(2, status.online);
  writer.uint(3, clockStates.indexOf(status.clock));
  if (status.paths > 1) writer.uint(4, status.paths);
  return writer.finish();
}

export function decodeStatus(bytes: Uint8Array): Status {
  const reader = readerOf(bytes);
  let connection = 0;
  let online = false;
  let clock: ClockState = clockStates[0];
  let paths = 1;
  while (reader.next()) {
    if (reader.field === 1) connection = reader.uint();
    else if (reader.field === 2) online = reader.bool();
    else if (reader.field === 3) clock = clockStateOf(reader.uint());
    else if (reader.field === 4) paths = reader.uint();
    else reader.skip();
  }
  return { connection, online, clock, paths: Math.min(Math.max(1, paths), PATHS_MAX) };
}

/** What the cloud says of itself at a broker. */
export interface CloudStatus {
  readonly online: boolean;
}

export function encodeCloudStatus({ online }: CloudStatus): Uint8Array {
  const writer = new ProtoWriter(4);
  writer.uint(1, cloudStates.indexOf(online ? 'online' : 'offline'));
  return writer.finish();
}

export function decodeCloudStatus(bytes: Uint8Array): CloudStatus {
  const reader = readerOf(bytes);
  let state = 0;
  while (reader.next()) {
    if (reader.field === 1) state = reader.uint();
    else reader.skip();
  }
  if (cloudStates[state] === undefined) throw malformed('no state of the cloud');
  return { online: cloudStates[state] === 'online' };
}

// The place in the list is the code on the wire: append only. Nothing is 0, since an empty message
// is a retained one that was cleared.
const cloudStates = [undefined, 'offline', 'online'] as const;

/** `desired`: wanted by the cloud; `reported`: in force at the edge. One shape. */
export interface ConfigurationState {
  /**
   * Rises by one a change; a lower one than that in force is refused unless signed as a rollback.
   */
  readonly revision: number;
  /** SHA-256 of the document, first 16 bytes. */
  readonly hash: Hash;
  /** Configuration and rules; empty in `reported`, where the hash says enough. */
  readonly document: Uint8Array;
}

export function encodeConfigurationState(state: ConfigurationState): Uint8Array {
  if (state.document.length > DOCUMENT_BYTES_MAX) {
    throw new Fault('uplink_too_large', 'never', `a document of ${state.document.length} bytes`);
  }
  const writer = new ProtoWriter();
  writer.uint(1, state.revision);
  writeHash(writer, 2, state.hash);
  if (state.document.length > 0) writer.bytes(3, state.document);
  return writer.finish();
}

export function decodeConfigurationState(bytes: Uint8Array): ConfigurationState {
  const reader = readerOf(bytes);
  const state = { revision: 0, hash: '', document: new Uint8Array(0) as Uint8Array };
  while (reader.next()) {
    if (reader.field === 1) state.revision = reader.uint();
    else if (reader.field === 2) state.hash = readHash(reader);
    else if (reader.field === 3) state.document = reader.bytes();
    else reader.skip();
  }
  if (state.hash === '') throw malformed('a configuration without its hash');
  if (state.document.length > DOCUMENT_BYTES_MAX) throw malformed('a document is too long');
  return { ...state, document: state.document.slice() };
}

/**
 * One command to one point. It is over `timeToLiveMs` after the edge sealed `sequence` of `epoch`: no
 * wall clock is asked, and another epoch means expired.
 */
export interface Command {
  readonly id: string;
  readonly issuer: string;
  readonly epoch: Epoch;
  /** The newest sequence the issuer had seen. */
  readonly sequence: number;
  readonly timeToLiveMs: number;
  readonly device: string;
  readonly point: string;
  /** Of the point's offers; `set` writes the value. */
  readonly command: string;
  /** Engineering value; null where the command has one of its own. */
  readonly value: Value;
  /** The second person, who released it; '' for nobody. */
  readonly second: string;
  /** Why, in the issuer's words; for the record. */
  readonly why: string;
  /** Set where the gateway issued it for an alarm by itself. */
  readonly fallback?: LocalFallback;
}

export function encodeCommand(command: Command): Uint8Array {
  const writer = new ProtoWriter();
  writer.text(1, word(command.id));
  writer.text(2, word(command.issuer));
  writeEpoch(writer, 3, command.epoch);
  writer.uint(4, command.sequence);
  writer.uint(5, command.timeToLiveMs);
  writer.text(6, command.device);
  writer.text(7, command.point);
  writeValue(writer, 8, command.value);
  writer.text(9, sentence(command.why));
  if (command.command !== SET_COMMAND) writer.text(10, word(command.command));
  writer.text(11, word(command.second));
  if (command.fallback) writeFallback(writer, 12, command.fallback);
  return writer.finish();
}

export function decodeCommand(bytes: Uint8Array): Command {
  const reader = readerOf(bytes);
  const words = { id: '', issuer: '', device: '', point: '', why: '', second: '' };
  let command: string = SET_COMMAND;
  const numbers = { sequence: 0, timeToLiveMs: 0 };
  let epoch: Epoch | undefined;
  let value: Value = null;
  let fallback: LocalFallback | undefined;
  while (reader.next()) {
    if (reader.field === 1) words.id = reader.text(WORD_BYTES_MAX);
    else if (reader.field === 2) words.issuer = reader.text(WORD_BYTES_MAX);
    else if (reader.field === 3) epoch = readEpoch(reader.message());
    else if (reader.field === 4) numbers.sequence = reader.uint();
    else if (reader.field === 5) numbers.timeToLiveMs = reader.uint();
    else if (reader.field === 6) words.device = reader.text(WORD_BYTES_MAX);
    else if (reader.field === 7) words.point = reader.text(WORD_BYTES_MAX);
    else if (reader.field === 8) value = readValue(reader.message());
    else if (reader.field === 9) words.why = reader.text(SENTENCE_BYTES_MAX);
    else if (reader.field === 10) command = reader.text(WORD_BYTES_MAX);
    else if (reader.field === 11) words.second = reader.text(WORD_BYTES_MAX);
    else if (reader.field === 12) fallback = readFallback(reader.message());
    else reader.skip();
  }
  if (words.id === '' || words.issuer === '' || epoch === undefined) {
    throw malformed('a command names itself, its issuer and an epoch');
  }
  if (!isId(words.device) || !isId(words.point)) throw malformed('a command names no point');
  if (!isId(command)) throw malformed('a command has no name');
  return { ...words, ...numbers, epoch, command, value, ...(fallback && { fallback }) };
}

/** The recorded outcome of a command; a repeat of the command gets the same. */
export interface Reply {
  readonly id: string;
  readonly outcome: Outcome;
  readonly reason: CommandReason;
  /** A fault code, the id of an interlock: what there is to say beside the reason; may be ''. */
  readonly detail: string;
  /** Of the gateway that settled it; in a reply of a later one, still that of then. */
  readonly epoch: Epoch;
  /** When it was settled, in the epoch named. */
  readonly monoMs: number;
  /** What the point showed afterwards; null where nothing was read back. */
  readonly readBack: Value;
  /** What was commanded, where the gateway itself issued it: the cloud has never heard of it. */
  readonly issued: Command | null;
}

export function encodeReply(reply: Reply): Uint8Array {
  const writer = new ProtoWriter();
  writer.text(1, word(reply.id));
  writer.uint(2, outcomes.indexOf(reply.outcome));
  writer.text(3, sentence(reply.detail));
  writeEpoch(writer, 4, reply.epoch);
  writer.sint(5, Math.round(reply.monoMs));
  writer.uint(6, commandReasons.indexOf(reply.reason));
  writeValue(writer, 7, reply.readBack);
  if (reply.issued) writer.bytes(8, encodeCommand(reply.issued));
  return writer.finish();
}

export function decodeReply(bytes: Uint8Array): Reply {
  const reader = readerOf(bytes);
  let id = '';
  let outcome: Outcome | undefined = outcomes[0];
  let detail = '';
  let epoch: Epoch | undefined;
  let monoMs = 0;
  let reason: CommandReason | undefined = 'none';
  let readBack: Value = null;
  let issued: Command | null = null;
  while (reader.next()) {
    if (reader.field === 1) id = reader.text(WORD_BYTES_MAX);
    else if (reader.field === 2) outcome = outcomes[reader.uint()];
    else if (reader.field === 3) detail = reader.text(SENTENCE_BYTES_MAX);
    else if (reader.field === 4) epoch = readEpoch(reader.message());
    else if (reader.field === 5) monoMs = reader.sint();
    else if (reader.field === 6) reason = commandReasons[reader.uint()];
    else if (reader.field === 7) readBack = readValue(reader.message());
    else if (reader.field === 8) issued = decodeCommand(reader.bytes());
    else reader.skip();
  }
  if (id === '' || !outcome || epoch === undefined) throw malformed('a reply is not complete');
  // A reason of a later version: the outcome stands without it.
  return { id, outcome, reason: reason ?? 'none', detail, epoch, monoMs, readBack, issued };
}

/** A person has seen the alarm: the edge stops its local fallback for this occurrence. */
export interface Confirm {
  readonly occurrence: string;
  readonly by: string;
  /** Wall time of the cloud, milliseconds since 1970 in UTC. */
  readonly atMs: number;
}

export function encodeConfirm(confirm: Confirm): Uint8Array {
  const writer = new ProtoWriter();
  writer.text(1, word(confirm.occurrence));
  writer.text(2, word(confirm.by));
  writer.uint(3, Math.round(confirm.atMs));
  return writer.finish();
}

export function decodeConfirm(bytes: Uint8Array): Confirm {
  const reader = readerOf(bytes);
  const confirm = { occurrence: '', by: '', atMs: 0 };
  while (reader.next()) {
    if (reader.field === 1) confirm.occurrence = reader.text(WORD_BYTES_MAX);
    else if (reader.field === 2) confirm.by = reader.text(WORD_BYTES_MAX);
    else if (reader.field === 3) confirm.atMs = reader.uint();
    else reader.skip();
  }
  if (confirm.occurrence === '') throw malformed('a confirmation names its occurrence');
  return confirm;
}

function readerOf(bytes: Uint8Array): ProtoReader {
  if (bytes.length > MESSAGE_BYTES_MAX) throw malformed(`a message of ${bytes.length} bytes`);
  return new ProtoReader(bytes);
}

function push<Item>(list: Item[], item: Item, max: number): void {
  if (list.length >= max) throw malformed(`a list of more than ${max}`);
  list.push(item);
}

function word(text: string): string {
  return bounded(text, WORD_BYTES_MAX);
}

function sentence(text: string): string {
  return bounded(text, SENTENCE_BYTES_MAX);
}
