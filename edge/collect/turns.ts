// Whose turn it is on a line. A bus carries one request after the other, so a device that does not
// answer, or answers slowly, takes the time of all the others. What this file promises:
//
// - Polls of devices that are up are handed to the session at their due time, with an urgency:
//   life-safety first, then who must begin earliest. The session owns the order of requests; this
//   file owns what may compete for the line at all.
// - Everything for the sick (probes of devices that do not answer, polls of devices that must prove
//   themselves or are over their budget) goes one at a time, when no poll of a device that is up is
//   under way, and with its time-out cut to what the line can spare: no poll of a device that is up
//   begins more than TOLERANCE of its period late because of it. `roomMs` is that sum.
// - Probes, and other polls of the sick that fail, take at most SICK_SHARE of the line's time, by a
//   bucket that all the sick of a line share and that is empty when the first one falls sick.
// - A line without a device that is up has nobody to protect: the sick then only wait for each
//   other.
// - Nobody waits for ever: where there was no room at all for FORCED_AFTER_MS, a request goes all
//   the same, still within the share. That is for lines loaded beyond what the check lets pass
//   without a warning.
//
// It does not promise that a single request is short: one regular request that takes longer than
// TOLERANCE of another's period delays it, sick devices or not. The check of the gateway file says
// so beforehand.
import type { Clock } from '../../core/clock.ts';
import type { Answers, Urgency } from '../../protocols/driver.ts';
import type { Health } from './health.ts';
import { LineTime } from './line-time.ts';

/** Share of its period by which a poll of a device that is up may begin late. */
export const TOLERANCE = 0.1;
/** Of that, what the sum below gives away; the rest is for what it cannot foresee. */
const TOLERANCE_GIVEN = 0.07;
/** Share of a line's time for those that do not answer. */
export const SICK_SHARE = 0.05;
/**
 * Two probes of a device with the usual time-out of 1 s, or what the greatest request that waits
 * would like; what is not used beyond it is lost.
 */
export const SICK_SAVED_MS_MAX = 2000;
/** A device may take this many times its planned line time before it counts as over its budget. */
export const BUDGET_FACTOR = 2;
/** Half a minute of 5 % is 1.5 s, more than any probe needs. */
export const FORCED_AFTER_MS = 30_000;
/** How long a request for the sick waits for more room than there is, at most. */
const LOOK_MS_MAX = 10_000;
/** A room this close to the widest one seen is taken. */
const NEARLY = 0.8;
/** How far ahead the sum looks, in shortest periods of the line: a delay is worked off by then. */
const HORIZON = 2;
/** A request takes its frames and its time-out, together at least twice what it takes when well. */
const NEED = 2;
/** What answers at all mostly does within this: twice the usual time-out. */
const LATE_MS = 2000;
/** So that the clock has moved when somebody looks again. */
const LOOK_MS_MIN = 1;
/** The last of those who are up, and what goes for the sick. */
const RANK_LAST = 2;
const RANK_SICK = 3;

/** A group of points, as those see it who share its line. */
export interface Claim {
  readonly periodMs: number;
  /** As of an urgency. */
  readonly rank: number;
  readonly nextMonoMs: number;
  /** What its poll takes of the line when all is well, and one request of it. */
  readonly costMs: number;
  readonly requestMs: number;
}

/** A device behind the line. */
export interface Member {
  readonly health: Health;
  readonly claims: readonly Claim[];
  /** Its last poll took so much longer than planned that others may feel it. */
  readonly exceeds: boolean;
}

/**
 * The longest a line may be taken from `nowMonoMs` on so that no claim begins later than
 * `tolerance` of its period after it is due: its more urgent neighbours go before it, and one
 * request of a less urgent one that is due by then may be under way. Infinity without claims; may
 * be negative.
 */
export function roomMs(nowMonoMs: number, claims: readonly Claim[], tolerance: number): number {
  const shortestMs = Math.min(...claims.map(({ periodMs }) => periodMs));
  const horizonMonoMs = nowMonoMs + HORIZON * shortestMs;
  const coming: Coming[] = [];
  for (const { periodMs, rank, nextMonoMs, costMs, requestMs } of claims) {
    for (let due = nextMonoMs; due < horizonMonoMs; due += periodMs) {
      const latestMonoMs = due + tolerance * periodMs;
      const byMonoMs = rank === 0 ? due : latestMonoMs;
      coming.push({ dueMonoMs: due, byMonoMs, latestMonoMs, costMs, requestMs });
    }
  }
  coming.sort((a, b) => a.byMonoMs - b.byMonoMs);
  let room = Number.POSITIVE_INFINITY;
  let beforeMs = 0;
  for (const [at, { latestMonoMs, costMs }] of coming.entries()) {
    let blockMs = 0;
    for (let later = at + 1; later < coming.length; later++) {
      const { dueMonoMs, requestMs } = coming[later]!;
      if (dueMonoMs < latestMonoMs && requestMs > blockMs) blockMs = requestMs;
    }
    room = Math.min(room, latestMonoMs - nowMonoMs - beforeMs - blockMs);
    beforeMs += costMs;
  }
  return room;
}

