// Where a record stands among those of its gateway: whether it is of the present epoch (epochs.ts),
// whether all records before it are in, and so whether its coverage may be believed. Pure but for
// the gateway's own state, which is JSON.
//
// "Covered and not reported" means unchanged only when no record that could hold the report is
// missing. So the coverage of a record waits until every sequence before it has come, the state
// record that opens a connection counting for all before itself; a sample never waits. What waits
// is bounded by count and time: at either limit the missing records are taken for lost, and the
// kernel sees the hole.
//
// A record that is missing before the newest sample of a series cannot say anything that came after
// that sample: for a series whose delay runs, coverage is believed from its newest sample on as
// soon as all records from there are in (`believable`).
import type { Condition } from '../../core/alarm/state.ts';
import { NORMAL } from '../../core/alarm/state.ts';
import type { Range } from '../../core/ranges.ts';
import { RangeSet } from '../../core/ranges.ts';
import { NOTHING_DECIDED } from '../../protocols/uplink/decided.ts';
import type { Epoch, Hash } from '../../protocols/uplink/record.ts';
import type { EpochLine } from '../epochs.ts';
import { hear, newLine } from '../epochs.ts';
import type { DecodedCoverage, DecodedRecord } from '../inbox/decoded.ts';

/** A minute of live records at one a second. */
export const AHEAD_RECORDS_MAX = 64;
/** An edge resends after 5 s, and again after 10 s more. */
export const AHEAD_WAIT_MS = 30_000;
/** An edge says of each group at least this often up to when it is covered. */
export const COVERED_EVERY_MS = 10_000;
/**
 * Each group is covered at least every 10 s; a longer silence is the gateway's, not the point's.
 */
export const HEAD_JUMP_MS = 15_000;
/**
 * Epochs whose sequences are counted, a gateway: as many as stretches of history a series may have.
 */
export const CAME_EPOCHS_MAX = 4;
/**
 * At one more, the lowest hole is taken for lost: 24 characters a range in the gateway's document.
 */
export const CAME_RANGES_MAX = 64;

/** Which sequences of an epoch have come, in whatever order. */
export interface Came {
  readonly epoch: Epoch;
  ranges: readonly Range[];
}

export interface Ahead {
  readonly sequence: number;
  readonly receivedMs: number;
  readonly coverage: readonly DecodedCoverage[];
  /** Series with a running delay that it brought a sample of. */
  readonly sampled: number[];
}

export interface RulesBelow {
  /** Of the document that is wanted; 0 before there was one. */
  readonly revision: number;
  readonly wanted: Hash;
  readonly reported: Hash;
  /** Since when the two differ, by the cloud's clock; null while they agree. */
  readonly differMs: number | null;
  readonly condition: Condition;
}

export interface Gateway extends EpochLine {
  readonly gateway: string;
  area: string;
  /** Every sequence up to here is in, or lies before a state record. */
  contiguous: number;
  ahead: Ahead[];
  /** Of the newest epochs heard of, the oldest first. */
  came: Came[];
  /**
   * Newest time of a live record; since when it has moved on without a jump; when no-data was
   * looked at.
   */
  headMonoMs: number;
  headSinceMonoMs: number;
  passedMonoMs: number;
  /** wall - mono of the newest live record. */
  offsetMs: number;
  /** The dictionary the rules in force were read from. */
  manifest: { readonly epoch: Epoch; readonly sequence: number; readonly hash: Hash } | null;
  /** Receive time of the newest record. */
  recordMs: number;
  /** The diagnostic alarm of the gateway itself. */
  silent: Condition;
  /** By which rules it is to go, and by which it goes (desired.ts). */
  rules: RulesBelow;
  /** One of its two paths to the cloud is down (path-watch.ts). */
  pathDown: Condition;
}

export function newGateway(gateway: string, area: string): Gateway {
  return {
    ...newLine(),
    gateway,
    area,
    contiguous: 0,
    ahead: [],
    came: [],
    headMonoMs: -1,
    headSinceMonoMs: -1,
    passedMonoMs: -1,
    offsetMs: 0,
    manifest: null,
    recordMs: 0,
    silent: NORMAL,
    rules: {
      ...{ revision: 0, wanted: NOTHING_DECIDED, reported: NOTHING_DECIDED, differMs: null },
      condition: NORMAL,
    },
    pathDown: NORMAL,
  };
}

/** Coverage and the record that brought it. */
export interface Covered {
  readonly sequence: number;
  readonly coverage: DecodedCoverage;
}

export interface Arrival {
  /** Of the present epoch. */
  readonly isPresent: boolean;
  /** The present epoch began with this record. */
  readonly isNewEpoch: boolean;
  /** It shows what is now: not from a backlog. */
  readonly isLive: boolean;
  /** The newest sequence before this one that is still missing; null when none is. */
  readonly missing: number | null;
  /** Every record of its epoch up to this sequence has come. */
  readonly whole: number;
  /** Coverage that may be believed now, this record's or that of ones that waited, oldest first. */
  readonly coverage: readonly Covered[];
}

