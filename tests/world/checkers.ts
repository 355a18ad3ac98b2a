// What must be true of every world, whatever happened in it. Each checker has a name, and a problem
// begins with it.
//
//   due = taken + missed        at every poller, up to the polls under way at a kill; and due is
// what
//                               the periods say.
//   taken, to the last reading  what was on a card or in the inbox is stored, unchanged, or in a
// gap,
//                               exactly; what a kill cost is at most what was taken since the last
//                               commit, and a gap says so.
//   own point, own scale        every stored value is the one its device showed at that time, in
// the
//                               scale in force when it was taken; nothing is stored twice or made
// up.
//   order within an epoch       the readings of a point are sealed in the order they were taken in.
//   current value never older   what is shown of a point never goes back; and in the end it is new.
//   raised once                 one excursion is one alarm with one notification.
//   nothing overlooked          a condition that held for its delay and was read all the while is
// an
//                               alarm; seen live it is a page, in time.
//   paged in time, times are true   see times.ts.
//   nothing invented            an alarm has an excursion behind it.
//   history pages nobody        who is paged, is paged for what holds now.
//   state is true               when all is calm, an alarm is active where its condition holds.
//   told or shown and others    what people are told: see told.ts.
//   windows never stall         see world.ts: when faults are over, everything drains.
import { createHash } from 'node:crypto';
import type { Alarm } from '../../cloud/alarms/alarm.ts';
import { STRETCH_IDLE_MS } from '../../cloud/alarms/history.ts';
import type { DecodedRecord } from '../../cloud/inbox/decoded.ts';
import type { Store, StoredGap, StoredReadings } from '../../cloud/store/store.ts';
import { engineering } from '../../core/point.ts';
import { SCALES } from './city.ts';
import { checkSites } from './fallback.ts';
import type { PlantPoint } from './plant.ts';
import { couldShow, isBeyondAt, NO_DATA_MS, pointKey, told } from './plant.ts';

import { checkBegan, checkPaged, isTrueLabel, labelOf } from './times.ts';
import { checkPages, checkTold } from './told.ts';
import type { EpochFacts, Witness, WitnessedRecord } from './witness.ts';

import { rawBehind } from './witness.ts';
import type { World } from './world.ts';

/** A poll, a batch, a commit, a connection and an ack, one after the other. */
const ON_THE_WAY_MS = 5_000;
/** Coverage without readings waits so long for its record. */
const COVERAGE_MS = 10_000;
/** Older than this on arrival is no longer live, by the rule of the receiver. */
const LIVE_MS = 30_000;

function pointsOf(world: World): ReadonlyMap<string, PlantPoint> {
  return new Map(
    world.city.flatMap(({ points }) => points).map((point) => [pointKey(point), point]),
  );
}

/** After each batch that was shown: nothing went back. */
export function checkShown(world: World, _records: readonly DecodedRecord[]): void {
  const { witness, cloud, timeline } = world;
  const { nowMs } = timeline;
  const { current, series } = cloud.parts;
  const points = pointsOf(world);
  for (const [number, { gateway, definition }] of series) {
    const key = `${gateway}/${definition.device}/${definition.point}`;
    const point = points.get(key);
    const value = current.get(number)?.value;
    if (!point || typeof value !== 'number') continue;
    const raw = rawBehind(point, value, SCALES);
    if (raw === null) {
      witness.problem('own point, own scale', `${key} is shown as ${value}`);
      continue;
    }
    const { atMs } = told(raw);
    const before = witness.shown.get(key);
    if (before !== undefined && atMs < before && !witness.hadTwin(gateway, nowMs)) {
      const went = `${key} went from ${before} ms back to ${atMs} ms`;
      witness.problem('current value never older', went);
    }
    witness.shown.set(key, atMs);
  }
}

