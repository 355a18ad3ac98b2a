// What the cloud notices of the path, and by when: each part has a time within which it must have
// shown that it lives. Pure: told what was heard, asked once a second what that means. Monotonic
// time measures; wall time is only told.
//
// - A gateway says at least each COVERED_EVERY_MS up to when its points are covered; one that polls
//   more slowly says it with each poll. Nothing within that and SLACK_MS, and it is silent: a
//   process that is stopped, or a connection that is half open, sends nothing and closes nothing.
//   The broker's word that it is gone counts at once.
// - What the cloud itself cannot hear is nobody's fault there: with no broker, after a start, and
//   after a pause of this process, gateways have their full time again.
// - Threads are asked each second; one that does not answer for ANSWER_MS is broken, and so is a
//   consumer that has rows before it and does not move for as long.
//
// At worst a gateway that stops right after a record is shown broken after COVERED_EVERY_MS +
// SLACK_MS and two ticks of a second: within 20 s.
import type { Clock } from '../../core/clock.ts';
import { assert } from '../../core/fault.ts';
import { COVERED_EVERY_MS } from '../alarms/order.ts';
import type { IngestStats } from '../ingest/ingest.ts';
import type { GatewayPresence } from '../ingest/presence.ts';
import type { Component, Finding } from './component.ts';
import { broken, OK, unknown } from './component.ts';

/** A report on its way: batching, a slow radio link, one loss and its repetition. */
export const SLACK_MS = 7_000;
export const ANSWER_MS = 15_000;
/** Ticks come each second; a longer step is a pause of the cloud itself. */
const TICK_STEP_MAX_MS = 5_000;
export const SHOWN_WITHIN_MS = 20_000;
const TICK_MS = 1_000;
assert(
  COVERED_EVERY_MS + SLACK_MS + 2 * TICK_MS <= SHOWN_WITHIN_MS,
  'what is silent is shown in time',
);
assert(ANSWER_MS + 2 * TICK_MS <= SHOWN_WITHIN_MS, 'what does not answer is shown in time');

export interface SensesOptions {
  /** The epoch of the newest record; null before the first one ever. */
  readonly epochOf: (gateway: string) => string | null;
  /** How often the point that is asked most often is; null where nothing is known. */
  readonly periodMsOf: (gateway: string) => number | null;
  readonly report: (component: Component, finding: Finding, atMs: number) => void;
}

interface Gateway {
  /** By wall and monotonic time; 0 and -Infinity before anything was heard in this run. */
  heardMs: number;
  heardMonoMs: number;
  presence: GatewayPresence | null;
  /** Of the fault that goes on: by it is told whether the gateway was restarted. */
  epoch: string | null;
  finding: Finding;
}

interface Consumer {
  row: number;
  movedMonoMs: number;
}

export class Senses {
  readonly #clock: Clock;
  readonly #options: SensesOptions;
  readonly #gateways = new Map<string, Gateway>();
  readonly #answered = new Map<'ingest' | 'broker', number>();
  readonly #consumers = new Map<'store' | 'alarms', Consumer>();
  #newestRow = 0;
  #storeState = 'ok';
  #alarmsState = 'ok';
  #stats: Pick<IngestStats, 'away' | 'connected' | 'state'> | null = null;
  #brokers = 0;
  #lookedMonoMs: number | null = null;
  /** Everybody has their time from here: the start, a pause, a broker that came back. */
  #freshMonoMs: number;

  constructor(clock: Clock, options: SensesOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#freshMonoMs = clock.monoMs();
  }