/** Takes note of a record and says how to read it. */
export function arrive(gateway: Gateway, record: DecodedRecord): Arrival {
  const { epoch, sequence, lane, receivedMs } = record.row;
  gateway.recordMs = Math.max(gateway.recordMs, receivedMs);
  gateway.area = record.row.area;
  const isLive = lane !== 'backfill' && !record.isFill;
  const isNewEpoch = hear(gateway, record.row);
  const whole = note(gateway, epoch, sequence);
  if (isNewEpoch) begin(gateway, sequence);
  if (gateway.epoch !== epoch) {
    const notNow = { isPresent: false, isLive: false, missing: null };
    return { ...notNow, isNewEpoch, whole, coverage: coveredBy(sequence, record.coverage) };
  }
  if (isLive) moveHead(gateway, record);
  const missing = sequence > gateway.contiguous + 1 ? missingBefore(gateway, sequence) : null;
  // What waited before it is believed now: what is missing is late, and late samples are history's.
  if (record.isState && isLive) gateway.contiguous = Math.max(gateway.contiguous, sequence);
  const arrival = { isPresent: true, isNewEpoch, isLive, missing, whole };
  if (sequence <= gateway.contiguous) {
    const own = coveredBy(sequence, record.coverage);
    return { ...arrival, coverage: [...own, ...ready(gateway)] };
  }
  gateway.ahead.push({ sequence, receivedMs, coverage: record.coverage, sampled: [] });
  gateway.ahead.sort((a, b) => a.sequence - b.sequence);
  const oldestMs = Math.min(...gateway.ahead.map((waiting) => waiting.receivedMs));
  if (gateway.ahead.length > AHEAD_RECORDS_MAX || receivedMs - oldestMs > AHEAD_WAIT_MS) {
    gateway.contiguous = gateway.ahead[0]!.sequence - 1;
  }
  return { ...arrival, coverage: ready(gateway) };
}

/** A record behind a hole brought a sample of a series whose delay runs. */
export function sampledAhead({ ahead }: Gateway, sequence: number, series: number): void {
  ahead.find((waiting) => waiting.sequence === sequence)?.sampled.push(series);
}

/** Coverage of a series that waits, and may be believed for it before record `sequence`. */
export function believable(
  { ahead }: Gateway,
  sequence: number,
  series: number,
): readonly DecodedCoverage[] {
  const end = ahead.findIndex((waiting) => waiting.sequence === sequence);
  const from = ahead.slice(0, end).findLastIndex(({ sampled }) => sampled.includes(series));
  if (from < 0 || ahead[from]!.sequence + (end - from) !== sequence) return [];
  return ahead
    .slice(from, end)
    .flatMap(({ coverage }) => coverage.filter((it) => it.series.includes(series)));
}

/** Whether every record of an epoch from `first` to `last` has come. */
export function cameWhole(
  gateway: Gateway | undefined,
  epoch: Epoch,
  first: number,
  last: number,
): boolean {
  const ranges = gateway?.came.find((it) => it.epoch === epoch)?.ranges ?? [];
  return ranges.some((range) => range.first <= first && last <= range.last);
}

function note(gateway: Gateway, epoch: Epoch, sequence: number): number {
  let came = gateway.came.find((it) => it.epoch === epoch);
  if (!came) {
    came = { epoch, ranges: [] };
    gateway.came = [...gateway.came, came].slice(-CAME_EPOCHS_MAX);
  }
  const set = RangeSet.of(came.ranges);
  set.add(sequence);
  const ranges = set.toArray();
  const [first, second] = ranges;
  if (first && second && ranges.length > CAME_RANGES_MAX) {
    ranges.splice(0, 2, { first: first.first, last: second.last });
  }
  came.ranges = ranges;
  return ranges[0]?.first === 1 ? ranges[0].last : 0;
}

// Every sequence from the one behind it to this one has come.
function missingBefore({ came, epoch, contiguous }: Gateway, sequence: number): number {
  const ranges = came.find((it) => it.epoch === epoch)?.ranges ?? [];
  const range = ranges.find(({ first, last }) => first <= sequence && sequence <= last);
  return Math.max(contiguous, (range?.first ?? sequence) - 1);
}

function begin(gateway: Gateway, sequence: number): void {
  gateway.contiguous = sequence - 1;
  gateway.ahead = [];
  gateway.headMonoMs = -1;
  gateway.headSinceMonoMs = -1;
  gateway.passedMonoMs = -1;
}

function moveHead(gateway: Gateway, record: DecodedRecord): void {
  let headMonoMs = -1;
  for (const { toMonoMs } of record.coverage) headMonoMs = Math.max(headMonoMs, toMonoMs);
  if (headMonoMs <= gateway.headMonoMs) return;
  if (gateway.headMonoMs < 0 || headMonoMs - gateway.headMonoMs > HEAD_JUMP_MS) {
    gateway.headSinceMonoMs = headMonoMs;
  }
  gateway.headMonoMs = headMonoMs;
  gateway.offsetMs = record.clock.wallOffsetMs;
}

function coveredBy(sequence: number, all: readonly DecodedCoverage[]): Covered[] {
  return all.map((coverage) => ({ sequence, coverage }));
}

function ready(gateway: Gateway): readonly Covered[] {
  const first = gateway.ahead[0];
  if (!first || first.sequence > gateway.contiguous + 1) return [];
  const coverage: Covered[] = [];
  let taken = 0;
  for (const waiting of gateway.ahead) {
    if (waiting.sequence > gateway.contiguous + 1) break;
    gateway.contiguous = Math.max(gateway.contiguous, waiting.sequence);
    coverage.push(...coveredBy(waiting.sequence, waiting.coverage));
    taken++;
  }
  gateway.ahead.splice(0, taken);
  return coverage;
}
