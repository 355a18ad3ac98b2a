// One device as its line sees it: whether, when and how its groups are asked.
//
// It costs those on its line no more than it is trusted with (health.ts). A device that is up is
// asked when a group is due. One that has just failed, or taken far too long, is asked by one group
// at a time and once in its shortest period, so that a cycle of the line grows by one time-out at
// most; the other groups wait. One that is behind, or that does not answer, gets what the line can
// spare (turns.ts).
//
// Its budget is BUDGET_FACTOR times what its plans take by the arithmetic of the check. A poll
// beyond it is a strike only if it takes so long that a neighbour feels it: on a line with time to
// spare, slow is not sick. Behind its budget a device is asked so much more seldom that it takes
// its budget and no more.
import { backoffMs } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { QualityCode } from '../../core/quality.ts';
import { qualityCode } from '../../core/quality.ts';
import type { Random } from '../../core/random.ts';
import { pointClasses } from '../../core/reading.ts';
import type { Answers, DeviceHandle, Plan, Session, Urgency } from '../../protocols/driver.ts';
import type { Attendance } from './attendance.ts';
import type { CollectedDevice, Group } from './device.ts';
import type { Health } from './health.ts';
import { healthStep, healthy } from './health.ts';
import type { Line } from './line.ts';
import { unanswered } from './normalise.ts';
import type { Claim, Member, Wish } from './turns.ts';
import { BUDGET_FACTOR } from './turns.ts';

/**
 * A probe is one request. With a time-out of 1 s and 45 s between probes on average, a device that
 * stays away costs its line 2 %; what several may cost together is bounded in turns.ts.
 */
export const PROBE_BACKOFF = { firstMs: 2000, maxMs: 60_000, jitter: 0.5 } as const;

/**
 * The time-out of a first probe, in times of what its request takes when all is well: a device that
 * is back mostly answers as it did. Doubled with each probe, up to what its failures took, for one
 * that is back but slower.
 */
export const PROBE_TIMES = 4;
/** What a failure is taken to cost until one was seen: the usual time-out. */
const FAILURE_MS_FIRST = 1000;
/** A device that was slow gets twice the time of its last answer. */
const SLOW_TIMES = 2;
/** A plan without time of its own still has a share of the line. */
const PLANNED_MS_MIN = 1;

interface Asked extends Claim {
  readonly group: Group;
  nextMonoMs: number;
  costMs: number;
  requestMs: number;
  plan: Plan | null;
  probe: Plan | null;
  /** Line time of plan and probe before anything was learnt: what the check counted with. */
  plannedMs: number;
  plannedProbeMs: number;
  /** Of one request, when last answered within the budget. */
  usualMs: number;
}

export interface AskerOptions {
  readonly device: CollectedDevice;
  readonly line: Line;
  readonly attendance: Attendance;
  /** The device stopped answering, or still does not. */
  onSilent(): void;
  /** Ends polls under way. */
  readonly signal: AbortSignal;
}

export class Asker implements Member {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #options: AskerOptions;
  readonly claims: readonly Asked[];
  exceeds = false;
  #health: Health = healthy;
  #session: Session<unknown, unknown> | null = null;
  #handle: DeviceHandle<unknown> | null = null;
  #logged: 'up' | 'down' | null = null;
  #isOver = false;
  /** What the points of a device are that is not asked because it does not answer. */
  #quality: QualityCode = qualityCode('bad', 'timeout');
  /** What a failure took of the line, and the last answer a request; 0 until there was one. */
  #failedMs = 0;
  #heardMs = 0;
  /** While it is over its budget. */
  #notBeforeMonoMs = Number.NEGATIVE_INFINITY;
  /** Its last poll failed, or took so long that others felt it. */
  #isSuspect = false;
  /** While it is suspect. */
  #retryMonoMs = Number.NEGATIVE_INFINITY;
  #retrying: Promise<unknown> | null = null;
  /** A poll of a single request that is under way. */
  #single: { readonly claim: Asked; readonly asking: Promise<unknown> } | null = null;
  #probing: Promise<void> | null = null;
  /** Ends the polls of the other groups when one has failed, and what waits when trust changes. */
  #round = new AbortController();

