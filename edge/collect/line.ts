// One link and the session on it: opened, watched, opened again. The only owner of reconnection.
//
// - A link that ends, cannot be opened, or carries no answer is opened again after a back-off that
//   doubles to LINK_BACKOFF.maxMs and starts over only when a device has answered: a peer that
//   accepts and hangs up costs no more than one that refuses. A fault that says `now` has waited
//   already, for a unit that dials in: it does not double the wait.
// - Up is logged at the first answer, down once for each cause: when the code changes it is said
//   again, as somebody who looks for a taken port should not read it of a silent bus. That a link
//   can be opened again is said after it could not be. What repeats moves a counter; as every try
//   waits for the back-off, there are at most two lines for each.
import { backoffMs } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import { assert, Fault, isFault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import { foreign } from '../../core/log.ts';
import type { Labels, Metrics } from '../../core/metrics.ts';
import type { QualityCode } from '../../core/quality.ts';
import { qualityCode } from '../../core/quality.ts';
import type { Random } from '../../core/random.ts';
import type { FaultCode } from '../../core/text/text.ts';
import type { Link, OwnSession, Protocol, Session } from '../../protocols/driver.ts';
import { Turns } from './turns.ts';

/** A gateway in a manhole waits for a device that restarts, not the other way round. */
export const LINK_BACKOFF = { firstMs: 500, maxMs: 30_000, jitter: 0.5 } as const;

const NO_CONNECTION = qualityCode('bad', 'no_connection');
const TIMEOUT = qualityCode('bad', 'timeout');

export type LineState = 'opening' | 'open' | 'waiting' | 'closed';

export interface LineOptions {
  readonly id: string;
  readonly protocol: Protocol;
  /** Of the link, as the protocol read it. */
  readonly line: unknown;
  /** What devices behind it take to answer, until they were heard. */
  readonly answerMs?: number;
  /**
   * Rejects with a fault when the link cannot be opened now. Absent where the protocol connects.
   */
  open?(signal: AbortSignal): Promise<Link>;
  /** Where to, for a protocol that connects by itself. */
  readonly place?: unknown;
  /** A new session stands. */
  onOpen(session: Session<unknown, unknown>): void;
}

/** What an attempt brought: a link to be spoken over, or a session that has its own. */
interface Opened {
  close(): void;
  /** Called once; `onClosed` is told when it has ended, whoever ended it. */
  begin(onClosed: (why: Fault | null) => void): Session<unknown, unknown>;
}

export class Line {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #options: LineOptions;
  readonly #reopened;
  readonly #metrics: Metrics;
  /** Of the sessions that ended, by kind. */
  readonly #dropped = new Map<string, number>();
  readonly #stopping = new AbortController();
  /** Whose turn it is. */
  readonly turns: Turns;
  #session: Session<unknown, unknown> | null = null;
  /** Of a protocol that connects by itself: the last one, which the next may go on from. */
  #own: OwnSession<unknown, unknown> | undefined;
  #state: LineState = 'waiting';
  #attempt = 0;
  #logged: 'up' | 'down' | null = null;
  #fault: Fault | null = null;
  /** What was logged last as the cause; null since it was open. */
  #cause: FaultCode | null = null;
  #isBarred = false;
  #task: Promise<void> = Promise.resolve();
  /** Resolves when the first attempt to open has succeeded or failed. */
  readonly tried: Promise<void>;
  readonly #haveTried: () => void;

  constructor(clock: Clock, random: Random, log: Log, metrics: Metrics, options: LineOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#metrics = metrics;
    this.#options = options;
    this.turns = new Turns(clock);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.tried = promise;
    this.#haveTried = resolve;
    const labels = { link: options.id };
    this.#reopened = metrics.counter('edge_link_opens_total', 'Times the link was opened', labels);
    observeTime(metrics, labels, this.turns);
    metrics.observe('edge_link_up', 'Whether devices answer over the link', labels, () =>
      this.#logged === 'up' ? 1 : 0,
    );
  }

  get state(): LineState {
    return this.#state;
  }

  /** Why the link is not up, null while it is. */
  get fault(): Fault | null {
    return this.#fault;
  }

  /** Null while there is no connection. */
  get session(): Session<unknown, unknown> | null {
    return this.#session;
  }

  /** What came over the link and was dropped since the start, by kind, over all sessions. */
  get anomalies(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#dropped.keys()].map((kind) => [kind, this.#of(kind)]));
  }

  /** What a reading is that could not be asked for because there is no session. */
  get quality(): QualityCode {
    return this.#fault?.code === 'link_silent' ? TIMEOUT : NO_CONNECTION;
  }

  start(): void {
    this.#task = this.#run(this.#stopping.signal);
  }

  /**
   * A device answered over the link: it is up, and the next failure starts with the shortest wait.
   */
  answered(): void {
    if (!this.#session) return;
    this.#attempt = 0;
    this.#fault = null;
    this.#cause = null;
    if (this.#logged === 'up') return;
    this.#logged = 'up';
    this.#log.info('link_up', { link: this.#options.id });
  }

  /**
   * No device behind the link answers any more: perhaps the link is dead without having said so.
   */
  silent(): void {
    if (!this.#session) return;
    this.#down(new Fault('link_silent', 'later', `${this.#options.id}: no device answers`));
    this.#session.close();
  }

  /** Settles everything under way. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#session?.close();
    await this.#task;
    this.#state = 'closed';
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#state = 'opening';
      const opened = await this.#open(signal);
      this.#haveTried();
      if (opened && !signal.aborted) await this.#serve(opened);
      else opened?.close();
      this.#state = 'waiting';
      if (this.#fault?.retry !== 'now') this.#attempt++;
      await this.#clock.sleep(backoffMs(this.#random, this.#attempt, LINK_BACKOFF), signal);
    }
  }

  async #open(signal: AbortSignal): Promise<Opened | null> {
    try {
      return await this.#connect(signal);
    } catch (error) {
      if (!isFault(error)) throw error;
      if (signal.aborted) return null;
      this.#isBarred = true;
      this.#down(error);
      return null;
    }
  }

  async #connect(signal: AbortSignal): Promise<Opened> {
    const { protocol, place, open, answerMs, line } = this.#options;
    if (protocol.connect) {
      const own = await protocol.connect(this.#clock, this.#random, place, signal, this.#own);
      this.#own = own;
      const begin: Opened['begin'] = (onClosed) => {
        own.onClose = onClosed;
        return own;
      };
      return { close: () => own.close(), begin };
    }
    assert(open, 'a protocol that does not connect is given a link');
    const link = await open(signal);
    const begin: Opened['begin'] = (onClosed) =>
      protocol.open(this.#clock, watch(link, answerMs, onClosed), line);
    return { close: () => link.close(), begin };
  }

  /** Resolves when the link has ended, whoever ended it. */
  #serve(opened: Opened): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const onClosed = (why: Fault | null) => {
      for (const kind of this.#dropped.keys()) this.#dropped.set(kind, this.#of(kind));
      this.#session = null;
      this.turns.clear();
      // Ended from our side although nobody stops it: the session no longer trusts what comes in.
      const isExplained = this.#fault !== null || this.#stopping.signal.aborted;
      if (why) this.#down(why);
      else if (!isExplained) this.#down(this.#distrusted());
      resolve();
    };
    this.#state = 'open';
    this.#reopened.add();
    if (this.#isBarred) {
      this.#isBarred = false;
      this.#cause = null;
      this.#log.info('link_open', { link: this.#options.id });
    }
    this.#session = opened.begin(onClosed);
    this.#observe(this.#session);
    this.#options.onOpen(this.#session);
    return promise;
  }

  #of(kind: string): number {
    return (this.#dropped.get(kind) ?? 0) + (this.#session?.counts?.[kind] ?? 0);
  }

  #observe({ counts = {} }: Session<unknown, unknown>): void {
    const help = 'What came over the link and was dropped';
    for (const kind of Object.keys(counts)) {
      if (this.#dropped.has(kind)) continue;
      this.#dropped.set(kind, 0);
      const labels = { link: this.#options.id, kind };
      this.#metrics.observeTotal('edge_link_anomalies_total', help, labels, () => this.#of(kind));
    }
  }

  #distrusted(): Fault {
    return new Fault('link_distrusted', 'later', `${this.#options.id}: closed by its session`);
  }

  #down(why: Fault): void {
    this.#fault = why;
    this.#logged = 'down';
    if (this.#cause === why.code) return;
    this.#cause = why.code;
    this.#log.warn('link_down', {
      link: this.#options.id,
      code: why.code,
      why: foreign(why.message),
    });
  }
}

/** The link as its session sees it: the session is told of the end first, then `onClosed`. */
function watch(
  link: Link,
  answerMs: number | undefined,
  onClosed: (why: Fault | null) => void,
): Link {
  const watched: Link = {
    ...(link.pace ? { pace: link.pace } : {}),
    ...(answerMs === undefined ? {} : { answerMs }),
    send: (bytes) => link.send(bytes),
    close: () => link.close(),
    onBytes: () => {},
    onClose: () => {},
  };
  link.onBytes = (bytes) => watched.onBytes(bytes);
  link.onClose = (why) => {
    watched.onClose(why);
    onClosed(why);
  };
  return watched;
}

function observeTime(metrics: Metrics, labels: Labels, turns: Turns): void {
  const { time } = turns;
  const gauges: readonly (readonly [string, string, () => number])[] = [
    ['load_ratio', 'Share of the last minute it was taken', () => time.share()],
    ['probes_ratio', 'Of that, for what was not answered', () => time.share('sick')],
    ['planned_ratio', 'Share of its time all polls take when well', () => turns.planned],
    ['taken_milliseconds', 'Time it was taken since the start', () => time.totalMs()],
    ['probes_milliseconds', 'Of that, for what was not answered', () => time.totalMs('sick')],
    ['devices_degraded', 'Devices without answer, only probed', () => turns.degraded],
    ['devices_over_budget', 'Devices beyond their line time', () => turns.overBudget],
  ];
  for (const [name, help, read] of gauges) {
    metrics.observe(`edge_line_${name}`, help, labels, read);
  }
}