/** When all is calm: what is shown is new, what is active is true. */
export function checkSettled(world: World): void {
  const { witness, cloud, timeline, edges } = world;
  if (!cloud.isRunning) return;
  const { nowMs } = timeline;
  const alarms = cloud.parts.alarms.list({ state: 'all', limit: 1_000 });
  for (const edge of edges.values()) {
    const { gateway } = edge.options;
    if (witness.hadTwin(gateway, nowMs) || !edge.isRunning) continue;
    for (const { points } of edge.setting.groups) {
      for (const { point } of points) {
        const key = pointKey(point);
        const shownMs = witness.shown.get(key) ?? Number.NEGATIVE_INFINITY;
        const oldestMs = nowMs - point.holdMs - point.periodMs - ON_THE_WAY_MS;
        if (shownMs < oldestMs) {
          const what = `${key} is shown as of ${shownMs} ms, at ${nowMs} ms`;
          witness.problem('current value never older', what);
        }
        if (point.hasRule) checkActive(world, point, alarms);
      }
    }
  }
}

function checkActive({ witness, timeline }: World, point: PlantPoint, alarms: readonly Alarm[]) {
  const { nowMs } = timeline;
  const sinceMs = nowMs - settleMs(point);
  const isChanging = point.excursions.some(({ fromMs, toMs }) =>
    [fromMs, toMs].some((edgeMs) => edgeMs > sinceMs && edgeMs <= nowMs),
  );
  if (isChanging) return;
  const expected = isBeyondAt(point, nowMs);
  const active = alarms.filter(
    ({ key, rule, clearedMs, isHistorical }) =>
      key === pointKey(point) && rule === 'high' && clearedMs === null && !isHistorical,
  );
  if (active.length === (expected ? 1 : 0)) return;
  const names = active.map(({ occurrence }) => occurrence.slice(0, 8)).join(' ');
  const what = `${pointKey(point)} is ${expected ? '' : 'not '}beyond and has active: ${names}`;
  witness.problem('state is true', what);
}

/** From a change of the condition until everybody knows. */
function settleMs({ onDelayMs, offDelayMs, periodMs }: PlantPoint): number {
  return Math.max(onDelayMs, offDelayMs) + 3 * periodMs + COVERAGE_MS + ON_THE_WAY_MS;
}

/** When everything has ended. */
export async function checkAfter(world: World): Promise<void> {
  const { store } = world.cloud;
  const gaps = await store.gaps({
    fromMs: Number.NEGATIVE_INFINITY,
    toMs: Number.POSITIVE_INFINITY,
  });
  for (const facts of world.witness.epochs.values()) {
    checkPoller(world, facts);
    checkOrder(world, facts);
    await checkAccount(world, facts, gaps);
  }
  await checkReadings(world, store);
  checkAlarms(world);
  checkPages(world);
  checkSites(world);
  await world.cloud.parts.aftermath.check(world.witness);
}

function checkPoller({ witness }: World, facts: EpochFacts): void {
  const { counts, end, endMs, stoppedMs, settings, openedMs, gateway, epoch, sealed } = facts;
  if (end === null || endMs === null) return;
  const name = `${gateway} ${epoch}`;
  const running = counts.due - counts.taken - counts.missed;
  const runningMax = end === 'killed' ? settings.length : 0;
  if (running < 0 || running > runningMax) {
    const { due, taken, missed } = counts;
    witness.problem(
      'due = taken + missed',
      `${name}: ${due} due, ${taken} taken, ${missed} missed`,
    );
  }
  const ranMs = (stoppedMs ?? endMs) - openedMs;
  const byPeriod = settings.reduce((sum, { point }) => sum + ranMs / point.periodMs, 0);
  if (counts.due > byPeriod + 2 * settings.length || counts.due < byPeriod - 3 * settings.length) {
    if (ranMs > 1_000) {
      witness.problem(
        'due = taken + missed',
        `${name}: ${counts.due} due, ${byPeriod} by the periods`,
      );
    }
  }
  if (end !== 'clean') return;
  const taken = sum([...sealed.values()], ({ taken: it }) => it);
  if (taken !== counts.taken) {
    const what = `${name}: ${counts.taken} taken by the poller, ${taken} sealed`;
    witness.problem('taken, to the last reading', what);
  }
  // What a record told of that is refused or given up is told again by another one.
  const again = new Set([...facts.poisoned, ...toldOf(witness, facts, 'sealed')]);
  const teller = [...sealed.values()].filter(({ sequence }) => !again.has(sequence));
  const missed = sum(teller, ({ gaps }) =>
    sum(gaps, (gap) => (gap.cause === 'missed' && gap.epoch === epoch ? gap.readings : 0)),
  );
  if (missed !== counts.missed) {
    const what = `${name}: ${counts.missed} missed by the poller, ${missed} told of`;
    witness.problem('due = taken + missed', what);
  }
}

