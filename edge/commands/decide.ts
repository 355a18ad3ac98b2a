// Whether a command may be carried out, by what is known at this moment. Pure: the door asks when
// the command comes, when its turn comes, and once more right before the first byte leaves.
//
// The order of the questions is the order of the answers: whether it is for now, whether there is
// such a thing, whether it fits, whether it may be. Who has which right is the cloud's business;
// that a second person is named where one is needed is looked at here, too.
//
// A reversal is a command of the gateway itself. It has no issuer who could wait, repeat or ask a
// second person: it is held up by interlocks and by the state of the device alone. So is what the
// local fallback commands, which is of the offers of the point like that of a person.
import type { CommandOffer, CommandReason, Interlock, Outcome } from '../../core/command.ts';
import { isSameValue, unfit } from '../../core/command.ts';
import type { PointDefinition } from '../../core/point.ts';
import { GOOD, type QualityCode } from '../../core/quality.ts';
import type { Value } from '../../core/reading.ts';
import type { Command } from '../../protocols/uplink/control.ts';
import { TIME_TO_LIVE_MAX_MS } from '../seal-times.ts';

/** Who commands when the gateway reverses by itself. */
export const REVERSAL_ISSUER = 'gateway:revert';
/** Who commands when nobody has confirmed an alarm in time. */
export const FALLBACK_ISSUER = 'gateway:fallback';

/** Who asks: somebody, or the gateway by itself. */
export type Asking = 'somebody' | 'reversal' | 'fallback';

/** The newest reading of a point, as an interlock sees it. */
export interface Newest {
  /** Engineering. */
  readonly value: Value;
  readonly quality: QualityCode;
  /** Clock.monoMs() at which it was true. */
  readonly atMonoMs: number;
}

export interface Known {
  readonly asking: Asking;
  /** Clock.monoMs(). */
  readonly nowMonoMs: number;
  readonly epoch: string;
  /** Clock.monoMs() at which the named sequence was sealed, or why that is not known. */
  readonly sealedMonoMs: number | 'unknown' | 'old';
  /** Undefined: no such point at this gateway. */
  readonly point: PointDefinition | undefined;
  readonly interlocks: readonly Interlock[];
  /** By `device/point`; undefined: never read. */
  newest(point: string): Newest | undefined;
  /** When the point was last commanded before; null: never. */
  readonly commandedMonoMs: number | null;
}

export interface Refusal {
  readonly outcome: Outcome;
  readonly reason: CommandReason;
  readonly detail: string;
}

/** Null: nothing speaks against it now. */
export function decide(command: Command, known: Known): Refusal | null {
  const { point } = known;
  const late = isOver(command, known);
  if (late) return late;
  if (!point) return refused('unknown_point');
  const offer = offerOf(point, command.command);
  if (!offer) return refused('not_offered');
  if (known.asking === 'reversal') return held(command, known);
  const misfit = unfit(offer, command.value);
  if (misfit) return refused(misfit);
  if (offer.fixed === null && !isOfType(command.value, point)) return refused('value_unfit');
  if (known.asking === 'fallback') return held(command, known);
  if (offer.twoPeople && (command.second === '' || command.second === command.issuer)) {
    return refused('needs_second');
  }
  const { commandedMonoMs, nowMonoMs } = known;
  if (commandedMonoMs !== null && nowMonoMs < commandedMonoMs + offer.everyMs) {
    return refused('too_soon');
  }
  return held(command, known);
}

export function offerOf(point: PointDefinition, command: string): CommandOffer | undefined {
  return point.commands?.find(({ id }) => id === command);
}

/** What is still to be asked while a command that was begun waits for its first byte. */
export function decideAgain(command: Command, known: Known): Refusal | null {
  return isOver(command, known) ?? held(command, known);
}

/** Whether its time is over, by the monotonic clock alone. */
function isOver(command: Command, known: Known): Refusal | null {
  const { epoch, sealedMonoMs, nowMonoMs } = known;
  if (command.epoch !== epoch) return { outcome: 'expired', reason: 'other_epoch', detail: '' };
  // Of this epoch, and not sealed yet: nobody can have seen it.
  if (sealedMonoMs === 'unknown') return refused('other_epoch');
  const liveMs = Math.min(command.timeToLiveMs, TIME_TO_LIVE_MAX_MS);
  const isLate = sealedMonoMs === 'old' || nowMonoMs >= sealedMonoMs + liveMs;
  return isLate ? { outcome: 'expired', reason: 'too_late', detail: '' } : null;
}

/** The first interlock that holds. */
function held(command: Command, known: Known): Refusal | null {
  const offer = known.point && offerOf(known.point, command.command);
  const written = command.value ?? offer?.fixed ?? null;
  for (const interlock of known.interlocks) {
    if (!guards(interlock, command, written, known)) continue;
    if (holds(interlock, known)) return { ...refused('interlock'), detail: interlock.id };
  }
  return null;
}

function guards(
  interlock: Interlock,
  command: Command,
  written: Value,
  { asking }: Known,
): boolean {
  const { device, point, commands, values } = interlock;
  if (device !== command.device || point !== command.point) return false;
  // A reversal writes another value than its offer: what it is called says nothing of it.
  if (asking !== 'reversal' && commands && !commands.includes(command.command)) return false;
  return values === null || values.some((value) => isSameValue(value, written));
}

/**
 * Also while nobody knows: never read, too old, or not good. An uncertain value either makes it
 * hold or is no proof that it does not.
 */
export function holds(
  { watch, holds: when, staleMs }: Interlock,
  { newest, nowMonoMs }: Pick<Known, 'newest' | 'nowMonoMs'>,
): boolean {
  const reading = newest(watch);
  if (!reading || reading.quality !== GOOD || reading.value === null) return true;
  if (nowMonoMs - reading.atMonoMs > staleMs) return true;
  if (when.kind === 'is') return when.states.some((state) => isSameValue(state, reading.value));
  const number = Number(reading.value);
  if (Number.isNaN(number) || typeof reading.value === 'string') return true;
  return when.kind === 'above' ? number > when.limit : number < when.limit;
}

function refused(reason: CommandReason): Refusal {
  return { outcome: 'refused', reason, detail: '' };
}

/** What a point of each type takes; a state is a number or a truth, whichever way it is said. */
export function isOfType(value: Value, { type }: PointDefinition): boolean {
  switch (type) {
    case 'text':
      return typeof value === 'string';
    case 'boolean':
      return typeof value === 'boolean' || value === 0 || value === 1;
    case 'integer':
      return typeof value === 'bigint' || typeof value === 'boolean' || Number.isInteger(value);
    case 'number':
      return typeof value !== 'string' && Number.isFinite(Number(value));
  }
}

/** Whether the point shows what was commanded, both engineering. */
export function shows(shown: Value, wanted: Value, tolerance: number): boolean {
  if (isSameValue(shown, wanted)) return true;
  if (shown === null || wanted === null) return false;
  if (typeof shown === 'string' || typeof wanted === 'string') return false;
  const apart = Math.abs(Number(shown) - Number(wanted));
  // A 32-bit float shows the nearest it has; of two whole numbers none is the other.
  return apart <= Math.max(tolerance, Math.min(0.5, Math.abs(Number(wanted)) * 2 ** -23));
}
