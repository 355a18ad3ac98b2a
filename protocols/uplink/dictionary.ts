// The dictionary: what the aliases of a record stand for. Parts are immutable and named by their
// hash, the first 16 bytes of SHA-256 over the encoded part. A manifest lists pages, a page lists
// points; an alias is a place in the list that the pages make together. What a device is, travels
// here and nowhere else: the cloud serves gateways whose profiles it has never seen.
//
// Encoding is deterministic, so the same part has the same name at every gateway. A reader names a
// part by the bytes it received (`openRecord().dictionaryHash`), never by encoding it again: a
// later writer may have put in fields that this reader skips.
import { createHash } from 'node:crypto';
import { type RuleProposal, SHEET_BYTES_MAX, sheetBytes } from '../../core/alarm/rule.ts';
import { type CommandOffer, OFFER_STATES_MAX, OFFERS_MAX } from '../../core/command.ts';
import { assert, Fault } from '../../core/fault.ts';
import {
  ASSET_PATTERN,
  type PointDefinition,
  type ValueType,
  valueTypes,
} from '../../core/point.ts';
import { type PointClass, pointClasses, TEXT_BYTES_MAX } from '../../core/reading.ts';
import { readOffer, writeOffer } from './offer-wire.ts';
import { malformed, ProtoReader, ProtoWriter } from './proto.ts';
import type { DictionaryPart, Hash } from './record.ts';
import { isEarly, readRule, writeRule } from './rule-wire.ts';
import {
  ACTION_BYTES_MAX,
  NAME_BYTES_MAX,
  readBilingual,
  readHash,
  readId,
  readNumber,
  readPair,
  writeBilingual,
  writeHash,
  writePair,
} from './wire-words.ts';

/** Half of what a message may hold, before compression. */
export const PAGE_BYTES_MAX = 64 * 1024;
/** 1,024 x 18 bytes; with the smallest pages that is room for over 100,000 points. */
export const MANIFEST_PAGES_MAX = 1_024;
/** UTF-8 bytes of a unit. */
const UNIT_BYTES_MAX = 64;
const ASSET_BYTES_MAX = 8 * 65;
/** Room for what is no text of a rule: ids, numbers, 16 states of nine bytes, tags and lengths. */
const RULE_REST_BYTES_MAX = 512;
/**
 * 16 rules x (2 x 512 + 2,304 + 512) = 61,440 bytes: a point with all its rules fits a page. Where
 * commands come beside them, a point that passes a page is refused by its name.
 */
export const POINT_RULES_MAX = 16;
assert(
  POINT_RULES_MAX * (2 * NAME_BYTES_MAX + SHEET_BYTES_MAX + RULE_REST_BYTES_MAX) + 4_096 <=
    PAGE_BYTES_MAX,
  'the largest point without commands fits a page',
);

export interface NamedPart {
  readonly hash: Hash;
  readonly part: DictionaryPart;
}

export interface Dictionary {
  readonly manifest: Hash;
  /** Pages in order, then the manifest: sent so, nothing names what has not come yet. */
  readonly parts: readonly NamedPart[];
}

/** Throws Fault `uplink_too_large` where a text, a rule list or the whole passes its limit. */
export function buildDictionary(points: readonly PointDefinition[]): Dictionary {
  const pages: PointDefinition[][] = [];
  let page: PointDefinition[] = [];
  let pageBytes = 0;
  for (const point of points) {
    const bytes = pointBytes(point);
    if (page.length > 0 && pageBytes + bytes > PAGE_BYTES_MAX) {
      pages.push(page);
      page = [];
      pageBytes = PAGE_HEADER_BYTES;
    }
    page.push(point);
    pageBytes += bytes;
  }
  if (page.length > 0) pages.push(page);
  if (pages.length > MANIFEST_PAGES_MAX) throw tooLarge(`${pages.length} pages of points`);
  const named = pages.map((list) => nameOf({ kind: 'page', points: list }));
  const manifest = nameOf({ kind: 'manifest', pages: named.map(({ hash }) => hash) });
  return { manifest: manifest.hash, parts: [...unique(named), manifest] };
}

/** 16 bytes. */
const HASH_DIGITS = 32;

/** Tag and length around the list of points. */
const PAGE_HEADER_BYTES = 8;

function nameOf(part: DictionaryPart): NamedPart {
  return { hash: hashOfPart(part), part };
}