/** Sequences of an epoch that gaps give up: of all records that were sealed, or that are stored. */
function toldOf({ epochs }: Witness, { epoch }: EpochFacts, which: 'sealed' | 'stored'): number[] {
  const told: number[] = [];
  for (const { sealed, stored } of epochs.values()) {
    for (const { sequence, gaps } of sealed.values()) {
      if (which === 'stored' && !stored.has(sequence)) continue;
      for (const { sequences } of gaps.filter((gap) => gap.epoch === epoch)) {
        for (const { first, last } of sequences) {
          for (let it = first; it <= last; it++) told.push(it);
        }
      }
    }
  }
  return told;
}

function checkOrder({ witness }: World, { sealed, gateway, epoch }: EpochFacts): void {
  const newest = new Map<number, number>();
  for (const { readings, isState, isFill } of [...sealed.values()].sort(
    (a, b) => a.sequence - b.sequence,
  )) {
    if (isState || isFill) continue;
    for (const { setting, monoMs } of readings) {
      const { code } = setting.point;
      const before = newest.get(code) ?? -1;
      if (monoMs <= before) {
        const what = `${gateway} ${epoch} point ${code}: ${monoMs} after ${before}`;
        witness.problem('order within an epoch', what);
      }
      newest.set(code, monoMs);
    }
  }
}

/** taken = stored + unchanged + given up, for one epoch. */
async function checkAccount(world: World, facts: EpochFacts, all: readonly StoredGap[]) {
  const { witness, cloud } = world;
  const { gateway, epoch, sealed, committed, stored, counts, end, endMs } = facts;
  const name = `${gateway} ${epoch}`;
  const account = await cloud.store.account([{ gateway, epoch }]);
  const gaps = all.filter((gap) => gap.gateway === gateway && gap.epoch === epoch);
  const inStore = [...stored].flatMap((sequence) => sealed.get(sequence) ?? []);
  if (inStore.length < stored.size) {
    witness.problem('nothing invented', `${name}: records are stored that were never sealed`);
  }
  const problem = (what: string) =>
    witness.problem('taken, to the last reading', `${name}: ${what}`);
  const expected = { stored: 0, unchanged: sum(inStore, ({ unchanged }) => unchanged) };
  expected.stored = sum(inStore, ({ isState, isFill, readings }) =>
    isState || isFill ? 0 : readings.length,
  );
  if (account.stored !== expected.stored || account.unchanged !== expected.unchanged) {
    const found = `${account.stored} stored and ${account.unchanged} unchanged`;
    problem(`${found}, ${expected.stored} and ${expected.unchanged} in the records taken in`);
  }
  const ledger = cloud.parts.inbox.ledgerOf(gateway, epoch);
  const refused = [...(ledger?.refused.keys() ?? [])];
  const sound = refused.filter((it) => !facts.poisoned.has(it));
  if (sound.length > 0) problem(`refused though they were sound: ${few(sound)}`);
  // What was refused or given up is told of, also where the card it was on is gone.
  const known = new Set([...committed, ...refused, ...toldOf(witness, facts, 'stored')]);
  const gone = [...known].filter((sequence) => !stored.has(sequence));
  const open = gone.filter(
    (it) => !ledger?.stored.has(it) && !ledger?.refused.has(it) && !ledger?.lost.has(it),
  );
  if (open.length > 0) problem(`nobody has ${open.length} committed records: ${few(open)}`);
  const lost = gone.filter((it) => ledger?.lost.has(it));
  if (lost.length > 0 && witness.wipes === 0) problem(`lost without a lost store: ${few(lost)}`);
  const losses = gaps.filter(({ cause }) => cause !== 'missed' && cause !== 'crash');
  const readingsOf = ({ readings }: StoredGap) => readings;
  const givenUp = sum(
    losses.filter(({ estimated }) => !estimated),
    readingsOf,
  );
  const expectedGivenUp = sum(
    gone.filter((it) => !lost.includes(it)).flatMap((it) => sealed.get(it) ?? []),
    ({ taken }) => taken,
  );
  // Two cards with one backlog give it up twice: what the second says is an estimate where it is
  // not all the same.
  const isTwice = facts.isCardLost || witness.twins.has(gateway);
  const most = isTwice ? sum(losses, readingsOf) : givenUp;
  if (givenUp > expectedGivenUp || expectedGivenUp > most) {
    problem(`${givenUp} given up by gaps, ${expectedGivenUp} in records that are not stored`);
  }
  if (facts.isCardLost || end === null || endMs === null) return;
  const kept = new Set([...committed, ...stored]);
  const keptTaken = sum(
    [...kept].flatMap((it) => sealed.get(it) ?? []),
    ({ taken }) => taken,
  );
  checkCrash(world, facts, gaps, counts.taken - keptTaken, keptTaken);
}

