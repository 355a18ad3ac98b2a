// Checkers of times: whether what holds is paged in time, and whether the labels of readings and
// alarms are true.
//
//   paged in time    a condition that goes on holding, and is read all the while by one epoch of a
//                    gateway without a twin, is raised within its on-delay and PAGE_MS, where no
//                    fault falls into that time; a fault that does moves the end to its own end and
//                    RECOVERY_MS more. Nothing is said of a condition that is over before that.
//   times are true   a reading that was taken while the clock was unknown has the true time once its
//                    epoch has learned it; any other has the label its gateway gave it; an alarm
//                    begins at a time that a label of its gateway can stand for.
import type { Alarm } from '../../cloud/alarms/alarm.ts';
import { excursionAt, isInOldTerms, labelled, wasReadThrough, wasSeenClear } from './checkers.ts';
import type { PlantPoint } from './plant.ts';
import { pointKey, told } from './plant.ts';
import { WORLD_BEGAN_MS } from './timeline.ts';
import type { EpochFacts, WitnessedRecord } from './witness.ts';
import type { World } from './world.ts';

/** Two polls see it, a batch is gathered, a group committed, coverage ends the delay. */
const pageMs = (point: PlantPoint) => 2 * point.periodMs + 5_000;
/**
 * After a fault: connected again after pauses of up to 10 s, records sent again after 5, 10 and 20 s,
 * what is missing taken for lost 30 s after what came behind it.
 */
const RECOVERY_MS = 60_000;
/** The error of a clock that was just set. */
const TRUE_WITHIN_MS = 1_000;

/** The excursion `at` of a point. */
export function checkPaged(world: World, point: PlantPoint, at: number): void {
  const { witness } = world;
  const { fromMs, toMs } = point.excursions[at]!;
  if (at > 0 && !wasSeenClear(world, point, at)) return;
  if (isInOldTerms(witness.epochs.values(), point, fromMs)) return;
  const raised = witness.raised.filter(
    ({ key, atMs }) => key === pointKey(point) && atMs >= fromMs,
  );
  for (const facts of witness.epochs.values()) {
    if (facts.gateway !== point.gateway) continue;
    const seenMs = firstBeyond(facts, point, fromMs, toMs);
    if (seenMs === null) continue;
    const dueMs = pageDueMs(world, point, seenMs);
    if (toMs <= dueMs || (facts.endMs ?? 0) <= dueMs) continue;
    if (!wasReadThrough(facts, point, seenMs, dueMs)) continue;
    if (raised.some(({ atMs }) => atMs <= dueMs)) continue;
    const when = raised.map(({ atMs }) => atMs).join(' ') || 'never';
    const what = `${pointKey(point)} beyond since ${seenMs} was due at ${dueMs}, raised ${when}`;
    witness.problem('paged in time', what);
  }
}

/** When a reading of it first showed the point beyond in a stretch. */
export function firstBeyond(
  { sealed, openedMs }: EpochFacts,
  point: PlantPoint,
  fromMs: number,
  toMs: number,
): number | null {
  let firstMs = Number.POSITIVE_INFINITY;
  for (const { readings } of sealed.values()) {
    for (const { setting, monoMs, raw } of readings) {
      const atMs = openedMs + monoMs;
      if (setting.point !== point || raw === null || !told(raw).isBeyond) continue;
      if (atMs >= fromMs && atMs < toMs) firstMs = Math.min(firstMs, atMs);
    }
  }
  return Number.isFinite(firstMs) ? firstMs : null;
}

function pageDueMs({ witness }: World, point: PlantPoint, seenMs: number): number {
  let dueMs = seenMs + point.onDelayMs + pageMs(point);
  const faults = [...witness.faults].sort((a, b) => a.fromMs - b.fromMs);
  for (const { fromMs, toMs } of faults) {
    const overMs = toMs + RECOVERY_MS;
    if (fromMs <= dueMs && overMs > seenMs) dueMs = Math.max(dueMs, overMs);
  }
  return dueMs;
}

/** The label a stored reading has to have, by the record that brought it. */
export function labelOf(facts: EpochFacts, { clock }: WitnessedRecord, monoMs: number): number {
  const isLearned = [...facts.stored].some((sequence) =>
    facts.sealed.get(sequence)?.learnedMonoMs.some((learnedMs) => learnedMs >= monoMs),
  );
  if (!clock.isUnknown || !isLearned) return monoMs + clock.offsetMs;
  return WORLD_BEGAN_MS + facts.openedMs + monoMs;
}

export function isTrueLabel(atMs: number, expectedMs: number): boolean {
  return Math.abs(atMs - expectedMs) <= TRUE_WITHIN_MS;
}

/** An alarm of a limit rule began at a time that its gateway's clock showed during an excursion. */
export function checkBegan(world: World, alarm: Alarm, point: PlantPoint, atMs: number): void {
  const trueMs = alarm.beganMs - WORLD_BEGAN_MS;
  const isTrue = isTrueLabel(trueMs, atMs) || excursionAt(point, trueMs) >= 0;
  if (isTrue || labelled(world, alarm, point) !== null) return;
  const what = `${alarm.key} ${alarm.occurrence.slice(0, 8)} is said to have begun ${trueMs}`;
  world.witness.problem('times are true', `${what}, and began ${atMs}`);
}
