// Pieces that several messages of the wire share: epochs, ranges of sequences, hashes, texts,
// values.
import { assert, Fault } from '../../core/fault.ts';
import { isId } from '../../core/point.ts';
import type { Range } from '../../core/ranges.ts';
import { TEXT_BYTES_MAX, type Value } from '../../core/reading.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { malformed, type ProtoReader, type ProtoWriter } from './proto.ts';
import { EPOCH_PATTERN, type Epoch, type Hash } from './record.ts';

/** UTF-8 bytes of one text: of names and titles, of what a rule says beside its title. */
export const NAME_BYTES_MAX = 512;
export const ACTION_BYTES_MAX = 1_024;

export const ID_BYTES_MAX = 64;
const HASH_BYTES = 16;
const EPOCH_RANDOM_BYTES = 8;

/** Hex digits to bytes and back by the runtime: several times as fast as in a loop of our own. */
export function hexBytes(digits: string): Uint8Array {
  return Buffer.from(digits, 'hex');
}

export function hexDigits(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

export function writeEpoch(writer: ProtoWriter, field: number, epoch: Epoch): void {
  const { opening, random } = splitEpoch(epoch);
  const mark = writer.open(field);
  writer.uint(1, opening);
  writer.bytes(2, random);
  writer.close(mark);
}

export function readEpoch(reader: ProtoReader): Epoch {
  let opening = 0;
  let random = '';
  while (reader.next()) {
    if (reader.field === 1) opening = reader.uint();
    else if (reader.field === 2) random = hexDigits(bytesOf(reader, EPOCH_RANDOM_BYTES));
    else reader.skip();
  }
  return joinEpoch(opening, random);
}

export function splitEpoch(epoch: Epoch): {
  readonly opening: number;
  readonly random: Uint8Array;
} {
  assert(EPOCH_PATTERN.test(epoch), 'an epoch is <opening>-<16 hex digits>');
  const dash = epoch.indexOf('-');
  return { opening: Number(epoch.slice(0, dash)), random: hexBytes(epoch.slice(dash + 1)) };
}

export function joinEpoch(opening: number, random: string): Epoch {
  const epoch = `${opening}-${random}`;
  if (!EPOCH_PATTERN.test(epoch)) throw malformed('an epoch is not one');
  return epoch;
}

function bytesOf(reader: ProtoReader, length: number): Uint8Array {
  const bytes = reader.bytes();
  if (bytes.length !== length) throw malformed(`${bytes.length} bytes where ${length} belong`);
  return bytes;
}

export function writeHash(writer: ProtoWriter, field: number, hash: Hash): void {
  const bytes = hexBytes(hash);
  assert(hash.length === HASH_BYTES * 2 && bytes.length === HASH_BYTES, 'a hash is 32 hex digits');
  writer.bytes(field, bytes);
}

export function readHash(reader: ProtoReader): Hash {
  return hexDigits(bytesOf(reader, HASH_BYTES));
}

/** Sorted and disjoint: pairs (sequences left out before, length). */
export function writeRanges(writer: ProtoWriter, field: number, ranges: readonly Range[]): void {
  if (ranges.length === 0) return;
  const mark = writer.open(field);
  let next = 0;
  for (const { first, last } of ranges) {
    assert(first >= next && last >= first, 'ranges are sorted and disjoint');
    writer.varint(first - next);
    writer.varint(last - first + 1);
    next = last + 1;
  }
  writer.close(mark);
}

export function readRanges(reader: ProtoReader, max: number): Range[] {
  const ranges: Range[] = [];
  let next = 0;
  while (!reader.done) {
    if (ranges.length >= max) throw malformed(`more than ${max} ranges`);
    const first = next + reader.varint();
    const length = reader.varint();
    const last = first + length - 1;
    if (length < 1 || !Number.isSafeInteger(last + 1)) throw malformed('a range is not one');
    ranges.push({ first, last });
    next = last + 1;
  }
  return ranges;
}

export function writeBilingual(writer: ProtoWriter, field: number, text: Bilingual): void {
  const mark = writer.open(field);
  writer.text(1, text.en);
  writer.text(2, text.zh);
  writer.close(mark);
}

export function readBilingual(reader: ProtoReader, bytesMax: number): Bilingual {
  const text = { en: '', zh: '' };
  while (reader.next()) {
    if (reader.field === 1) text.en = reader.text(bytesMax);
    else if (reader.field === 2) text.zh = reader.text(bytesMax);
    else reader.skip();
  }
  return text;
}

export function readId(reader: ProtoReader): string {
  const id = reader.text(ID_BYTES_MAX);
  if (!isId(id)) throw malformed('an id is not one');
  return id;
}

/** A double that is one: neither infinite nor NaN. */
export function readNumber(reader: ProtoReader): number {
  const value = reader.double();
  if (!Number.isFinite(value)) throw malformed('a number is not finite');
  return value;
}

export function writePair(
  writer: ProtoWriter,
  field: number,
  pair: readonly [number, number],
): void {
  const mark = writer.open(field);
  writer.double(1, pair[0]);
  writer.double(2, pair[1]);
  writer.close(mark);
}

export function readPair(reader: ProtoReader): readonly [number, number] {
  let low = 0;
  let high = 0;
  while (reader.next()) {
    if (reader.field === 1) low = readNumber(reader);
    else if (reader.field === 2) high = readNumber(reader);
    else reader.skip();
  }
  return [low, high];
}

// The place in the list is the code on the wire: append only.
const valueKinds = ['null', 'number', 'boolean', 'text', 'whole'] as const;

export function writeValue(writer: ProtoWriter, field: number, value: Value): void {
  const mark = writer.open(field);
  const kind = value === null ? 'null' : typeof value;
  if (kind === 'string') writer.uint(1, valueKinds.indexOf('text'));
  else if (kind === 'bigint') writer.uint(1, valueKinds.indexOf('whole'));
  else writer.uint(1, valueKinds.indexOf(kind as (typeof valueKinds)[number]));
  if (typeof value === 'number') writer.double(2, value);
  else if (typeof value === 'boolean') writer.bool(3, value);
  else if (typeof value === 'string') writer.text(4, bounded(value, TEXT_BYTES_MAX));
  else if (typeof value === 'bigint') {
    writer.bigUint(5, value < 0n ? -value : value);
    writer.bool(6, value < 0n);
  }
  writer.close(mark);
}

export function readValue(reader: ProtoReader): Value {
  const value = { number: 0, boolean: false, text: '', magnitude: 0n };
  let kind = 0;
  let isNegative = false;
  while (reader.next()) {
    if (reader.field === 1) kind = reader.uint();
    else if (reader.field === 2) value.number = reader.double();
    else if (reader.field === 3) value.boolean = reader.bool();
    else if (reader.field === 4) value.text = reader.text(TEXT_BYTES_MAX);
    else if (reader.field === 5) value.magnitude = reader.bigUint();
    else if (reader.field === 6) isNegative = reader.bool();
    else reader.skip();
  }
  switch (valueKinds[kind]) {
    case 'null':
      return null;
    case 'number':
      return value.number;
    case 'boolean':
      return value.boolean;
    case 'text':
      return value.text;
    case 'whole':
      return isNegative ? -value.magnitude : value.magnitude;
    default:
      throw malformed(`no value of kind ${kind}`);
  }
}

/** Throws Fault `uplink_too_large` when it is longer than a reader takes. */
export function bounded(text: string, bytesMax: number): string {
  if (text.length * 3 > bytesMax && new TextEncoder().encode(text).length > bytesMax) {
    throw new Fault('uplink_too_large', 'never', `a text of more than ${bytesMax} bytes`);
  }
  return text;
}