function checkCrash(
  { witness, edges }: World,
  facts: EpochFacts,
  gaps: readonly StoredGap[],
  lost: number,
  kept: number,
): void {
  const { gateway, epoch, end, endMs, settings, lastCommitMs, box } = facts;
  const problem = (what: string) =>
    witness.problem('taken, to the last reading', `${gateway} ${epoch}: ${what}`);
  const crashes = gaps.filter(({ cause }) => cause === 'crash');
  if (end === 'clean') {
    if (lost !== 0) problem(`${lost} readings vanished at a clean end`);
    if (crashes.length > 0 && !witness.twins.has(gateway)) problem('a crash gap at a clean end');
    return;
  }
  const perMs = sum(settings, ({ point }) => 1 / point.periodMs);
  const atRiskMs = endMs! - lastCommitMs + COVERAGE_MS + 2_000;
  const most = Math.ceil(perMs * atRiskMs) + 2 * settings.length;
  if (lost < 0 || lost > most)
    problem(`${lost} readings lost by a kill, at most ${most} were at risk`);
  const isFollowed = [...witness.epochs.values()].some(
    (it) => it.box === box && it.openedMs > endMs! && it.end === 'clean',
  );
  // Of an epoch of which the card has nothing that was taken, because it was full all the while or
  // from before the first reading on, the next one can tell nothing: what was sent live is in the
  // cloud, and for the rest the card has neither points nor a rate.
  const takenOnCard = sum(
    [...facts.committed].flatMap((it) => facts.sealed.get(it) ?? []),
    ({ taken }) => taken,
  );
  if (!isFollowed || takenOnCard === 0) return;
  if (kept === 0 || !edges.has(box) || witness.wipes > 0) return;
  if (crashes.length === 0) problem(`killed, ${lost} readings lost, and no gap says so`);
  const told = sum(crashes, ({ readings }) => readings);
  if (told > crashes.length * (Math.ceil(perMs * 3_000) + 3 * settings.length)) {
    problem(`a crash gap of ${told} readings is no estimate of one commit interval`);
  }
  if (crashes.some(({ estimated }) => !estimated)) problem('a crash gap is exact');
}

/** Every record in the inbox is in the store, to the reading, and nothing else is. */
async function checkReadings(world: World, store: Store): Promise<void> {
  const { witness } = world;
  const entries = await store.series();
  const seen = new Set<string>();
  const expected = expectedReadings(world);
  for (const { series, gateway, definition } of entries) {
    const key = `${gateway}/${definition.device}/${definition.point}`;
    if (seen.has(key)) witness.problem('own point, own scale', `${key} has two series`);
    seen.add(key);
    const { readings } = await store.history({
      series,
      fromMs: Number.NEGATIVE_INFINITY,
      toMs: Number.POSITIVE_INFINITY,
      bucketMs: null,
      limit: Number.MAX_SAFE_INTEGER,
    });
    if (readings) checkSeries(world, key, readings, expected.get(key) ?? new Map());
  }
  for (const [key, readings] of expected) {
    if (readings.size === 0) continue;
    const [first] = readings;
    const what = `${key} lacks ${readings.size} readings, the first ${first![0]}`;
    witness.problem('taken, to the last reading', what);
  }
}

type Expected = Map<string, { readonly value: number | null; readonly labelMs: number }>;

