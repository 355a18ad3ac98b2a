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
import type { Log } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Random } from '../core/random.ts';
import { AlarmConsumer } from './alarms/consumer.ts';
import { actRoutes } from './api/act-routes.ts';
import { alarmFinder, alarmRoutes } from './api/alarm-routes.ts';
import { alertmanagerRoutes } from './api/alertmanager-routes.ts';
import { answerPages } from './api/answer-pages.ts';
import { caseObject, caseRoutes } from './api/case-routes.ts';
import { commandRoutes } from './api/command-routes.ts';
import { confirmationRoutes } from './api/confirmation-routes.ts';
import { deadLetterRoutes } from './api/dead-letter-routes.ts';
import { drillRoutes } from './api/drill-routes.ts';
import { explainRoutes } from './api/explain-routes.ts';
import { incidentRoutes } from './api/incident-routes.ts';
import { journalRoutes } from './api/journal-routes.ts';
import { receiptRoutes } from './api/receipt-routes.ts';
import { replayRoutes } from './api/replay-routes.ts';
import { dataRoutes } from './api/routes.ts';
import { ruleRoutes } from './api/rule-routes.ts';
import { openApi } from './api/server.ts';
import { silenceRoutes } from './api/silence-routes.ts';
import { EventStream, withinScope } from './api/stream.ts';
import { supervisionRoutes } from './api/supervision-routes.ts';
import { warningObject, warningRoutes } from './api/warning-routes.ts';
import type { Broker } from './broker/broker.ts';
import { openBroker } from './broker/broker.ts';
import { Attachments } from './cases/attachments.ts';
import type { CaseEvent } from './cases/book.ts';
import { Cases } from './cases/cases.ts';
import { Dispatch } from './commands/dispatch.ts';
import { siteCommands } from './commands/receivers.ts';
import type { CloudConfig } from './config.ts';
import { Current } from './current.ts';
import { Drills } from './drills/drills.ts';
import { Follower } from './follow.ts';
import { InboxReader } from './inbox/reader.ts';
import type { Ingest } from './ingest/ingest.ts';
import { openIngest } from './ingest/ingest.ts';
import { openReceivers } from './notify/channels/channels.ts';
import { Confirmations } from './notify/confirmations.ts';
import { Downward } from './notify/downward.ts';
import { Ledger } from './notify/ledger.ts';
import type { Notifier } from './notify/notifier.ts';
import { Pipeline } from './notify/pipeline.ts';
import { directoryOf, quotasOf } from './notify/settings.ts';
import { headsFor } from './registry/journal-heads.ts';
import { CLOUD_IDENTITY, makeSecret, Registry, secretHash } from './registry/registry.ts';
import { openStore } from './store/thread.ts';
import { Storms } from './storms.ts';
import { observed, SupervisedPath } from './supervised.ts';
import { Warnings } from './warnings/warnings.ts';
import { type Ground, noteHead, publishDesired, Watch, type Watched } from './watch.ts';

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
  const { database } = registry;
  const downward = new Downward(clock, log, metrics, { database, alarms, ingest });
  const links = new Confirmations(random, database, config.notify);
  const stream = new EventStream(hex(random.bytes(6)));
  const parts = { alarms, registry, ingest, downward, reader, stream, dispatch: () => dispatch };
  const { notify, path, notifiers } = openNotify(ground, parts, links);
  const { cases, attachments } = openCases(ground, alarms, registry);
  const warnings = new Warnings(registry.database, {
    ...{ alarms, settings: config.warnings, signer: null, utcOffsetMs: config.utcOffsetMs },
    caseOf: (occurrence) => cases.tables.ofAlarm(occurrence)?.id ?? null,
  });
  const current = new Current();
  const storms = new Storms(metrics, {
    ...{ database: registry.database, alarms, stream, utcOffsetMs: config.utcOffsetMs },
    desks: config.notify.routes.flatMap(({ match }) => match.assets ?? ['']),
  });
  const dispatch = new Dispatch(clock, random, log, metrics, {
    ...{ alarms, registry, ingest, stream },
    pointsOf: (gateway) => reader.points(gateway, alarms.dictionaryOf(gateway)),
  });
  const drills = new Drills(random, registry.database, {
    ...{ tables: alarms.tables, commands: dispatch.commands },
    deliveries: (occurrence) => notify.deliveries({ occurrence }).reverse(),
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
      tellWarnings(stream, warnings, clock.wallMs());
      dispatch.told();
      path.tell();
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
    ...{ registry, broker, ingest, store, alarms, follower, stream, storms, dispatch, drills },
    ...{ downward, path },
  });
  follower.committed(reader.newestRow);
  const { host, port } = config.api;
  const hostNames = [...config.api.names, ...publicNames(config)];
  const presence = (gateway: string) => watch.presence(gateway);
  const health = () => watch.health();
  const onCredentials = () => watch.gateways();
  const onEvents = follower.tell.bind(follower);
  const routes = [
    ...dataRoutes(clock, {
      ...{ registry, current, series, store, presence, health, onCredentials },
      path: () => path.supervision.summary,
    }),
    ...alarmRoutes(clock, { alarms, notify, onEvents }),
    ...confirmationRoutes(clock, {
      ...{ notify, journal: registry.journal, find: alarmFinder(alarms) },
    }),
    ...actRoutes(clock, { alarms, notify, onEvents }),
    ...silenceRoutes(notify),
    ...incidentRoutes(clock, { ...storms, alarms }),
    ...ruleRoutes(clock, { alarms, series, onEvents }),
    ...explainRoutes(clock, { find: alarmFinder(alarms), tables: alarms.tables, store, series }),
    ...replayRoutes(clock, { alarms, store, series }),
    ...caseRoutes(clock, {
      ...{ cases, attachments, notify, onEvents, utcOffsetMs: config.utcOffsetMs },
      alarmOf: (occurrence) => alarms.get(occurrence),
    }),
    ...commandRoutes(clock, { commands: dispatch.commands, alarms, onEvents }),
    ...alertmanagerRoutes(clock, { alarms, onEvents }),
    ...warningRoutes(clock, {
      ...{ warnings, cases: cases.tables, seeAlarm: alarmFinder(alarms), onEvents },
    }),
    ...drillRoutes(clock, { drills, onEvents }),
    ...supervisionRoutes(clock, {
      ...{ supervision: path.supervision, tests: path.tests, utcOffsetMs: config.utcOffsetMs },
      gateways: () => registry.gateways(),
    }),
    ...deadLetterRoutes(clock, reader, registry.journal),
    ...receiptRoutes(metrics, { receivers: notifiers, receipt: notify.receipt.bind(notify) }),
    ...journalRoutes(clock, {
      journal: registry.journal,
      heads: (newest) => headsFor(registryFolder, newest),
      seeAlarm: alarmFinder(alarms),
    }),
  ];
  const pages = answerPages(clock, {
    ...{ links, notify, utcOffsetMs: config.utcOffsetMs },
    alarmOf: (occurrence) => alarms.get(occurrence),
    nameOf: (person) => config.notify.people.find(({ id }) => id === person)?.name ?? person,
  });
  const serve = { host, port, hostNames, version, registry, stream, routes, pages };
  const api = await openApi(clock, log, metrics, serve);
  const stopping = new AbortController();
  const { signal } = stopping;
  const running = Promise.all([notify.run(signal), watch.run(signal), path.run(signal)]);
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
  const readers = (embedded?.readers ?? []).map(({ name, password }) => {
    return { name, sha256: secretHash(password), role: 'reader', area: '' } as const;
  });
  // Of equal names the last counts: no reader takes the place of a gateway.
  const standing = [own, ...readers];
  const broker = embedded
    ? await openBroker({
        host: embedded.host,
        port: embedded.port,
        insecure,
        credentials: [...standing, ...registry.credentials()],
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
  return { broker: broker && withOwn(broker, standing), ingest };
}

// Whoever sets gateways' credentials later cannot forget the cloud's own and those of readers.
function withOwn(broker: Broker, own: Parameters<Broker['setCredentials']>[0]): Broker {
  const set = broker.setCredentials.bind(broker);
  broker.setCredentials = (list) => set([...own, ...list]);
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

function tellWarnings(stream: EventStream, warnings: Warnings, nowMs: number): void {
  for (const changed of warnings.drain()) {
    const data = JSON.stringify(warningObject(warnings, changed, nowMs));
    stream.publish({ topic: 'warnings', name: 'warning', data, assets: [changed.asset] });
  }
}

function tellCases(stream: EventStream, events: readonly CaseEvent[]): void {
  for (const { kind, view } of events) {
    const data = JSON.stringify(caseObject(view));
    stream.publish({ topic: 'cases', name: `case.${kind}`, data, assets: [view.case.asset] });
  }
}

/** Under which links call the API. */
function publicNames({ notify: { publicUrl } }: CloudConfig): string[] {
  return publicUrl === null ? [] : [new URL(publicUrl).hostname.replace(/^\[(.*)\]$/, '$1')];
}

interface NotifyParts
  extends Pick<Watched, 'alarms' | 'registry' | 'ingest' | 'stream' | 'downward'> {
  readonly reader: InboxReader;
  /** Opened after the receivers, which command through it. */
  readonly dispatch: () => Dispatch;
}

// What is supervised of the path hangs on the receivers, and what came of each try on the path.
function openNotify(
  { clock, log, metrics, random, config }: Ground,
  parts: NotifyParts,
  links: Confirmations,
): { notify: Pipeline; path: SupervisedPath; notifiers: ReadonlyMap<string, Notifier> } {
  const { alarms, registry, ingest, downward, dispatch } = parts;
  const { tables } = alarms;
  const { receivers, routes, language, utcOffsetMs, templates } = config.notify;
  const publish = ingest.publish.bind(ingest);
  const wording = { language, utcOffsetMs, templates };
  const ledger = new Ledger(registry.database);
  const site = siteCommands(clock, {
    ...{ tables, ledger, commands: () => dispatch().commands, onAsked: () => dispatch().told() },
  });
  const ground = { clock, random, log, fetcher: fetch, publish, wording, site };
  const notifiers = openReceivers(ground, receivers);
  const path = new SupervisedPath(clock, log, metrics, {
    ...{ ...parts, settings: config.notify, ledger, notifiers },
    hasBroker: config.broker.kind === 'embedded',
  });
  const machines = [...notifiers].flatMap(([id, { confirms }]) => (confirms ? [id] : []));
  const notify = new Pipeline(clock, log, metrics, random, {
    ...{ tables, ledger },
    receivers: observed(notifiers, (id, outcome) => path.tried(id, outcome)),
    directory: directoryOf(config.notify),
    ...{ routes, machines, quotas: quotasOf(receivers) },
    linkOf: (delivery, nowMs) => links.linkOf(delivery, nowMs),
    onHandled: (handled) => downward.handled(handled),
    onChange: (delivery) => path.delivered(delivery),
  });
  return { notify, path, notifiers };
}