  /** Gateways there are; others are heard no more. Returns those that left. */
  setGateways(ids: readonly string[]): string[] {
    const left = [...this.#gateways.keys()].filter((id) => !ids.includes(id));
    for (const id of left) this.#gateways.delete(id);
    for (const id of ids) this.#gateway(id);
    return left;
  }

  presence(presence: GatewayPresence): void {
    const gateway = this.#gateways.get(presence.gateway);
    if (!gateway) return;
    const wasOnline = gateway.presence?.online ?? false;
    gateway.presence = presence;
    const isNew = presence.lastHeardMs !== gateway.heardMs && presence.lastHeardMs > 0;
    // A last will is heard, too, and it is no sign of life.
    if (presence.online && (isNew || !wasOnline)) gateway.heardMonoMs = this.#clock.monoMs();
    gateway.heardMs = presence.lastHeardMs;
  }

  /** The thread of ingest answered. */
  ingest(stats: Pick<IngestStats, 'away' | 'connected' | 'state'>, brokers: number): void {
    const wasConnected = this.#stats?.connected ?? false;
    this.#answered.set('ingest', this.#clock.monoMs());
    this.#brokers = brokers;
    if (stats.connected && !wasConnected) this.#freshMonoMs = this.#clock.monoMs();
    this.#stats = stats;
  }

  /** The thread of the embedded broker answered. */
  broker(): void {
    this.#answered.set('broker', this.#clock.monoMs());
  }

  committed(row: number): void {
    if (row <= this.#newestRow) return;
    // Who had nothing to do until now has not stood still.
    for (const consumer of this.#consumers.values()) {
      if (consumer.row >= this.#newestRow) consumer.movedMonoMs = this.#clock.monoMs();
    }
    this.#newestRow = row;
  }

  /** Where a consumer is, and what it says of itself: `ok` or a code. */
  consumer(name: 'store' | 'alarms', row: number, state: string): void {
    const known = this.#consumers.get(name);
    if (!known || row > known.row) {
      this.#consumers.set(name, { row, movedMonoMs: this.#clock.monoMs() });
    }
    if (name === 'store') this.#storeState = state;
    else this.#alarmsState = state;
  }

  /** Once a second: reports what is so now. */
  look(hasBroker: boolean): void {
    const nowMonoMs = this.#clock.monoMs();
    const stepMs = nowMonoMs - (this.#lookedMonoMs ?? nowMonoMs);
    this.#lookedMonoMs = nowMonoMs;
    // What came meanwhile is taken first: this process, not they, stood still.
    if (stepMs > TICK_STEP_MAX_MS) {
      this.#freshMonoMs = nowMonoMs;
      return;
    }
    this.#lookAtIntake(nowMonoMs, hasBroker);
    this.#report({ kind: 'store', id: '' }, this.#consumerNow('store', this.#storeState));
    this.#report({ kind: 'alarms', id: '' }, this.#consumerNow('alarms', this.#alarmsState));
    for (const [id, gateway] of this.#gateways) this.#lookAtGateway(id, gateway, nowMonoMs);
  }

  #lookAtIntake(nowMonoMs: number, hasBroker: boolean): void {
    const stats = this.#stats;
    const isLate = (what: 'ingest' | 'broker') =>
      nowMonoMs - Math.max(this.#answered.get(what) ?? 0, this.#freshMonoMs) > ANSWER_MS;
    const isDeaf = isLate('ingest');
    const ingest: Component = { kind: 'ingest', id: '' };
    if (isDeaf) this.#report(ingest, broken('no-answer'));
    else if (!stats) this.#report(ingest, unknown('starting'));
    else if (stats.connected) this.#report(ingest, OK);
    else if (nowMonoMs - this.#freshMonoMs > ANSWER_MS || this.#lastHeard > 0) {
      this.#report(ingest, broken('no-broker'));
    }
    const full = { full: 'inbox-full', disk_full: 'disk-full', working: null } as const;
    const why = stats ? full[stats.state] : null;
    if (stats) this.#report({ kind: 'inbox', id: '' }, why ? broken(why) : OK);
    for (let at = 0; at < this.#brokers; at++) {
      const component: Component = { kind: 'broker', id: `${at + 1}` };
      const isHung = at === 0 && hasBroker && isLate('broker');
      if (isHung) this.#report(component, broken('no-answer'));
      else if (stats && !isDeaf) {
        this.#report(component, stats.away.includes(at) ? broken('disconnected') : OK);
      }
    }
  }

  get #lastHeard(): number {
    return Math.max(0, ...[...this.#gateways.values()].map(({ heardMs }) => heardMs));
  }

  #consumerNow(name: 'store' | 'alarms', state: string): Finding {
    if (state !== 'ok') {
      return state === 'disk_full' ? broken('disk-full') : broken('failed', state);
    }
    const consumer = this.#consumers.get(name);
    if (!consumer || consumer.row >= this.#newestRow) return OK;
    const sinceMs = this.#clock.monoMs() - Math.max(consumer.movedMonoMs, this.#freshMonoMs);
    return sinceMs > ANSWER_MS ? broken('behind') : OK;
  }

  #lookAtGateway(id: string, gateway: Gateway, nowMonoMs: number): void {
    const component: Component = { kind: 'gateway', id };
    const epoch = this.#options.epochOf(id);
    const finding = this.#gatewayNow(id, gateway, epoch, nowMonoMs);
    gateway.finding = finding;
    // A gateway that came back under another epoch was restarted: what was due meanwhile is lost.
    const lost = finding.state === 'ok' && gateway.epoch !== null && gateway.epoch !== epoch;
    if (finding.state === 'ok') gateway.epoch = epoch;
    this.#report(component, lost ? { ...finding, lost } : finding);
    const { paths = [] } = gateway.presence ?? {};
    if (paths.length < 2) return;
    paths.forEach(({ state }, at) => {
      const link: Component = { kind: 'link', id: `${id}/${at + 1}` };
      if (state === 'up') this.#report(link, OK);
      else this.#report(link, state === 'down' ? broken('disconnected') : unknown('no-broker'));
    });
  }

  #gatewayNow(
    id: string,
    { heardMonoMs, presence, finding }: Gateway,
    epoch: string | null,
    nowMonoMs: number,
  ): Finding {
    const isHeard = heardMonoMs > Number.NEGATIVE_INFINITY;
    if (epoch === null && !isHeard) return unknown('never-heard');
    if (this.#stats && !this.#stats.connected) return unknown('no-broker');
    const withinMs = Math.max(COVERED_EVERY_MS, this.#options.periodMsOf(id) ?? 0) + SLACK_MS;
    const isFresh = nowMonoMs - this.#freshMonoMs <= withinMs;
    if (presence?.online === false && presence.lastHeardMs > 0) return broken('disconnected');
    if (nowMonoMs - heardMonoMs <= withinMs) return OK;
    if (isFresh) return finding.state === 'unknown' ? unknown('starting') : finding;
    return presence?.online ? broken('silent') : broken('disconnected');
  }

  #gateway(id: string): Gateway {
    const known = this.#gateways.get(id);
    if (known) return known;
    const unheard: Gateway = {
      ...{ heardMs: 0, heardMonoMs: Number.NEGATIVE_INFINITY, presence: null, epoch: null },
      finding: unknown('starting'),
    };
    this.#gateways.set(id, unheard);
    return unheard;
  }

  #report(component: Component, finding: Finding): void {
    this.#options.report(component, finding, this.#clock.wallMs());
  }
}