  constructor(clock: Clock, random: Random, log: Log, metrics: Metrics, options: AskerOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#options = options;
    const { device, line, signal } = options;
    this.claims = device.groups.map((group) => ({
      group,
      periodMs: group.periodMs,
      rank: rankOf(group),
      nextMonoMs: Number.POSITIVE_INFINITY,
      costMs: 0,
      requestMs: 0,
      plan: null,
      probe: null,
      plannedMs: 0,
      plannedProbeMs: 0,
      usualMs: 0,
    }));
    line.turns.join(this);
    signal.addEventListener('abort', () => this.#round.abort(), { once: true });
    const labels = { device: device.id };
    metrics.observe('edge_device_up', 'Whether the device answers', labels, () =>
      this.#logged === 'up' ? 1 : 0,
    );
    const help = 'Whether the device takes more line time than it has';
    metrics.observe('edge_device_over_budget', help, labels, () => (this.#isOver ? 1 : 0));
  }

  get health(): Health {
    return this.#health;
  }

  /** Null before the first answer or failure. */
  get isUp(): boolean | null {
    return this.#logged === null ? null : this.#logged === 'up';
  }

  get isOverBudget(): boolean {
    return this.#isOver;
  }

  /** The device while it can be told anything; null without a session, or when it is silent. */
  get reached(): DeviceHandle<unknown> | null {
    const { kind } = this.#health;
    const { session } = this.#options.line;
    if (!session || session !== this.#session) return null;
    return kind === 'degraded' || kind === 'probing' ? null : this.#handle;
  }

  /** Resolves when no probe is under way. */
  async settled(): Promise<void> {
    await this.#probing;
  }

  /** A new session stands: plans are made for it, and a device given up is asked once more. */
  opened(session: Session<unknown, unknown>): void {
    const { attendance, device } = this.#options;
    const handle = attendance.attend(session.device(device.options));
    this.#session = session;
    this.#handle = handle;
    for (const claim of this.claims) {
      const { addresses } = claim.group;
      claim.plan = handle.plan(addresses, claim.plan ?? undefined);
      claim.probe = handle.plan(addresses.slice(0, 1), claim.probe ?? undefined);
      claim.plannedMs ||= Math.max(PLANNED_MS_MIN, claim.plan.lineMs);
      claim.plannedProbeMs ||= Math.max(PLANNED_MS_MIN, claim.probe.lineMs);
      this.#cost(claim, claim.plan, 0);
    }
    this.#step(healthStep(this.#health, { kind: 'reopened', monoMs: this.#clock.monoMs() }));
  }

  /** What a poll of the group brings, asked now or as soon as the device may be asked. */
  async ask(at: number, dueMonoMs: number): Promise<Answers> {
    const claim = this.claims[at]!;
    const { signal, line } = this.#options;
    for (;;) {
      const now = this.#clock.monoMs();
      if (!line.session || line.session !== this.#session || signal.aborted) {
        return unanswered(claim.group.points.length, line.quality, now);
      }
      const before = this.#health;
      this.#step(healthStep(before, { kind: 'due', monoMs: now }));
      const answers = await this.#asTrusted(claim, dueMonoMs, before);
      if (answers) return answers;
    }
  }

  /** Null: it is trusted otherwise by now, or was asked by another group meanwhile. */
  #asTrusted(claim: Asked, dueMonoMs: number, before: Health): Promise<Answers | null> {
    switch (this.#health.kind) {
      case 'up':
        return this.#isSuspect ? this.#retry(claim, dueMonoMs) : this.#regular(claim, dueMonoMs);
      case 'behind':
        return this.#behind(claim);
      case 'probing':
        if (before.kind === 'degraded') {
          this.#probing = this.#probe(claim).finally(() => {
            this.#probing = null;
          });
          return this.#probed(claim, this.#probing);
        }
        break;
      default:
    }
    return Promise.resolve(this.#unasked(claim));
  }

  #unasked({ group }: Asked): Answers {
    return unanswered(group.points.length, this.#quality, this.#clock.monoMs());
  }

  // --- Up ---

  /**
   * A poll of one request is waited for by the other groups: should it time out, theirs would
   * follow it onto the line before anybody knew. One of many requests lets others in between.
   */
  async #regular(claim: Asked, dueMonoMs: number): Promise<Answers | null> {
    const { turns } = this.#options.line;
    if (turns.isShared && this.#single) {
      await turns.held(claim, dueMonoMs, this.#single.claim, this.#single.asking);
      return null;
    }
    const asking = this.#whole(claim, dueMonoMs);
    if (claim.plan!.requests > 1) return await asking;
    const single = { claim, asking };
    this.#single = single;
    try {
      return await asking;
    } finally {
      if (this.#single === single) this.#single = null;
    }
  }

  async #whole(claim: Asked, dueMonoMs: number): Promise<Answers | null> {
    const session = this.#session!;
    const round = this.#round;
    const { turns } = this.#options.line;
    const answers = await turns.regular(claim, dueMonoMs, this.#isSuspect, (urgency) =>
      this.#poll(claim.plan!, urgency, round.signal),
    );
    // Another group has failed meanwhile: this one was not asked to its end.
    const isCutShort = round.signal.aborted && answers.failures > 0;
    if (isCutShort && !this.#options.signal.aborted) return null;
    this.#judge(claim, answers, session);
    return answers;
  }

  /** A device that has just failed: one group at a time, once in its shortest period. */
  async #retry(claim: Asked, dueMonoMs: number): Promise<Answers | null> {
    const waitMs = this.#retryMonoMs - this.#clock.monoMs();
    if (this.#retrying) {
      await this.#retrying;
      return null;
    }
    if (waitMs > 0) {
      await this.#clock.sleep(waitMs, this.#round.signal);
      return null;
    }
    const asking = this.#regular(claim, dueMonoMs);
    this.#retrying = asking;
    try {
      return await asking;
    } finally {
      this.#retrying = null;
    }
  }

  // --- Behind ---

  async #behind(claim: Asked): Promise<Answers | null> {
    const session = this.#session!;
    const requestMs = this.#usualMs(claim);
    const slowMs = Math.max(PROBE_TIMES * requestMs, SLOW_TIMES * this.#heardMs);
    const answers = await this.#spare('poll', requestMs, this.#atMost(slowMs), claim.plan!);
    if (answers) this.#judge(claim, answers, session);
    return answers;
  }

  // --- Not answering ---

  /** The whole group when the probe is answered soon; else what it was, and the probe goes on. */
  async #probed(claim: Asked, probing: Promise<void>): Promise<Answers | null> {
    const waiting = new AbortController();
    const patience = this.#clock.sleep(claim.periodMs / 2, waiting.signal);
    await Promise.race([probing, patience]);
    waiting.abort();
    return this.#health.kind === 'behind' ? null : this.#unasked(claim);
  }

  async #probe(claim: Asked): Promise<void> {
    if (this.#health.kind !== 'probing') return;
    const session = this.#session!;
    const learntMs = this.#usualMs(claim) - claim.plannedMs / Math.max(1, claim.plan!.requests);
    const requestMs = claim.plannedProbeMs + Math.max(0, learntMs);
    const wantMs = PROBE_TIMES * requestMs * 2 ** (this.#health.attempt - 1);
    const answers = await this.#spare('probe', requestMs, this.#atMost(wantMs), claim.probe!);
    if (answers) this.#judge(null, answers, session);
  }

  async #spare(
    kind: Wish['kind'],
    requestMs: number,
    timeoutMs: number,
    plan: Plan,
  ): Promise<Answers | null> {
    const notBefore = () => this.#notBeforeMonoMs;
    const wish: Wish = {
      ...{ kind, requestMs, timeoutMs },
      get notBeforeMonoMs() {
        return notBefore();
      },
    };
    const ask = (urgency: Urgency) => this.#poll(plan, urgency, this.#options.signal);
    return await this.#options.line.turns.spare(wish, ask, this.#round.signal);
  }

  #atMost(wantMs: number): number {
    return Math.min(wantMs, this.#failedMs || FAILURE_MS_FIRST);
  }

  /** Of one request of the group, when all is well. */
  #usualMs({ plan, plannedMs, usualMs }: Asked): number {
    return Math.max(usualMs, plannedMs / Math.max(1, plan!.requests));
  }

