// A command offer of the dictionary on the wire. An offer whose right a reader does not know is
// left out: nobody may give what nobody can tell who may give. What is known is checked whole,
// since the cloud shows it to people and asks in its words.
import { type CommandOffer, commandRights, OFFER_STATES_MAX } from '../../core/command.ts';
import { assert } from '../../core/fault.ts';
import type { Value } from '../../core/reading.ts';
import { malformed, type ProtoReader, type ProtoWriter } from './proto.ts';
import {
  NAME_BYTES_MAX,
  readBilingual,
  readId,
  readNumber,
  readPair,
  readValue,
  writeBilingual,
  writePair,
  writeValue,
} from './wire-words.ts';

type Given = Exclude<Value, null>;

export function writeOffer(writer: ProtoWriter, field: number, offer: CommandOffer): void {
  const { fixed, range, states, revert } = offer;
  assert(states === null || states.length > 0, 'an offer of no states offers nothing');
  const mark = writer.open(field);
  writer.text(1, offer.id);
  writeBilingual(writer, 2, offer.title);
  if (fixed !== null) writeValue(writer, 3, fixed);
  if (range) writePair(writer, 4, range);
  for (const state of states ?? []) writeValue(writer, 5, state);
  writer.uint(6, commandRights.indexOf(offer.right));
  writer.bool(7, offer.twoPeople);
  writer.double(8, offer.everyMs);
  writer.double(9, offer.timeToLiveMs);
  if (revert) {
    const reversal = writer.open(10);
    writer.double(1, revert.afterMs);
    writeValue(writer, 2, revert.value);
    writer.close(reversal);
  }
  writer.close(mark);
}

/** Null for an offer of a right that this reader does not know. */
export function readOffer(reader: ProtoReader): CommandOffer | null {
  const common = { id: '', title: { en: '', zh: '' }, twoPeople: false };
  const times = { everyMs: 0, timeToLiveMs: 0 };
  let fixed: Given | null = null;
  let range: CommandOffer['range'] = null;
  const states: (number | boolean)[] = [];
  let right: CommandOffer['right'] | undefined = commandRights[0];
  let revert: CommandOffer['revert'] = null;
  while (reader.next()) {
    if (reader.field === 1) common.id = readId(reader);
    else if (reader.field === 2) common.title = readBilingual(reader.message(), NAME_BYTES_MAX);
    else if (reader.field === 3) fixed = given(readValue(reader.message()));
    else if (reader.field === 4) range = readPair(reader.message());
    else if (reader.field === 5) states.push(readState(reader.message(), states.length));
    else if (reader.field === 6) right = commandRights[reader.uint()];
    else if (reader.field === 7) common.twoPeople = reader.bool();
    else if (reader.field === 8) times.everyMs = readNumber(reader);
    else if (reader.field === 9) times.timeToLiveMs = readNumber(reader);
    else if (reader.field === 10) revert = readReversal(reader.message());
    else reader.skip();
  }
  if (common.id === '') throw malformed('a command offer without an id');
  if (range && range[0] > range[1]) throw malformed(`${common.id}: a range upside down`);
  if (times.everyMs < 0 || times.timeToLiveMs <= 0) throw malformed(`${common.id}: a time is not`);
  if (!right) return null;
  return {
    ...common,
    ...times,
    fixed,
    range,
    states: states[0] === undefined ? null : states,
    right,
    revert,
  };
}

function readState(reader: ProtoReader, before: number): number | boolean {
  if (before >= OFFER_STATES_MAX) throw malformed('a command offer of too many states');
  const state = given(readValue(reader));
  if (typeof state === 'number' || typeof state === 'boolean') return state;
  throw malformed('a state is a number or a boolean');
}

function readReversal(reader: ProtoReader): CommandOffer['revert'] {
  let afterMs = 0;
  let value: Given | undefined;
  while (reader.next()) {
    if (reader.field === 1) afterMs = readNumber(reader);
    else if (reader.field === 2) value = given(readValue(reader.message()));
    else reader.skip();
  }
  if (afterMs <= 0 || value === undefined) throw malformed('a reversal is not complete');
  return { afterMs, value };
}

function given(value: Value): Given {
  if (value === null) throw malformed('a command offer of no value');
  if (typeof value === 'number' && !Number.isFinite(value))
    throw malformed('a value is not finite');
  return value;
}
