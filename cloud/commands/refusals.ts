// What a person reads when a command is refused before it is asked for: what may be commanded, and
// with which values.
import type { CommandOffer, CommandReason } from '../../core/command.ts';
import { Fault } from '../../core/fault.ts';
import type { Value } from '../../core/reading.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Principal } from '../registry/registry.ts';
import { rights } from '../registry/registry.ts';
import type { Commanded, CommandWish } from './command.ts';
import { plainValue, TIME_TO_LIVE_MAX_MS, TIME_TO_LIVE_MIN_MS, targetOf } from './command.ts';

/** Of the states of an offer so many are shown. */
const STATES_SHOWN = 32;

export function offersKnown(
  point: string,
  command: string,
  offers: readonly CommandOffer[],
): Bilingual {
  if (offers.length === 0) return bilingual('command-point-closed', { point });
  const known = offers.map(({ id }) => id).join(', ');
  return bilingual('command-no-offer', { point, command, known });
}

/** `0 to 100 %`, `one of 0, 1`. */
export function wantedText({ range, states }: CommandOffer, unit: string): Bilingual {
  if (states) {
    return bilingual('command-wanted-states', { states: states.slice(0, STATES_SHOWN).join(', ') });
  }
  if (!range) return bilingual('command-wanted-any');
  const [low, high] = range;
  return bilingual('command-wanted-range', { low, high, unit: unit === '1' ? '' : unit });
}

export function unfitFault(
  why: CommandReason,
  offer: CommandOffer,
  given: Value,
  unit: string,
): Fault {
  const { id: command, fixed } = offer;
  const value = shown(given);
  if (fixed !== null) {
    const detail = bilingual('command-value-none', { command, fixed: shown(fixed) });
    return new Fault('command_value_unfit', 'never', detail);
  }
  const wanted = wantedText(offer, unit);
  const detail = (key: 'command-value-wanted' | 'command-value-outside'): Bilingual => ({
    en: bilingual(key, { command, value, wanted: wanted.en.trim() }).en,
    zh: bilingual(key, { command, value, wanted: wanted.zh.trim() }).zh,
  });
  const code = why === 'out_of_range' ? 'command_out_of_range' : 'command_value_unfit';
  const key = given === null ? 'command-value-wanted' : 'command-value-outside';
  return new Fault(code, 'never', detail(key));
}

const SHOWN_SIGNS = 60;

function shown(value: Value): string {
  return String(value).slice(0, SHOWN_SIGNS);
}

/** The same call again finds what it asked for. */
export function repeated(known: Commanded, wish: CommandWish, by: string): Commanded {
  const given = plainValue(wish.value);
  const isValue = given === plainValue(known.value) || (given === null && known.isFixed);
  const isTime = wish.timeToLiveMs === null || wish.timeToLiveMs === known.timeToLiveMs;
  const isSameWish = targetOf(wish) === targetOf(known) && wish.why === known.why;
  if (known.by === by && isSameWish && isValue && isTime) return known;
  const values = { id: known.id, what: targetOf(known), by: known.by };
  throw new Fault('command_id_taken', 'never', bilingual('command-id-of-other', values));
}

export function mayGive({ right }: Principal, offer: Pick<CommandOffer, 'right'>): boolean {
  return rights.indexOf(right) >= rights.indexOf(offer.right);
}

/** Throws Fault `command_not_allowed`. */
export function mustHave(principal: Principal, offer: Pick<CommandOffer, 'id' | 'right'>): void {
  if (mayGive(principal, offer)) return;
  const { name, right } = principal;
  const { id, right: needed } = offer;
  const detail = bilingual('command-right-needed', { name, has: right, command: id, needed });
  throw new Fault('command_not_allowed', 'never', detail);
}

export function timeToLiveOf(asked: number | null, offer: CommandOffer): number {
  const mostMs = Math.max(TIME_TO_LIVE_MAX_MS, offer.timeToLiveMs);
  const foundMs = Math.round(asked ?? offer.timeToLiveMs);
  if (foundMs >= TIME_TO_LIVE_MIN_MS && foundMs <= mostMs) return foundMs;
  const seconds = (ms: number) => ms / 1_000;
  const bounds = { least: seconds(TIME_TO_LIVE_MIN_MS), most: seconds(mostMs) };
  const detail = bilingual('command-ttl-bounds', { ...bounds, found: seconds(foundMs) });
  throw new Fault('command_time_to_live', 'never', detail);
}