  #poll(plan: Plan, urgency: Urgency, signal: AbortSignal): Promise<Answers> {
    return this.#handle!.poll(plan, signal, urgency);
  }

  // --- What came of it ---

  /** Learns from what came back; `claim` is null for a probe. */
  #judge(claim: Asked | null, answers: Answers, session: Session<unknown, unknown>): void {
    const { line, signal } = this.#options;
    const { requests, failures, lineMs } = answers;
    // Nothing was asked, because the device had refused all of it before: no news.
    if (requests === 0 && !answers.fault) return;
    const monoMs = this.#clock.monoMs();
    const isOver = claim !== null && this.#exceeds(claim, lineMs);
    this.#isSuspect = isOver || requests === failures;
    const shortestMs = Math.min(...this.claims.map(({ periodMs }) => periodMs));
    this.#retryMonoMs = monoMs - lineMs + shortestMs;
    if (requests > failures) {
      this.#heardMs = lineMs / requests;
      if (claim) this.#learn(claim, answers, isOver);
      this.#step(healthStep(this.#health, { kind: 'answered', monoMs, isOver }));
      line.answered();
      if (claim) this.#transition('up', answers);
      return;
    }
    // When the link went down or collecting ends, the silence says nothing about the device.
    if (line.session !== session || signal.aborted) return;
    // Nor does it where the late answer of another may have met this one: the next poll tells.
    if (this.#health.kind === 'up' && claim && line.turns.mayHaveMet(claim)) return;
    this.#failedMs = Math.max(this.#failedMs, lineMs);
    const delayMs = (attempt: number) => backoffMs(this.#random, attempt, PROBE_BACKOFF);
    this.#step(healthStep(this.#health, { kind: 'failed', monoMs, isOver, delayMs }));
    // The neighbours have waited for one time-out; the other groups wait, too.
    if (line.turns.isShared) this.#newRound();
    this.#quality = answers.qualities[0] ?? this.#quality;
    if (this.#health.kind === 'up' || this.#health.kind === 'behind') return;
    this.#transition('down', answers);
    this.#options.onSilent();
  }

  #exceeds({ plannedMs }: Asked, lineMs: number): boolean {
    this.exceeds = lineMs > BUDGET_FACTOR * plannedMs;
    return this.exceeds && lineMs - plannedMs > this.#options.line.turns.graceMs(this);
  }

  #learn(claim: Asked, { lineMs, requests }: Answers, isOver: boolean): void {
    // What it took, where that is more than its plan says.
    this.#cost(claim, claim.plan!, lineMs);
    if (!isOver) claim.usualMs = lineMs / requests;
    const share = this.claims.reduce((sum, each) => sum + each.plannedMs / each.periodMs, 0);
    const apartMs = lineMs / (BUDGET_FACTOR * share);
    if (isOver) this.#notBeforeMonoMs = this.#clock.monoMs() - lineMs + apartMs;
  }

  #cost(claim: Asked, { lineMs, requests }: Plan, tookMs: number): void {
    claim.costMs = Math.max(lineMs, tookMs);
    claim.requestMs = claim.costMs / Math.max(1, requests);
  }

  #step(next: Health): void {
    const before = this.#health;
    this.#health = next;
    if (next.kind === before.kind) {
      if (next.kind === 'behind') this.#over(next.why === 'over');
      return;
    }
    if (next.kind === 'behind') this.#over(next.why === 'over');
    else if (next.kind === 'up') this.#over(false);
    if (next.kind !== 'behind') this.#notBeforeMonoMs = Number.NEGATIVE_INFINITY;
    this.#newRound();
    this.#options.line.turns.changed();
  }

  #newRound(): void {
    const old = this.#round;
    this.#round = new AbortController();
    if (this.#options.signal.aborted) this.#round.abort();
    old.abort();
  }

  #over(isOver: boolean): void {
    if (this.#isOver === isOver) return;
    this.#isOver = isOver;
    const { id, link } = this.#options.device;
    const fields = { device: id, link };
    const answerMs = Math.round(this.#heardMs);
    if (isOver) this.#log.warn('device_over_budget', { ...fields, answerMs });
    else this.#log.info('device_within_budget', fields);
  }

  #transition(to: 'up' | 'down', { fault }: Answers): void {
    if (this.#logged === to) return;
    this.#logged = to;
    const { id, link } = this.#options.device;
    const fields = { device: id, link };
    if (to === 'up') this.#log.info('device_up', fields);
    else this.#log.warn('device_down', { ...fields, code: fault?.code });
  }
}

/** 0 where a life-safety point is among them, 1 compliance, 2 trend. */
function rankOf({ points }: Group): number {
  return Math.min(...points.map(({ definition }) => pointClasses.indexOf(definition.class)));
}