interface Coming {
  readonly dueMonoMs: number;
  /** What it is ordered by. */
  readonly byMonoMs: number;
  readonly latestMonoMs: number;
  readonly costMs: number;
  readonly requestMs: number;
}

/** What a request for a sick device asks of the line. */
export interface Wish {
  readonly kind: 'probe' | 'poll';
  /** What one request of it takes when all is well. */
  readonly requestMs: number;
  /** The time-out it would like to have; its frames come on top. */
  readonly timeoutMs: number;
  readonly notBeforeMonoMs: number;
}

interface Waiting {
  readonly wish: Wish;
  readonly sinceMonoMs: number;
  /** The widest room seen since, and when; what is not seen again is forgotten. */
  bestMs: number;
  bestMonoMs: number;
  /** When there was room last for the least it needs. */
  roomyMonoMs: number;
  start(urgency: Urgency | null): void;
}

/** Of the last poll of a group. */
interface Place {
  rank: number;
  dueMonoMs: number;
  /** Its request was sent when the late answer of another might meet it. */
  mayMeet: boolean;
}

type Poll = (urgency: Urgency) => Promise<Answers>;

export class Turns {
  readonly #clock: Clock;
  readonly time: LineTime;
  readonly #members: Member[] = [];
  #waiting: Waiting[] = [];
  readonly #places = new Map<Claim, Place>();
  #regular = 0;
  #isSparing = false;
  /** Until when the answer to a request that was given up early may still come. */
  #lateUntilMonoMs = Number.NEGATIVE_INFINITY;
  /** When the request for the sick that is under way is given up, less its frames. */
  #givenUpMonoMs = Number.POSITIVE_INFINITY;
  #savedMs = 0;
  #savedMonoMs = 0;
  #hasSick = false;
  #cancelTimer = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
    this.time = new LineTime(clock);
  }

  join(member: Member): void {
    this.#members.push(member);
  }

  get isShared(): boolean {
    return this.#members.length > 1;
  }

  get degraded(): number {
    return this.#count(({ kind }) => kind === 'degraded' || kind === 'probing');
  }

  get overBudget(): number {
    return this.#count((health) => health.kind === 'behind' && health.why === 'over');
  }

  /** Share of the line's time that the plans of all devices take when all is well. */
  get planned(): number {
    let share = 0;
    for (const { claims } of this.#members) share += shareOf(claims);
    return share;
  }

  /**
   * How much longer than planned a poll of this device may take before others feel it: the polls of
   * all that exceed their plans may come one behind the other.
   */
  graceMs(member: Member): number {
    let shortestMs = Number.POSITIVE_INFINITY;
    let exceeding = member.claims.length;
    for (const other of this.#members) {
      if (other === member) continue;
      for (const { periodMs } of other.claims) shortestMs = Math.min(shortestMs, periodMs);
      if (other.exceeds) exceeding += other.claims.length;
    }
    return (TOLERANCE * shortestMs) / exceeding;
  }

  /**
   * A poll of a device that is up. One that failed last time may cost a time-out: it goes when
   * nobody who is due waits.
   */
  async regular(claim: Claim, dueMonoMs: number, isSuspect: boolean, poll: Poll): Promise<Answers> {
    this.#regular++;
    const { rank, periodMs } = claim;
    const place = isSuspect
      ? { rank: RANK_LAST, dueMonoMs: dueMonoMs + periodMs, mayMeet: false }
      : { rank, dueMonoMs: dueMonoMs + TOLERANCE * periodMs, mayMeet: false };
    this.#places.set(claim, place);
    try {
      const answers = await poll(this.#shortened(place, claim));
      this.time.add(answers.lineMs, 'regular');
      return answers;
    } finally {
      this.#regular--;
      this.#look();
    }
  }

  /**
   * A poll of a device that is up waits for another of its own, which is as urgent from now on:
   * else the more urgent one would wait for all that go before the other. Nothing goes for the sick
   * till then.
   */
  async held(
    { rank, periodMs }: Claim,
    dueMonoMs: number,
    ahead: Claim,
    until: Promise<unknown>,
  ): Promise<void> {
    this.#regular++;
    const place = this.#places.get(ahead);
    if (place) {
      const byMonoMs = dueMonoMs + TOLERANCE * periodMs;
      if (rank < place.rank) Object.assign(place, { rank, dueMonoMs: byMonoMs });
      else if (rank === place.rank) place.dueMonoMs = Math.min(place.dueMonoMs, byMonoMs);
    }
    await until;
    this.#regular--; // Whoever waited asks now, and looks when that is over.
  }

  /** Whether the late answer of another may have met the last poll of a device that is up. */
  mayHaveMet(claim: Claim): boolean {
    return this.#places.get(claim)?.mayMeet ?? false;
  }

  /**
   * A late answer to what was given up early may meet one of these on the wire: then none comes,
   * and the whole time-out would be for nothing.
   */
  #shortened(place: Place, claim: Claim): Urgency {
    const mayMeet = () => this.#mayMeet();
    return {
      get rank() {
        return place.rank;
      },
      get dueMonoMs() {
        return place.dueMonoMs;
      },
      get timeoutMs() {
        place.mayMeet = mayMeet();
        return place.mayMeet ? NEED * claim.requestMs : Number.POSITIVE_INFINITY;
      },
    };
  }

  /**
   * Whether the late answer of another may meet what is sent now. After a time-out the session
   * sends the next request before anybody is told of it.
   */
  #mayMeet(): boolean {
    const now = this.#clock.monoMs();
    if (this.#isSparing && now >= this.#givenUpMonoMs) this.#lateUntilMonoMs = now + LATE_MS;
    return now < this.#lateUntilMonoMs;
  }

  /**
   * A probe or poll of a device that is not up, when the line can spare it; null when the line went
   * down or `signal` ended it first.
   */
  async spare(wish: Wish, poll: Poll, signal: AbortSignal): Promise<Answers | null> {
    const urgency = await this.#turn(wish, signal);
    if (!urgency) return null;
    try {
      const answers = await poll(urgency);
      const isLost = wish.kind === 'probe' || answers.failures === answers.requests;
      this.time.add(answers.lineMs, isLost ? 'sick' : 'regular');
      if (answers.failures === answers.requests) {
        this.#lateUntilMonoMs = this.#clock.monoMs() + LATE_MS;
      }
      if (isLost) {
        this.#save();
        this.#savedMs -= answers.lineMs;
      }
      return answers;
    } finally {
      this.#isSparing = false;
      this.#look();
    }
  }

  /** The health of a member changed. */
  changed(): void {
    const hasSick = this.#count(({ kind }) => kind !== 'up') > 0;
    if (hasSick && !this.#hasSick) {
      this.#savedMs = 0;
      this.#savedMonoMs = this.#clock.monoMs();
    }
    this.#hasSick = hasSick;
    this.#look();
  }

  /** The session is gone: nobody waits for a turn on it. */
  clear(): void {
    for (const { start } of this.#waiting.splice(0)) start(null);
    this.#cancelTimer();
  }

  #count(is: (health: Health) => boolean): number {
    return this.#members.filter(({ health }) => is(health)).length;
  }

  #turn(wish: Wish, signal: AbortSignal): Promise<Urgency | null> {
    if (signal.aborted) return Promise.resolve(null);
    const { promise, resolve } = Promise.withResolvers<Urgency | null>();
    const start = (urgency: Urgency | null) => {
      signal.removeEventListener('abort', abort);
      resolve(urgency);
    };
    const sinceMonoMs = this.#clock.monoMs();
    const seen = { bestMs: 0, bestMonoMs: sinceMonoMs, roomyMonoMs: sinceMonoMs };
    const waiting: Waiting = { wish, sinceMonoMs, ...seen, start };
    const abort = () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
      start(null);
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#waiting.push(waiting);
    this.#look();
    return promise;
  }

  /** Lets the longest waiting go that may; else looks again when that could be otherwise. */
  #look(): void {
    this.#cancelTimer();
    if (this.#waiting.length === 0 || this.#isSparing) return;
    const now = this.#clock.monoMs();
    this.#save();
    const upClaims = this.#upClaims();
    const roomNowMs = this.#regular > 0 ? 0 : roomMs(now, upClaims, TOLERANCE_GIVEN);
    const savedMs = upClaims.length > 0 ? this.#savedMs : Number.POSITIVE_INFINITY;
    const cycleMs = Math.min(LOOK_MS_MAX, ...upClaims.map(({ periodMs }) => periodMs));
    for (const waiting of this.#waiting) noteRoom(waiting, now, roomNowMs);
    let againMonoMs = Number.POSITIVE_INFINITY;
    for (const waiting of this.#waiting) {
      const { sinceMonoMs, wish } = waiting;
      const { notBeforeMonoMs, timeoutMs, requestMs } = wish;
      const fromMonoMs = Math.max(sinceMonoMs, notBeforeMonoMs);
      if (now < fromMonoMs) {
        againMonoMs = Math.min(againMonoMs, fromMonoMs);
        continue;
      }
      const needMs = NEED * requestMs;
      const wantMs = Math.max(needMs, requestMs + timeoutMs);
      const hasLooked = now >= fromMonoMs + cycleMs;
      const enoughMs = hasLooked
        ? Math.max(needMs, Math.min(wantMs, NEARLY * waiting.bestMs))
        : wantMs;
      // Where there was no room in all this time, be it for somebody ahead of it.
      const forcedMonoMs = Math.max(fromMonoMs, waiting.roomyMonoMs) + FORCED_AFTER_MS;
      const isForced = now >= forcedMonoMs;
      if (savedMs >= enoughMs && (roomNowMs >= enoughMs || isForced)) {
        this.#go(waiting, isForced);
        return;
      }
      for (const monoMs of [fromMonoMs + cycleMs, forcedMonoMs]) {
        if (monoMs > now) againMonoMs = Math.min(againMonoMs, monoMs);
      }
      if (savedMs >= enoughMs) continue;
      againMonoMs = Math.min(againMonoMs, now + (enoughMs - savedMs) / SICK_SHARE);
      break; // What is being saved for it nobody behind it may take.
    }
    if (againMonoMs === Number.POSITIVE_INFINITY) return;
    const inMs = Math.max(LOOK_MS_MIN, againMonoMs - now);
    this.#cancelTimer = this.#clock.after(inMs, () => this.#look());
  }

  #go(waiting: Waiting, isForced: boolean): void {
    this.#waiting = this.#waiting.filter((other) => other !== waiting);
    this.#isSparing = true;
    this.#givenUpMonoMs = Number.POSITIVE_INFINITY;
    const now = this.#clock.monoMs();
    if (this.#upClaims().length === 0) {
      waiting.start({ rank: RANK_SICK, dueMonoMs: now });
      return;
    }
    const { timeoutMs, requestMs } = waiting.wish;
    const spareMs = () => {
      this.#save();
      const sentMonoMs = this.#clock.monoMs();
      const room = roomMs(sentMonoMs, this.#upClaims(), TOLERANCE_GIVEN);
      const spare = Math.max(NEED * requestMs, Math.min(room, this.#savedMs));
      const waitMs = Math.min(timeoutMs, spare - requestMs);
      this.#givenUpMonoMs = sentMonoMs + waitMs - requestMs;
      return waitMs;
    };
    waiting.start({
      // Forced: behind what waits already, but ahead of what is due from now on.
      rank: isForced ? RANK_LAST : RANK_SICK,
      dueMonoMs: now,
      get timeoutMs() {
        return spareMs();
      },
    });
  }

  #upClaims(): readonly Claim[] {
    return this.#members.flatMap(({ health, claims }) => (health.kind === 'up' ? claims : []));
  }

  #save(): void {
    const now = this.#clock.monoMs();
    const earnedMs = (now - this.#savedMonoMs) * SICK_SHARE;
    const wants = this.#waiting.map(({ wish }) => NEED * wish.requestMs + wish.timeoutMs);
    const mostMs = Math.max(SICK_SAVED_MS_MAX, ...wants);
    this.#savedMs = Math.min(mostMs, this.#savedMs + earnedMs);
    this.#savedMonoMs = now;
  }
}

/** Room that another took, or that could not be paid for, was there all the same. */
function noteRoom(waiting: Waiting, nowMonoMs: number, roomNowMs: number): void {
  if (roomNowMs >= NEED * waiting.wish.requestMs) waiting.roomyMonoMs = nowMonoMs;
  if (roomNowMs < waiting.bestMs && nowMonoMs < waiting.bestMonoMs + FORCED_AFTER_MS) return;
  waiting.bestMs = roomNowMs;
  waiting.bestMonoMs = nowMonoMs;
}

/** Share of a line's time that the polls of these groups take when all is well. */
export function shareOf(claims: readonly Claim[]): number {
  return claims.reduce((sum, { costMs, periodMs }) => sum + costMs / periodMs, 0);
}
