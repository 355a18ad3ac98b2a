// A command as the cloud knows it, from the asking to its one outcome. Pure.
//
//   ask ─┬─> waiting ─┬─ release ──> issued ─┬─ reply ───> done, refused, expired, failed,
//        │            │                      │              uncertain
//        │            ├─ withdraw ─> refused └─ abandon ─> uncertain
//        │            └─ lapse ────> expired
//        └─> issued, where one person is enough
//
// An outcome is never changed. What a gateway says beyond it is kept beside it (`late`).
import type { CommandOffer, CommandReason, CommandRight, Outcome } from '../../core/command.ts';
import { outcomes, unfit } from '../../core/command.ts';
import type { ValueType } from '../../core/point.ts';
import { TEXT_BYTES_MAX, type Value } from '../../core/reading.ts';
import type { Bilingual } from '../../core/text/text.ts';
import type { Command, Reply } from '../../protocols/uplink/control.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import { openingOf } from '../epochs.ts';

/** Below it no gateway can be reached in time: it says only every few seconds what it has. */
export const TIME_TO_LIVE_MIN_MS = 1_000;
/** A command is for now: what is to happen later is asked for later. */
export const TIME_TO_LIVE_MAX_MS = 600_000;
/** The second person is at the next desk or on the telephone. */
export const RELEASE_WITHIN_MS = 900_000;
/** A gateway that comes back after a longest holiday weekend still tells what it did. */
export const REPLY_WITHIN_MS = 7 * 24 * 3_600_000;
/** Without an outcome, a gateway: each is some 2 KB of message when it comes back. */
export const COMMANDS_OPEN_MAX = 32;

export const commandStates = ['waiting', 'issued', ...outcomes] as const;
export type CommandState = (typeof commandStates)[number];

/** 128 random bits in lower-case hexadecimal digits. */
export const COMMAND_ID = /^[0-9a-f]{32}$/;

/** What somebody wants done. */
export interface CommandWish {
  /** Drawn by the caller, so that a repeated call is the same command; null: drawn here. */
  readonly id: string | null;
  readonly gateway: string;
  readonly device: string;
  readonly point: string;
  readonly command: string;
  /** Null where the command has one of its own. */
  readonly value: Value;
  readonly why: string;
  /** Null: as the offer says. */
  readonly timeToLiveMs: number | null;
}

export type Target = Pick<CommandWish, 'gateway' | 'device' | 'point' | 'command'>;

/** What became of it, and who says so. */
export interface Settlement {
  readonly outcome: Outcome;
  readonly reason: CommandReason;
  readonly detail: string;
  readonly readBack: Value;
  /** `gateway NAME`; a person who withdrew it; the cloud itself. */
  readonly by: string;
  /** When the cloud had it. */
  readonly atMs: number;
  /** When the gateway settled it, by its own clock; null where nobody can tell. */
  readonly happenedMs: number | null;
}

export interface Commanded {
  readonly id: string;
  /** Rises by one a command: the cursor of lists. */
  readonly number: number;
  readonly area: string;
  readonly gateway: string;
  readonly device: string;
  readonly point: string;
  readonly command: string;
  /** Of the point and of the offer, as they were. */
  readonly name: Bilingual;
  readonly title: Bilingual;
  readonly unit: string;
  readonly asset: string | null;
  /** What is written: given, or the command's own. */
  readonly value: Value;
  readonly isFixed: boolean;
  readonly right: CommandRight;
  readonly why: string;
  /** A principal, or `gateway:NAME` where it was commanded at the gateway itself. */
  readonly by: string;
  readonly from: string;
  /** Who released it; '' for nobody. */
  readonly second: string;
  readonly timeToLiveMs: number;
  readonly state: CommandState;
  readonly askedMs: number;
  /** By when the second person is to release it; null where none is needed. */
  readonly lapsesMs: number | null;
  readonly issued: {
    readonly atMs: number;
    readonly epoch: Epoch;
    readonly sequence: number;
  } | null;
  readonly settlement: Settlement | null;
  /** What its gateway said after the outcome was recorded, where that was something else. */
  readonly late: Settlement | null;
}

export type Phase = 'waiting' | 'issued' | 'settled';
export const commandEvents = ['release', 'withdraw', 'lapse', 'reply', 'abandon'] as const;
export type CommandEvent = (typeof commandEvents)[number];