function unique(parts: readonly NamedPart[]): NamedPart[] {
  return [...new Map(parts.map((named) => [named.hash, named])).values()];
}

export function hashOfPart(part: DictionaryPart): Hash {
  return hashOfBytes(encodePart(part));
}

/** Of an encoded part. */
export function hashOfBytes(bytes: Uint8Array): Hash {
  return createHash('sha256').update(bytes).digest('hex').slice(0, HASH_DIGITS);
}

/**
 * The points a manifest stands for, or the hashes that must be fetched first (the manifest itself,
 * then its pages). Throws Fault `uplink_malformed` where a hash names a part of the wrong kind.
 */
export function resolveManifest(
  hash: Hash,
  lookup: (hash: Hash) => DictionaryPart | undefined,
): PointDefinition[] | { readonly missing: Hash[] } {
  const manifest = lookup(hash);
  if (!manifest) return { missing: [hash] };
  if (manifest.kind !== 'manifest') throw malformed(`${hash} is not a manifest`);
  const points: PointDefinition[] = [];
  const missing = new Set<Hash>();
  for (const name of manifest.pages) {
    const page = lookup(name);
    if (!page) missing.add(name);
    else if (page.kind !== 'page') throw malformed(`${name} is not a page`);
    else if (missing.size === 0) for (const point of page.points) points.push(point);
  }
  return missing.size > 0 ? { missing: [...missing] } : points;
}

export function encodePart(part: DictionaryPart): Uint8Array {
  const writer = new ProtoWriter(1_024);
  const mark = writer.open(part.kind === 'manifest' ? 1 : 2);
  if (part.kind === 'manifest') for (const hash of part.pages) writeHash(writer, 1, hash);
  else for (const point of part.points) writePoint(writer, point);
  writer.close(mark);
  return writer.finish();
}

export function decodePart(bytes: Uint8Array): DictionaryPart {
  if (bytes.length > PAGE_BYTES_MAX) throw malformed(`a dictionary part of ${bytes.length} bytes`);
  const reader = new ProtoReader(bytes);
  let part: DictionaryPart | undefined;
  while (reader.next()) {
    if (reader.field !== 1 && reader.field !== 2) reader.skip();
    else if (part) throw malformed('a dictionary part is one of manifest and page');
    else if (reader.field === 1) part = readManifest(reader.message());
    else part = readPage(reader.message());
  }
  if (!part) throw malformed('a dictionary part is a manifest or a page');
  return part;
}

function readManifest(reader: ProtoReader): DictionaryPart {
  const pages: Hash[] = [];
  while (reader.next()) {
    if (reader.field !== 1) reader.skip();
    else if (pages.length >= MANIFEST_PAGES_MAX) throw malformed('a manifest of too many pages');
    else pages.push(readHash(reader));
  }
  return { kind: 'manifest', pages };
}

function readPage(reader: ProtoReader): DictionaryPart {
  const points: PointDefinition[] = [];
  while (reader.next()) {
    if (reader.field === 1) points.push(readPoint(reader.message()));
    else reader.skip();
  }
  return { kind: 'page', points };
}

function tooLarge(what: string): Fault {
  return new Fault('uplink_too_large', 'never', what);
}

function pointBytes(point: PointDefinition): number {
  const texts: [string, number][] = [
    [point.name.en, NAME_BYTES_MAX],
    [point.name.zh, NAME_BYTES_MAX],
    [point.unit, UNIT_BYTES_MAX],
  ];
  for (const rule of point.rules) {
    const { title, action, cause, consequence, basis } = rule;
    texts.push([title.en, NAME_BYTES_MAX], [title.zh, NAME_BYTES_MAX]);
    for (const text of [action, cause, consequence, basis]) {
      if (text) texts.push([text.en, ACTION_BYTES_MAX], [text.zh, ACTION_BYTES_MAX]);
    }
    const bytes = sheetBytes(rule);
    if (bytes > SHEET_BYTES_MAX) {
      throw tooLarge(`${point.device}/${point.point}: ${rule.id} says ${bytes} bytes`);
    }
  }
  const offers = point.commands ?? [];
  for (const { title, fixed, revert } of offers) {
    texts.push([title.en, NAME_BYTES_MAX], [title.zh, NAME_BYTES_MAX]);
    for (const value of [fixed, revert?.value]) {
      if (typeof value === 'string') texts.push([value, TEXT_BYTES_MAX]);
    }
  }
  if (offers.length > OFFERS_MAX || offers.some(hasTooManyStates)) {
    throw tooLarge(`${point.device}/${point.point}: ${offers.length} commands`);
  }
  const encoder = new TextEncoder();
  for (const [text, max] of texts) {
    const { length } = encoder.encode(text);
    if (length > max) throw tooLarge(`${point.device}/${point.point}: a text of ${length} bytes`);
  }
  if (point.rules.length > POINT_RULES_MAX) {
    throw tooLarge(`${point.device}/${point.point}: ${point.rules.length} rules`);
  }
  const writer = new ProtoWriter();
  writePoint(writer, point);
  const { length } = writer.written;
  if (length > PAGE_BYTES_MAX - PAGE_HEADER_BYTES) {
    throw tooLarge(`${point.device}/${point.point}: rules and commands of ${length} bytes`);
  }
  return length;
}

