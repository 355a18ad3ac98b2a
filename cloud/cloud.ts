// The cloud, put together: broker, ingest and store each in a thread of its own, alarms, notify and
// the API here.
//
//   broker -> ingest -> inbox -+-> store                       its thread: history
//                              +-> alarms -> notify -> person  this one: never waits for the store
//
// It opens in this order and closes in the opposite one: nothing new is taken in, the alarms finish
// what the inbox holds, the store is given a bounded time, and what it does not reach waits in the
// inbox for the next start.
import { hex } from '../core/bytes.ts';
import type { Clock } from '../core/clock.ts';
import type { Fault } from '../core/fault.ts';
import { isFault } from '../core/fault.ts';
import type { Log } from '../core/log.ts';
import { foreign } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Random } from '../core/random.ts';
import { encodeConfigurationState } from '../protocols/uplink/control.ts';
import { kinds, topicOf } from '../protocols/uplink/topics.ts';
import { AlarmConsumer, type DesiredOf } from './alarms/consumer.ts';
import { actRoutes } from './api/act-routes.ts';
import { alarmFinder, alarmRoutes } from './api/alarm-routes.ts';
import { caseObject, caseRoutes } from './api/case-routes.ts';
import { commandRoutes } from './api/command-routes.ts';
import { deadLetterRoutes } from './api/dead-letter-routes.ts';
import { explainRoutes } from './api/explain-routes.ts';
import { incidentRoutes } from './api/incident-routes.ts';
import { journalRoutes } from './api/journal-routes.ts';
import { replayRoutes } from './api/replay-routes.ts';
import { dataRoutes } from './api/routes.ts';
import { ruleRoutes } from './api/rule-routes.ts';
import { openApi } from './api/server.ts';
import { EventStream, withinScope } from './api/stream.ts';
import type { Broker, ServerStats } from './broker/broker.ts';
import { openBroker } from './broker/broker.ts';
import { Attachments } from './cases/attachments.ts';
import type { CaseEvent } from './cases/book.ts';
import { Cases } from './cases/cases.ts';
import { Dispatch } from './commands/dispatch.ts';
import type { CloudConfig } from './config.ts';
import { Current } from './current.ts';
import { Follower, type FollowState } from './follow.ts';
import { InboxReader } from './inbox/reader.ts';
import type { GatewayPresence, Ingest, IngestStats } from './ingest/ingest.ts';
import { openIngest } from './ingest/ingest.ts';
import { Ledger } from './notify/ledger.ts';
import { logNotifier } from './notify/log.ts';
import type { Notifier } from './notify/notifier.ts';
import { Pipeline } from './notify/pipeline.ts';
import { WEBHOOK_TIMEOUT_MS, webhook } from './notify/webhook.ts';
import { headsFor } from './registry/journal-heads.ts';
import { CLOUD_IDENTITY, makeSecret, Registry, secretHash } from './registry/registry.ts';
import type { StoreThread } from './store/thread.ts';
import { openStore } from './store/thread.ts';
import { Storms } from './storms.ts';

const TICK_MS = 1_000;

// What is lost on the way is told again with the next connection to the broker.
function publishDesired(ingest: Ingest, list: readonly DesiredOf[]): void {
  const { qos, retain } = kinds.desired;
  for (const { area, gateway, state } of list) {
    const topic = topicOf(area, gateway, 'desired');
    void ingest.publish(topic, encodeConfigurationState(state), { qos, retain });
  }
}

/** The singletons everything is given. */
interface Ground {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly config: CloudConfig;
}

export interface Cloud {
  readonly apiPort: number;
  /** Null when another broker is used. */
  readonly brokerPort: number | null;
  /**
   * Settles when the broker's or ingest's thread has ended by itself: nothing is taken any more, so
   * the process is to end and to start again from what is on disk.
   */
  readonly failed: Promise<Fault>;
  close(drainMs: number): Promise<void>;
}