/** By point, then by epoch and time. */
function expectedReadings({ witness }: World): Map<string, Expected> {
  const expected = new Map<string, Expected>();
  for (const facts of witness.epochs.values()) {
    for (const sequence of facts.stored) {
      const record = facts.sealed.get(sequence);
      if (!record || record.isState) continue;
      for (const { setting, monoMs, raw } of record.readings) {
        const key = pointKey(setting.point);
        const of = expected.get(key) ?? new Map();
        expected.set(key, of);
        const value = raw === null ? null : engineering(raw, setting.scale, 0);
        of.set(`${facts.epoch} ${monoMs}`, { value, labelMs: labelOf(facts, record, monoMs) });
        const atMs = facts.openedMs + monoMs;
        if (raw !== null && !couldShow(setting.point, raw, atMs)) {
          const { code, atMs: tickMs } = told(raw);
          const what = `${key} at ${atMs}: point ${code} of ${tickMs} ms`;
          witness.problem('own point, own scale', what);
        }
      }
    }
  }
  return expected;
}

function checkSeries(
  { witness }: World,
  key: string,
  readings: StoredReadings,
  expected: Expected,
) {
  const { count, epochs, epochAt, monoMs, atMs, values } = readings;
  let doubled = 0;
  for (let at = 0; at < count; at++) {
    const name = `${epochs[epochAt[at]!]} ${monoMs[at]}`;
    const known = expected.get(name);
    if (!known) doubled++;
    else if (!Object.is(known.value ?? Number.NaN, values[at]!)) {
      const what = `${key} ${name} is ${values[at]} and was ${known.value}`;
      witness.problem('own point, own scale', what);
    } else if (!isTrueLabel(atMs[at]!, known.labelMs)) {
      const what = `${key} ${name} is labelled ${atMs[at]}, not ${known.labelMs}`;
      witness.problem('times are true', what);
    }
    expected.delete(name);
  }
  if (doubled > 0) {
    witness.problem('own point, own scale', `${key}: ${doubled} readings twice or never taken`);
  }
}

// ---- alarms ----

interface Sighting {
  readonly point: PlantPoint;
  readonly atMs: number;
}

