// The cloud's ears and its second hand: what the threads tell (presence, refusals, failures), how
// they are once a second, and what is due by the clock.
import type { Clock } from '../core/clock.ts';
import { isFault } from '../core/fault.ts';
import type { Log } from '../core/log.ts';
import { foreign } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Random } from '../core/random.ts';
import { encodeConfigurationState } from '../protocols/uplink/control.ts';
import { kinds, topicOf } from '../protocols/uplink/topics.ts';
import type { AlarmConsumer, DesiredOf } from './alarms/consumer.ts';
import type { EventStream } from './api/stream.ts';
import type { Broker, ServerStats } from './broker/broker.ts';
import type { Dispatch } from './commands/dispatch.ts';
import type { CloudConfig } from './config.ts';
import type { Drills } from './drills/drills.ts';
import type { Follower, FollowState } from './follow.ts';
import { isFull } from './inbox/file.ts';
import type { GatewayPresence, Ingest, IngestStats } from './ingest/ingest.ts';
import type { Downward } from './notify/downward.ts';
import type { Registry } from './registry/registry.ts';
import type { StoreThread } from './store/thread.ts';
import type { Storms } from './storms.ts';
import type { SupervisedPath } from './supervised.ts';

const TICK_MS = 1_000;

// What is lost on the way is told again with the next connection to the broker.
export function publishDesired(ingest: Ingest, list: readonly DesiredOf[]): void {
  const { qos, retain } = kinds.desired;
  for (const { area, gateway, state } of list) {
    const topic = topicOf(area, gateway, 'desired');
    void ingest.publish(topic, encodeConfigurationState(state), { qos, retain });
  }
}

/** The singletons everything is given. */
export interface Ground {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly config: CloudConfig;
}

// The newest entry of the journal, beside it and in the log. A disk without room is asked again a
// minute later: nothing hangs on it but how much can be cut off unseen.
export function noteHead({ clock, log }: Ground, registry: Registry, when: 'now' | 'due'): void {
  const { journal, heads } = registry;
  const head = journal.head();
  if (head === null) return;
  try {
    const [nowMs, monoMs] = [clock.wallMs(), clock.monoMs()];
    const isNoted = when === 'now' ? heads.note(head, nowMs) : heads.tick(head, nowMs, monoMs);
    if (isNoted) log.info('journal_head', { ...head });
  } catch (error) {
    if (!isDisk(error)) throw error;
    log.warn('journal_head_failed', { why: foreign(String(error)) });
  }
}

const isDisk = (error: unknown) =>
  error instanceof Error && (error as NodeJS.ErrnoException).syscall !== undefined;

/** A thread that has ended answers no more; that it has is told by itself. */
const noAnswer = () => {};

export interface Watched {
  readonly registry: Registry;
  readonly broker: Broker | null;
  readonly ingest: Ingest;
  readonly store: StoreThread;
  readonly alarms: AlarmConsumer;
  readonly follower: Follower;
  readonly stream: EventStream;
  readonly storms: Storms;
  readonly dispatch: Dispatch;
  readonly downward: Downward;
  readonly drills: Drills;
  readonly path: SupervisedPath;
}

/**
 * Hears what the threads tell: presence, refusals, failures; and asks them how they are once a
 * second.
 */
export class Watch {
  readonly #ground: Ground;
  readonly #parts: Watched;
  readonly #presence = new Map<string, GatewayPresence>();
  readonly #state: Record<string, string> = { ingest: 'ok', alarms: 'ok', store: 'ok' };
  #isAsking = false;

  constructor(ground: Ground, parts: Watched) {
    this.#ground = ground;
    this.#parts = parts;
    this.#listen();
    this.gateways();
  }

  presence(gateway: string) {
    const seen = this.#presence.get(gateway);
    if (!seen) return undefined;
    const { online, lastHeardMs: heardMs, clock, paths } = seen;
    return { online, heardMs, clock, paths };
  }

  health(): Readonly<Record<string, string>> {
    return this.#state;
  }