/** `version` is shown in the OpenAPI document. Throws a Fault when a part does not open. */
// long because each line opens or joins one part, in the order that matters.
export async function runCloud(
  clock: Clock,
  random: Random,
  log: Log,
  metrics: Metrics,
  options: { readonly config: CloudConfig; readonly version: string },
): Promise<Cloud> {
  const { config, version } = options;
  const ground: Ground = { clock, random, log, metrics, config };
  // What is open is closed again when a later part does not open: no thread is left behind.
  await using opened = new AsyncDisposableStack();
  const registryFolder = `${config.folder}/registry`;
  const registry = new Registry(random, registryFolder);
  opened.defer(() => registry.close());
  noteHead(ground, registry, 'now');
  opened.defer(() => noteHead(ground, registry, 'now'));
  const alarms = new AlarmConsumer(registry.database);
  const { broker, ingest } = await openIntake(ground, registry, alarms.cursor);
  opened.defer(() => broker?.close());
  opened.defer(() => ingest.close());
  const failed = Promise.withResolvers<Fault>();
  ingest.onFailed = failed.resolve;
  if (broker) broker.onFailed = failed.resolve;
  const reader = new InboxReader(ingest.inboxFile);
  opened.defer(() => reader.close());
  const series = new Map(reader.entries().map((entry) => [entry.series, entry]));
  const notify = openNotify(ground, alarms, registry);
  const { cases, attachments } = openCases(ground, alarms, registry);
  const current = new Current();
  const stream = new EventStream(hex(random.bytes(6)));
  const storms = new Storms(metrics, {
    ...{ database: registry.database, alarms, stream, utcOffsetMs: config.utcOffsetMs },
    desks: config.routes.map(({ asset }) => asset),
  });
  const dispatch = new Dispatch(clock, random, log, metrics, {
    ...{ alarms, registry, ingest, stream },
    pointsOf: (gateway) => reader.points(gateway, alarms.dictionaryOf(gateway)),
  });
  const follower = new Follower(clock, metrics, {
    reader,
    alarms,
    current,
    series,
    stream,
    onPassed: (row) => ingest.passed('alarms', row),
    onAlarms: () => {
      notify.wake();
      storms.tell();
    },
    onDesired: (list) => publishDesired(ingest, list),
    onTold: () => {
      tellCases(stream, cases.drain(clock.wallMs()));
      dispatch.told();
    },
  });
  const store = await openStore({ folder: `${config.folder}/store`, inboxFile: ingest.inboxFile });
  let drainMs = 0;
  opened.defer(() => store.close(drainMs));
  // The row first: what the store takes between the two questions is only shown twice.
  const storeRow = await store.cursor();
  current.restore(await store.latest());
  follower.restore(storeRow);
  ingest.passed('alarms', alarms.cursor);
  const watch = new Watch(ground, {
    ...{ registry, broker, ingest, store, alarms, follower, stream, storms, dispatch },
  });
  follower.committed(reader.newestRow);
  const { host, port, names: hostNames } = config.api;
  const presence = (gateway: string) => watch.presence(gateway);
  const health = () => watch.health();
  const onCredentials = () => watch.gateways();
  const onEvents = follower.tell.bind(follower);
  const routes = [
    ...dataRoutes(clock, { registry, current, series, store, presence, health, onCredentials }),
    ...alarmRoutes(clock, { alarms, notify, onEvents }),
    ...actRoutes(clock, { alarms, notify, onEvents }),
    ...incidentRoutes(clock, { ...storms, alarms }),
    ...ruleRoutes(clock, { alarms, series, onEvents }),
    ...explainRoutes(clock, { find: alarmFinder(alarms), tables: alarms.tables, store, series }),
    ...replayRoutes(clock, { alarms, store, series }),
    ...caseRoutes(clock, {
      ...{ cases, attachments, notify, onEvents, utcOffsetMs: config.utcOffsetMs },
      alarmOf: (occurrence) => alarms.get(occurrence),
    }),
    ...commandRoutes(clock, { commands: dispatch.commands, alarms, onEvents }),
    ...deadLetterRoutes(clock, reader, registry.journal),
    ...journalRoutes(clock, {
      journal: registry.journal,
      heads: (newest) => headsFor(registryFolder, newest),
      seeAlarm: alarmFinder(alarms),
    }),
  ];
  const serve = { host, port, hostNames, version, registry, stream, routes };
  const api = await openApi(clock, log, metrics, serve);
  const stopping = new AbortController();
  const running = Promise.all([notify.run(stopping.signal), watch.run(stopping.signal)]);
  const closing = opened.move();
  return {
    apiPort: api.port,
    brokerPort: broker?.port ?? null,
    failed: failed.promise,
    close: async (forMs) => {
      drainMs = forMs;
      await api.close();
      await ingest.close();
      follower.stop();
      await follower.idle();
      stopping.abort();
      await running;
      await closing.disposeAsync();
    },
  };
}

// Broker (unless another is used) and ingest. The cloud's own secret is drawn anew for each start.
async function openIntake(
  { random, config }: Ground,
  registry: Registry,
  alarmsRow: number,
): Promise<{ broker: Broker | null; ingest: Ingest }> {
  const { folder, inboxBytesMax, insecure } = config;
  const known = config.broker;
  const embedded = known.kind === 'embedded' ? known : null;
  const secret = known.kind === 'url' ? known.password : makeSecret(random);
  const own = {
    name: CLOUD_IDENTITY,
    sha256: secretHash(secret),
    role: 'cloud',
    area: '',
  } as const;
  const broker = embedded
    ? await openBroker({
        host: embedded.host,
        port: embedded.port,
        insecure,
        credentials: [own, ...registry.credentials()],
      })
    : null;
  const ingest = await openIngest({
    folder: `${folder}/inbox`,
    url: broker ? `mqtt://127.0.0.1:${broker.port}` : known.kind === 'url' ? known.url : '',
    credential: { name: CLOUD_IDENTITY, secret },
    others: config.otherBrokers.map(({ url, password }) => ({ url, secret: password })),
    bytesMax: inboxBytesMax,
    rowsAbove: Math.max(alarmsRow, registry.storeRow),
  });
  return { broker: broker && withOwn(broker, own), ingest };
}

