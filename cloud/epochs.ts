// Which epoch of a gateway is later: one rule, for what the alarms take for now, for the current
// values and for the store. Pure; a line is JSON.
//
// Openings of one outbox count upwards, so a higher opening number is later. A card that was
// restored from an older image begins again with lower numbers, and what it says is true now: an
// epoch with a number not above the present one's becomes the present one when it comes live and
// the present one has not been heard for RIVAL_WAIT_MS. While two machines of one name are switched
// on nobody can tell which is the gateway: the one that opened last is the present one, and when it
// is switched off the other one is again, by the same rule.
//
// So epochs that were present are in the order in which they became so. One that never was (all of
// it came as backlog) stands right before the first later one with a higher number, and never
// behind the present one.
//
// Silence is told by the receiver's wall clock, which may step. Forward, and a rival is believed
// early; back, and nobody knows how long it was silent: the rival is believed at once. Both matter
// only while two machines have one name. What a rival says during the wait is not repeated later:
// it shows with the next change.
import type { Lane } from '../core/reading.ts';
import type { Epoch } from '../protocols/uplink/record.ts';

/** A rival becomes the present epoch only when that one has not been heard for this long. */
export const RIVAL_WAIT_MS = 30_000;
/** A clock that is set by less is no step. */
const STEP_MIN_MS = 1_000;
/** An edge that opens its outbox more often than this within our memory restarts in a loop. */
export const PAST_EPOCHS_MAX = 64;

/** What is known of the epochs of one gateway. */
export interface EpochLine {
  /** The present one; null before the first record. */
  epoch: Epoch | null;
  /** Those that were, the newest last. */
  past: Epoch[];
  /** How many there have been, the present one included. */
  openings: number;
  /** Receive time of the newest record of the present one; null when that is not known. */
  presentMs: number | null;
}

export interface HeardRow {
  readonly epoch: Epoch;
  readonly lane: Lane;
  readonly receivedMs: number;
}

export function newLine(): EpochLine {
  return { epoch: null, past: [], openings: 0, presentMs: null };
}

/**
 * Takes note of a record, in the order of the inbox. True when its epoch is now the present one.
 */
export function hear(line: EpochLine, { epoch, lane, receivedMs }: HeardRow): boolean {
  if (line.epoch === epoch) {
    line.presentMs = receivedMs;
    return false;
  }
  line.presentMs ??= receivedMs;
  const silentMs = receivedMs - line.presentMs;
  const isAlone = lane === 'live' && (silentMs > RIVAL_WAIT_MS || silentMs < -STEP_MIN_MS);
  if (!isNext(line, epoch, isAlone)) return false;
  const past = line.epoch === null ? [] : [...line.past, line.epoch];
  line.past = past.filter((it) => it !== epoch).slice(-PAST_EPOCHS_MAX);
  line.epoch = epoch;
  line.openings++;
  line.presentMs = receivedMs;
  return true;
}

function isNext({ epoch: present, past }: EpochLine, epoch: Epoch, isAlone: boolean): boolean {
  if (present === null) return true;
  if (isAlone) return true;
  return !past.includes(epoch) && openingOf(epoch) > openingOf(present);
}

/** Opening numbers have ten digits; this leaves room for 900,000 openings below 2^53. */
const OPENINGS = 1e10;

/** Rises with time among the epochs of one gateway; whole, and not negative. */
export function orderOf({ epoch: present, past, openings }: EpochLine, epoch: Epoch): number {
  if (epoch === present) return openings * OPENINGS + OPENINGS - 1;
  const at = past.lastIndexOf(epoch);
  const first = openings - past.length;
  if (at >= 0) return (first + at) * OPENINGS + OPENINGS - 1;
  const opening = openingOf(epoch);
  const line = present === null ? past : [...past, present];
  let before = line.length - 1;
  while (before > 0 && openingOf(line[before - 1]!) > opening) before--;
  return (first + Math.max(0, before)) * OPENINGS + Math.min(opening, OPENINGS - 2);
}

/** The line behind orders that were kept; who was heard when is not known from them. */
export function lineOf(orders: ReadonlyMap<Epoch, number>): EpochLine {
  const were = [...orders]
    .filter(([, order]) => order % OPENINGS === OPENINGS - 1)
    .sort(([, a], [, b]) => a - b);
  const [newest, order] = were.pop() ?? [null, 0];
  const past = were.map(([epoch]) => epoch).slice(-PAST_EPOCHS_MAX);
  const openings = Math.floor(order / OPENINGS);
  return { epoch: newest, past, openings, presentMs: null };
}

export function openingOf(epoch: Epoch): number {
  return Number.parseInt(epoch, 10);
}