  /** The list of gateways changed: broker and ingest must know. */
  gateways(): void {
    const { registry, broker, ingest, follower, path } = this.#parts;
    const list = registry.gateways();
    path.gateways(list.map(({ id }) => id));
    broker?.setCredentials(registry.credentials());
    ingest.setGateways(new Map(list.map(({ id, area }) => [id, area])));
    const nowMs = this.#ground.clock.wallMs();
    for (const { id } of list) {
      if (!this.#presence.has(id)) follower.presence(id, false, nowMs);
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ground;
    const { registry, follower, storms, downward } = this.#parts;
    while (!signal.aborted) {
      if (registry.changedElsewhere()) this.gateways();
      this.#drill();
      this.#look();
      follower.tick(clock.wallMs());
      storms.tell();
      downward.turn();
      noteHead(this.#ground, registry, 'due');
      this.#alarms(follower.state);
      // Not waited for: a thread that is slow to answer must not hold up what is due by the clock.
      if (!this.#isAsking) void this.#ask();
      await clock.sleep(TICK_MS, signal);
    }
  }

  #alarms(state: FollowState): void {
    if (this.#state['alarms'] !== state) this.#ground.log.warn('alarms_state', { state });
    this.#state['alarms'] = state;
  }

  async #ask(): Promise<void> {
    const { ingest, broker } = this.#parts;
    this.#isAsking = true;
    await Promise.all([
      ingest.stats().then((stats) => this.#note(stats), noAnswer),
      broker?.stats().then((stats) => this.#noteBroker(stats), noAnswer),
    ]);
    this.#isAsking = false;
  }

  #look(): void {
    const { path, alarms, follower, registry } = this.#parts;
    path.senses.consumer('alarms', alarms.cursor, follower.state);
    path.senses.consumer('store', registry.storeRow, this.#state['store'] ?? 'ok');
    path.look();
  }

  #noteBroker({ connected, refused }: ServerStats): void {
    const { metrics } = this.#ground;
    this.#parts.path.senses.broker();
    metrics.gauge('broker_clients', 'Clients connected to the broker').set(connected);
    const help = 'Logins, messages and subscriptions the broker refused';
    for (const [reason, count] of Object.entries(refused)) {
      const counter = metrics.counter('broker_refused_total', help, { reason });
      counter.add(count - counter.value);
    }
  }

  #note(stats: IngestStats): void {
    const { metrics, config } = this.#ground;
    this.#parts.path.ingest(stats, 1 + config.otherBrokers.length);
    const { connected, away, state } = stats;
    const working = away.length > 0 ? `no broker ${away.map((at) => at + 1).join(', ')}` : 'ok';
    const shown = !connected ? 'no broker' : state === 'working' ? working : state;
    if (this.#state['ingest'] !== shown) this.#ground.log.warn('ingest_state', { state: shown });
    this.#state['ingest'] = shown;
    for (const [name, count] of Object.entries(stats.counts)) {
      if (typeof count !== 'number') continue;
      metrics.gauge(`ingest_${name}`, 'Counted by ingest since its start').set(count);
    }
    metrics.gauge('inbox_bytes', 'Bytes of records in the inbox').set(stats.heldBytes);
    metrics
      .gauge('inbox_dead_letters', 'Records kept that nobody could read')
      .set(stats.deadLetters);
  }

  // Without room on the disk it waits: nobody is in danger of a drill that begins late.
  #drill(): void {
    const { clock, log } = this.#ground;
    try {
      this.#parts.drills.tick(clock.wallMs());
    } catch (error) {
      if (!isFull(error)) throw error;
      log.warn('drill_waits', { why: foreign(String(error)) });
    }
  }

  #listen(): void {
    const { clock, log } = this.#ground;
    const { registry, broker, ingest, store, alarms, follower, stream } = this.#parts;
    const { dispatch, downward, path } = this.#parts;
    ingest.onCommitted = (row) => {
      path.senses.committed(row);
      follower.committed(row);
      store.notify(row);
    };
    store.onPassed = (row) => {
      ingest.passed('store', row);
      registry.storeRow = row;
    };
    store.onLog = (level, event, fields) => log[level](event, fields);
    store.onState = (state) => {
      if (this.#state['store'] !== state) log.warn('store_state', { state });
      this.#state['store'] = state;
    };
    ingest.onPresence = (changes) => {
      for (const change of changes) {
        const before = this.#presence.get(change.gateway);
        this.#presence.set(change.gateway, change);
        path.presence(change);
        follower.presence(change.gateway, change.online, clock.wallMs(), change.paths);
        dispatch.presence(change);
        downward.presence(change);
        if (before?.online === change.online) continue;
        const { gateway, online } = change;
        log.info(online ? 'gateway_online' : 'gateway_offline', { gateway });
        const data = JSON.stringify({ gateway, online });
        stream.publish({ topic: 'gateways', name: 'gateway', data, assets: [null] });
      }
    };
    ingest.onAnswer = (answer) => {
      const { kind, gateway, payload } = answer;
      if (kind === 'reply') return dispatch.answer(answer);
      try {
        follower.reported(gateway, payload, clock.wallMs());
      } catch (error) {
        if (!isFault(error)) throw error;
        log.warn('report_malformed', { gateway, why: foreign(error.message) });
      }
    };
    ingest.onClone = ({ gateway }) => log.error('gateway_cloned', { gateway });
    ingest.onRefused = ({ reason, topic }) =>
      log.warn('message_refused', { reason, topic: foreign(topic) });
    ingest.onLink = ({ broker: at, up, why }) => {
      log.info(up ? 'broker_up' : 'broker_down', { broker: at + 1, why });
      // A broker may have lost what it kept.
      if (!up) return;
      publishDesired(ingest, alarms.desired());
      dispatch.brokerUp();
      downward.brokerUp();
    };
    if (!broker) return;
    broker.onRefused = (refused) => {
      const { reason, name, topic, size } = refused;
      log.warn('broker_refused', { reason, client: foreign(name), topic: foreign(topic) });
      if (size > 0) ingest.keepRefused(refused);
    };
  }
}