function occurrenceName(key: string, rule: string, epoch: string, monoMs: number): string {
  const text = JSON.stringify([key, rule, epoch, monoMs]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** Names that occurrences of limit rules may have: by the first reading beyond. */
function sightings({ witness }: World): ReadonlyMap<string, Sighting> {
  const named = new Map<string, Sighting>();
  for (const { sealed, epoch, openedMs } of witness.epochs.values()) {
    for (const { readings } of sealed.values()) {
      for (const { setting, monoMs, raw } of readings) {
        const { point } = setting;
        if (!point.hasRule || raw === null || !told(raw).isBeyond) continue;
        const name = occurrenceName(pointKey(point), 'high', epoch, monoMs);
        named.set(name, { point, atMs: openedMs + monoMs });
      }
    }
  }
  return named;
}

function checkAlarms(world: World): void {
  const { witness, cloud } = world;
  const { parts } = cloud;
  const named = sightings(world);
  const points = pointsOf(world);
  const alarms = parts.alarms.list({ state: 'all', limit: 1_000 });
  const byExcursion = new Map<string, Alarm[]>();
  for (const alarm of alarms) {
    checkTold(world, alarm);
    const point = points.get(alarm.key);
    if (alarm.rule !== 'high' || !point) continue;
    const atMs = named.get(alarm.occurrence)?.atMs ?? labelled(world, alarm, point);
    const at = atMs === null ? -1 : excursionAt(point, atMs);
    if (at < 0) {
      const what = `${alarm.key} ${alarm.occurrence.slice(0, 8)} began ${atMs ?? 'at no time'}`;
      witness.problem('nothing invented', what);
      continue;
    }
    checkBegan(world, alarm, point, atMs!);
    const key = `${alarm.key} ${at}`;
    byExcursion.set(key, [...(byExcursion.get(key) ?? []), alarm]);
  }
  for (const point of points.values()) {
    if (!point.hasRule) continue;
    point.excursions.forEach(({ fromMs, toMs }, at) => {
      if (witness.hadTwin(point.gateway, fromMs, toMs)) return;
      checkExcursion(world, point, at, byExcursion.get(`${pointKey(point)} ${at}`) ?? []);
      checkPaged(world, point, at);
    });
  }
  checkHistory(world, alarms, points);
}

/** Beginnings that are no reading's: where a rule changed, or history was joined. */
export function labelled({ witness }: World, { beganMs }: Alarm, point: PlantPoint): number | null {
  for (const { gateway, offsets, openedMs, endMs } of witness.epochs.values()) {
    if (gateway !== point.gateway) continue;
    for (const offsetMs of offsets) {
      const atMs = openedMs + beganMs - offsetMs;
      if (atMs < openedMs || atMs > (endMs ?? atMs)) continue;
      if (excursionAt(point, atMs) >= 0) return atMs;
    }
  }
  return null;
}

/** Place of the excursion that was on, or had been a moment before an answer came. */
export function excursionAt({ excursions, periodMs }: PlantPoint, atMs: number): number {
  return excursions.findIndex(
    ({ fromMs, toMs }) => atMs >= fromMs && atMs < toMs + 2 * periodMs + 2_000,
  );
}

function checkExcursion(world: World, point: PlantPoint, at: number, alarms: readonly Alarm[]) {
  const { witness } = world;
  const span = point.excursions[at]!;
  const name = `${pointKey(point)} beyond from ${span.fromMs} to ${span.toMs}`;
  const paged = alarms.filter(({ isHistorical }) => !isHistorical);
  // A configuration that left the point out ended the alarm; back in, it is beyond anew.
  const leftOut = [...witness.epochs.values()].filter(
    ({ gateway, settings, openedMs }) =>
      gateway === point.gateway &&
      !settings.some((it) => it.point === point) &&
      openedMs >= span.fromMs &&
      openedMs < span.toMs,
  );
  if (paged.length > 1 + leftOut.length && witness.wipes === 0) {
    const names = paged.map(({ occurrence }) => occurrence.slice(0, 8)).join(' ');
    witness.problem('raised once', `${name}: ${names}`);
  }
  if (alarms.length > 0 || !isReadAllTheWhile(world, point, at)) return;
  // Nobody saw it end before it began again: then it is one alarm.
  if (at === 0 || wasSeenClear(world, point, at)) witness.problem('nothing overlooked', name);
}

/**
 * Whether a good reading showed the point clear for its off-delay between an excursion and the one
 * before, in the terms that the rules were in when it came.
 */
export function wasSeenClear({ witness }: World, point: PlantPoint, at: number): boolean {
  const { toMs } = point.excursions[at - 1]!;
  const { fromMs } = point.excursions[at]!;
  const needMs = point.offDelayMs + 3 * point.periodMs;
  for (const facts of witness.epochs.values()) {
    const { gateway, sealed, stored, openedMs, endMs } = facts;
    if (gateway !== point.gateway) continue;
    // What was given up or lost nobody saw.
    const isWhole = [...sealed.keys()].every((sequence) => stored.has(sequence));
    if (!isWhole) continue;
    const judgedMs = judgedUntilMs(witness, facts, point);
    for (const { readings } of sealed.values()) {
      for (const { setting, monoMs, raw } of readings) {
        if (setting.point !== point || raw === null || told(raw).isBeyond) continue;
        const clearMs = openedMs + monoMs;
        const untilMs = clearMs + needMs;
        if (clearMs < toMs || untilMs > fromMs || untilMs > (endMs ?? untilMs)) continue;
        if (untilMs > judgedMs) continue;
        if (!hasTrouble(sealed, point, openedMs, clearMs, untilMs)) return true;
      }
    }
  }
  return false;
}

/**
 * Up to when an epoch was known, without a hole, when the first record came of a later one in which
 * the point has another scale: no rule speaks in the terms of what came after. Without a later one
 * it is judged whenever it comes.
 */
function judgedUntilMs({ epochs }: Witness, facts: EpochFacts, point: PlantPoint): number {
  const { gateway, openedMs, sealed, cameMs } = facts;
  const scaleIn = ({ settings }: EpochFacts) => settings.find((it) => it.point === point)?.scale;
  let changedMs = Number.POSITIVE_INFINITY;
  for (const it of epochs.values()) {
    const isLater = it.gateway === gateway && it.openedMs > openedMs;
    if (!isLater || it.heardMs === null || scaleIn(it) === scaleIn(facts)) continue;
    changedMs = Math.min(changedMs, it.heardMs);
  }
  if (changedMs === Number.POSITIVE_INFINITY) return changedMs;
  let knownMs = openedMs;
  for (let sequence = 1; (cameMs.get(sequence) ?? changedMs) < changedMs; sequence++) {
    for (const { monoMs } of sealed.get(sequence)?.readings ?? []) {
      knownMs = Math.max(knownMs, openedMs + monoMs);
    }
  }
  return knownMs;
}

/**
 * Whether one epoch read the point at every period of a stretch longer than its delay, and all of
 * its records of that time are in the inbox.
 */
function isReadAllTheWhile({ witness }: World, point: PlantPoint, at: number): boolean {
  const { fromMs, toMs } = point.excursions[at]!;
  const needMs = point.onDelayMs + 3 * point.periodMs + 1_000;
  if (isInOldTerms(witness.epochs.values(), point, fromMs)) return false;
  for (const facts of witness.epochs.values()) {
    const { gateway, openedMs, endMs, sealed, stored, settings } = facts;
    if (gateway !== point.gateway || !settings.some((it) => it.point === point)) continue;
    const startMs = Math.max(fromMs, openedMs);
    const stopMs = Math.min(toMs, (endMs ?? openedMs) - COVERAGE_MS);
    if (stopMs - startMs < needMs) continue;
    const isWhole = [...sealed.keys()].every((sequence) => stored.has(sequence));
    if (isWhole && !hasTrouble(sealed, point, openedMs, startMs, stopMs)) return true;
  }
  return false;
}

/** History from before a change of configuration may be in other units than the rules are. */
export function isInOldTerms(
  epochs: Iterable<EpochFacts>,
  point: PlantPoint,
  fromMs: number,
): boolean {
  const own = [...epochs].filter(({ gateway }) => gateway === point.gateway);
  return own.some(({ openedMs, setting }) => openedMs > fromMs && setting !== own[0]!.setting);
}

/** One epoch read the point at every period from a time to another, as far as it can tell. */
export function wasReadThrough(
  { sealed, openedMs }: EpochFacts,
  point: PlantPoint,
  fromMs: number,
  toMs: number,
): boolean {
  return !hasTrouble(sealed, point, openedMs, fromMs, toMs);
}

/** A bad reading or a missed poll of any point of the gateway in or shortly before the time. */
function hasTrouble(
  sealed: ReadonlyMap<number, WitnessedRecord>,
  point: PlantPoint,
  openedMs: number,
  startMs: number,
  stopMs: number,
): boolean {
  const touches = (fromMs: number, untilMs: number) =>
    untilMs >= startMs - 4 * point.periodMs && fromMs <= stopMs;
  for (const { gaps, failures } of sealed.values()) {
    for (const { device, fromMs, toMs } of failures) {
      if (device === point.device && touches(fromMs, toMs)) return true;
    }
    for (const gap of gaps) {
      if (touches(openedMs + gap.fromMonoMs, openedMs + gap.toMonoMs)) return true;
    }
  }
  return false;
}

/** What is paged holds now: in the newest reading, or until less than the age of live data ago. */
function checkHistory(
  { witness }: World,
  alarms: readonly Alarm[],
  points: ReadonlyMap<string, PlantPoint>,
): void {
  const byName = new Map(alarms.map((alarm) => [alarm.occurrence, alarm]));
  for (const { occurrence, atMs, newest, isFirstHeard } of witness.raised) {
    // How old the first is that a cloud hears after it lost its store, nobody can tell it.
    if (isFirstHeard) continue;
    const alarm = byName.get(occurrence);
    const point = alarm && points.get(alarm.key);
    if (!alarm || !point || alarm.rule !== 'high' || !newest || newest.isBeyond) continue;
    // What the other machine left behind is joined when nothing of it has come for a minute.
    if (witness.hadTwin(point.gateway, atMs - STRETCH_IDLE_MS)) continue;
    // The excursion that was on last, as far as the newest reading can tell.
    const ended = point.excursions.filter(({ toMs }) => toMs <= newest.atMs);
    const endMs = ended.at(-1)?.toMs ?? 0;
    const lateMs = atMs - endMs;
    if (lateMs > LIVE_MS + point.offDelayMs + ON_THE_WAY_MS) {
      const what = `${alarm.key} paged ${lateMs} ms after it was over`;
      witness.problem('history pages nobody', what);
    }
  }
}

export const SILENCE_MS = NO_DATA_MS;

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function few(sequences: readonly number[]): string {
  return sequences.slice(0, 8).join(' ');
}
