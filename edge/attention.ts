// How closely a group of points is told about: while a delay of its rules may be running, its
// coverage is what makes an alarm of it, so it goes every second, and at once when the delay ends.
import { isDirect } from '../core/alarm/rule.ts';
import type { PointDefinition } from '../core/point.ts';
import { pointClasses } from '../core/reading.ts';
import type { KeepClass } from './outbox/file.ts';

/**
 * Delays of a group that may be running at once; of more, the oldest end with the second's
 * coverage.
 */
const ENDS_MAX = 64;

export interface Group {
  readonly keep: KeepClass;
  /** Longest on- or off-delay of its rules, longest silence a rule waits for. */
  readonly delayMs: number;
  readonly silentMs: number;
  readonly periodMs: number;
  /** The on- and off-delays of its rules, each once. */
  readonly delaysMs: readonly number[];
  /** When delays that may be running end, in the time of the epoch. */
  endsMonoMs: number[];
  attentiveUntilMs: number;
  isFailing: boolean;
}

export function groupFrom(definitions: readonly PointDefinition[]): Group {
  let rank = pointClasses.length - 1;
  const delays = new Set<number>();
  let delayMs = 0;
  let silentMs = 0;
  let periodMs = 0;
  for (const definition of definitions) {
    rank = Math.min(rank, pointClasses.indexOf(definition.class));
    periodMs = Math.max(periodMs, definition.periodMs);
    for (const rule of definition.rules) {
      // The edge sees when these change their verdict, and so when a delay may be running. Of the
      // others the coverage of every ten seconds tells.
      if (!isDirect(rule)) continue;
      for (const ms of [rule.onDelayMs, rule.offDelayMs]) if (ms > 0) delays.add(ms);
      delayMs = Math.max(delayMs, rule.onDelayMs, rule.offDelayMs);
      if (rule.kind === 'no-data') silentMs = Math.max(silentMs, rule.silentMs + rule.onDelayMs);
    }
  }
  const keep = pointClasses[rank] ?? 'trend';
  const delaysMs = [...delays];
  const quiet = { endsMonoMs: [], attentiveUntilMs: -1, isFailing: false };
  return { keep, delayMs, silentMs, periodMs, delaysMs, ...quiet };
}

// The coverage that ends a delay is what makes an alarm of it: it does not wait for the second. The
// poll that was due a delay after the verdict changed, and the one behind it (jitter), are sealed
// at once.
export function expectEnds(group: Group, fromMonoMs: number): void {
  group.endsMonoMs.push(...group.delaysMs.map((ms) => fromMonoMs + ms));
  if (group.endsMonoMs.length > ENDS_MAX)
    group.endsMonoMs.splice(0, group.endsMonoMs.length - ENDS_MAX);
}

export function endsDelay(group: Group, toMonoMs: number): boolean {
  if (group.endsMonoMs.length === 0) return false;
  const isEnding = group.endsMonoMs.some((endMs) => endMs <= toMonoMs);
  group.endsMonoMs = group.endsMonoMs.filter((endMs) => toMonoMs < endMs + group.periodMs / 2);
  return isEnding;
}

export function attend(group: Group, untilMonoMs: number): void {
  group.attentiveUntilMs = Math.max(group.attentiveUntilMs, untilMonoMs);
}