// Whoever sets gateways' credentials later cannot forget the cloud's own.
function withOwn(broker: Broker, own: Parameters<Broker['setCredentials']>[0][number]): Broker {
  const set = broker.setCredentials.bind(broker);
  broker.setCredentials = (list) => set([own, ...list]);
  return broker;
}

function openCases({ metrics, config }: Ground, alarms: AlarmConsumer, registry: Registry) {
  const { folder, cases: settings } = config;
  const { limits, departments } = settings;
  const cases = new Cases(registry.database, {
    ...{ alarms, limits, utcOffsetMs: config.utcOffsetMs },
    departmentOf: (asset) =>
      departments.find((each) => withinScope(each.asset, asset))?.department ?? '',
  });
  const known = cases.tables.hashes();
  const attachments = new Attachments(`${folder}/attachments`, settings.filesBytesMax, known);
  const help = 'Bytes of the files of all cases';
  metrics.observe('case_files_bytes', help, {}, () => attachments.bytes);
  return { cases, attachments };
}

function tellCases(stream: EventStream, events: readonly CaseEvent[]): void {
  for (const { kind, view } of events) {
    const data = JSON.stringify(caseObject(view));
    stream.publish({ topic: 'cases', name: `case.${kind}`, data, assets: [view.case.asset] });
  }
}

function openNotify(ground: Ground, alarms: AlarmConsumer, registry: Registry): Pipeline {
  const { clock, log, metrics, random, config } = ground;
  const receivers = new Map<string, Notifier>(
    config.receivers.map(({ id, kind, url, secret }) => [
      id,
      kind === 'log'
        ? logNotifier(log)
        : webhook(fetch, clock, {
            receiver: id,
            url: url ?? '',
            secret: secret ?? '',
            timeoutMs: WEBHOOK_TIMEOUT_MS,
          }),
    ]),
  );
  return new Pipeline(clock, log, metrics, random, {
    tables: alarms.tables,
    ledger: new Ledger(registry.database),
    receivers,
    routes: config.routes.map(({ levels, asset, to }, at) => ({
      id: `route-${at + 1}`,
      chain: to,
      match: {
        ...(levels.length > 0 && { levels }),
        ...(asset !== '' && { assets: [asset] }),
      },
    })),
    confirmWithinMs: config.confirmWithinMs,
    onChange: () => {},
  });
}

// The newest entry of the journal, beside it and in the log. A disk without room is asked again a
// minute later: nothing hangs on it but how much can be cut off unseen.
function noteHead({ clock, log }: Ground, registry: Registry, when: 'now' | 'due'): void {
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

interface Watched {
  readonly registry: Registry;
  readonly broker: Broker | null;
  readonly ingest: Ingest;
  readonly store: StoreThread;
  readonly alarms: AlarmConsumer;
  readonly follower: Follower;
  readonly stream: EventStream;
  readonly storms: Storms;
  readonly dispatch: Dispatch;
}

/**
 * Hears what the threads tell: presence, refusals, failures; and asks them how they are once a
 * second.
 */
class Watch {
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
    const { registry, broker, ingest, follower } = this.#parts;
    const list = registry.gateways();
    broker?.setCredentials(registry.credentials());
    ingest.setGateways(new Map(list.map(({ id, area }) => [id, area])));
    const nowMs = this.#ground.clock.wallMs();
    for (const { id } of list) {
      if (!this.#presence.has(id)) follower.presence(id, false, nowMs);
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ground;
    const { registry, follower, storms } = this.#parts;
    while (!signal.aborted) {
      if (registry.changedElsewhere()) this.gateways();
      follower.tick(clock.wallMs());
      storms.tell();
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

  // A thread that has ended answers no more; that it has is told by itself.
  async #ask(): Promise<void> {
    const { ingest, broker } = this.#parts;
    this.#isAsking = true;
    const [taken, heard] = await Promise.all([
      ingest.stats().catch(() => null),
      broker?.stats().catch(() => null),
    ]);
    this.#isAsking = false;
    this.#note(taken);
    if (heard) this.#noteBroker(heard);
  }

  #noteBroker({ connected, refused }: ServerStats): void {
    const { metrics } = this.#ground;
    metrics.gauge('broker_clients', 'Clients connected to the broker').set(connected);
    const help = 'Logins, messages and subscriptions the broker refused';
    for (const [reason, count] of Object.entries(refused)) {
      const counter = metrics.counter('broker_refused_total', help, { reason });
      counter.add(count - counter.value);
    }
  }

  #note(stats: IngestStats | null): void {
    if (!stats) return;
    const { metrics } = this.#ground;
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

  #listen(): void {
    const { clock, log } = this.#ground;
    const { registry, broker, ingest, store, alarms, follower, stream, dispatch } = this.#parts;
    ingest.onCommitted = (row) => {
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
        follower.presence(change.gateway, change.online, clock.wallMs(), change.paths);
        dispatch.presence(change);
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
    };
    if (!broker) return;
    broker.onRefused = (refused) => {
      const { reason, name, topic, size } = refused;
      log.warn('broker_refused', { reason, client: foreign(name), topic: foreign(topic) });
      if (size > 0) ingest.keepRefused(refused);
    };
  }
}