function hasTooManyStates({ states }: CommandOffer): boolean {
  return (states?.length ?? 0) > OFFER_STATES_MAX;
}

function writePoint(writer: ProtoWriter, point: PointDefinition): void {
  const mark = writer.open(1);
  writer.text(1, point.device);
  writer.text(2, point.point);
  writeBilingual(writer, 3, point.name);
  writer.text(4, point.unit);
  writer.uint(5, valueTypes.indexOf(point.type));
  writer.double(6, point.scale);
  writer.double(7, point.offset);
  if (point.range) writePair(writer, 8, point.range);
  writer.uint(9, pointClasses.indexOf(point.class));
  writer.double(10, point.periodMs);
  writer.double(11, point.deadband);
  writer.text(12, point.asset ?? '');
  for (const rule of point.rules) if (isEarly(rule)) writeRule(writer, 13, rule);
  for (const rule of point.rules) if (!isEarly(rule)) writeRule(writer, 14, rule);
  for (const offer of point.commands ?? []) writeOffer(writer, 15, offer);
  writer.close(mark);
}

function readPoint(reader: ProtoReader): PointDefinition {
  const point = { device: '', point: '', unit: '', scale: 0, offset: 0, periodMs: 0, deadband: 0 };
  let name = { en: '', zh: '' };
  let type: ValueType | undefined = valueTypes[0];
  let pointClass: PointClass | undefined = pointClasses[0];
  let range: readonly [number, number] | null = null;
  let asset: string | null = null;
  const rules: RuleProposal[] = [];
  const commands: CommandOffer[] = [];
  let offered = 0;
  while (reader.next()) {
    if (reader.field === 1) point.device = readId(reader);
    else if (reader.field === 2) point.point = readId(reader);
    else if (reader.field === 3) name = readBilingual(reader.message(), NAME_BYTES_MAX);
    else if (reader.field === 4) point.unit = reader.text(UNIT_BYTES_MAX);
    else if (reader.field === 5) type = valueTypes[reader.uint()];
    else if (reader.field === 6) point.scale = readNumber(reader);
    else if (reader.field === 7) point.offset = readNumber(reader);
    else if (reader.field === 8) range = readPair(reader.message());
    else if (reader.field === 9) pointClass = pointClasses[reader.uint()];
    else if (reader.field === 10) point.periodMs = readNumber(reader);
    else if (reader.field === 11) point.deadband = readNumber(reader);
    else if (reader.field === 12) asset = reader.text(ASSET_BYTES_MAX);
    else if (reader.field === 13 || reader.field === 14) {
      const rule = readRule(reader.message());
      if (rule) rules.push(rule);
    } else if (reader.field === 15) {
      if (++offered > OFFERS_MAX) throw malformed(`a point of more than ${OFFERS_MAX} commands`);
      const offer = readOffer(reader.message());
      if (offer) commands.push(offer);
    } else reader.skip();
  }
  if (point.device === '' || point.point === '') throw malformed('a point without an id');
  if (!type || !pointClass)
    throw malformed(`${point.device}/${point.point}: no such type or class`);
  if (asset !== null && !ASSET_PATTERN.test(asset)) throw malformed('an asset is not a path');
  if (rules.length > POINT_RULES_MAX) throw malformed(`a point of ${rules.length} rules`);
  if (new Set(commands.map(({ id }) => id)).size < commands.length) {
    throw malformed('a command is offered twice');
  }
  const offers = commands.length > 0 ? { commands } : {};
  return { ...point, name, type, range, class: pointClass, asset, rules, ...offers };
}