/** `stranger`: nobody can have sent it. `compare`: the outcome stands. `none`: nothing happens. */
export type Move = 'issue' | 'settle' | 'compare' | 'stranger' | 'none';

const moves: Record<Phase, Record<CommandEvent, Move>> = {
  waiting: {
    ...{ release: 'issue', withdraw: 'settle', lapse: 'settle' },
    ...{ reply: 'stranger', abandon: 'none' },
  },
  issued: {
    ...{ release: 'none', withdraw: 'none', lapse: 'none' },
    ...{ reply: 'settle', abandon: 'settle' },
  },
  settled: {
    ...{ release: 'none', withdraw: 'none', lapse: 'none' },
    ...{ reply: 'compare', abandon: 'none' },
  },
};

export function phaseOf({ state }: Pick<Commanded, 'state'>): Phase {
  return state === 'waiting' || state === 'issued' ? state : 'settled';
}

export function moveOf(command: Pick<Commanded, 'state'>, event: CommandEvent): Move {
  return moves[phaseOf(command)][event];
}

/** As it goes to the gateway. */
export function wireOf(command: Commanded): Command {
  const { id, by, issued, timeToLiveMs, device, point, value, isFixed, second, why } = command;
  const { epoch = '', sequence = 0 } = issued ?? {};
  return {
    ...{ id, issuer: by, epoch, sequence, timeToLiveMs, device, point },
    ...{ command: command.command, value: isFixed ? null : value, second, why },
  };
}

/**
 * What a reply says of a command that was sent. A gateway whose outbox was opened no later than the
 * one the command was for is another card: it knows nothing of what that one did, so its "other
 * epoch" proves nothing.
 */
export function settlementOf(
  { outcome, reason, detail, readBack, epoch }: Reply,
  { gateway, issued }: Pick<Commanded, 'gateway' | 'issued'>,
  atMs: number,
  happenedMs: number | null,
): Settlement {
  const rest = { detail, readBack, by: `gateway ${gateway}`, atMs, happenedMs };
  const isOtherCard =
    reason === 'other_epoch' &&
    issued !== null &&
    epoch !== issued.epoch &&
    openingOf(epoch) <= openingOf(issued.epoch);
  return isOtherCard ? { outcome: 'uncertain', reason, ...rest } : { outcome, reason, ...rest };
}

/** Whether a reply says what is known. */
export function isSame(known: Settlement, said: Settlement): boolean {
  const { outcome, reason, detail, readBack, by } = known;
  return (
    outcome === said.outcome &&
    reason === said.reason &&
    detail === said.detail &&
    Object.is(readBack, said.readBack) &&
    by === said.by
  );
}

/**
 * The value as the offer takes it, or why it does not. What is given, where it is not the
 * command's own, is of the type of its point, as the edge asks; digits are a whole number.
 */
export function valueFor(
  offer: CommandOffer,
  type: ValueType,
  given: Value,
): { readonly value: Value } | { readonly unfit: CommandReason } {
  const value = offer.fixed === null ? typed(type, given) : given;
  if (value === undefined) return { unfit: 'value_unfit' };
  const why = unfit(offer, value);
  return why === null ? { value: offer.fixed ?? value } : { unfit: why };
}

function typed(type: ValueType, given: Value): Value | undefined {
  if (given === null) return null;
  if (type === 'text') {
    const fits = typeof given === 'string' && Buffer.byteLength(given) <= TEXT_BYTES_MAX;
    return fits ? given : undefined;
  }
  if (typeof given === 'string') {
    // Whole numbers beyond 2^53 come as text, since JSON has none.
    return type === 'integer' && /^-?\d{1,20}$/.test(given) ? BigInt(given) : undefined;
  }
  if (type === 'boolean') {
    return typeof given === 'boolean' || given === 0 || given === 1 ? given : undefined;
  }
  const isWhole = typeof given !== 'number' || Number.isInteger(given);
  return type === 'number' || isWhole ? given : undefined;
}

/** For the journal and the API: whole numbers beyond 2^53 as text. */
export function plainValue(value: Value): Exclude<Value, bigint> {
  return typeof value === 'bigint' ? value.toString() : value;
}

/** `gateway/device/point command`. */
export function targetOf({ gateway, device, point, command }: Target): string {
  return `${gateway}/${device}/${point} ${command}`;
}
