// The supervision of the path, joined to the cloud: what the threads and the receivers show goes to
// the senses, what comes of it to the log, the live stream, the metrics and, where a person must
// act, to the alarms.
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { foreign } from '../core/log.ts';
import type { Metrics } from '../core/metrics.ts';
import type { AlarmConsumer } from './alarms/consumer.ts';
import type { EventStream } from './api/stream.ts';
import { componentObject } from './api/supervision-objects.ts';
import type { InboxReader } from './inbox/reader.ts';
import type { GatewayPresence, Ingest } from './ingest/ingest.ts';
import { Heartbeats } from './notify/heartbeats.ts';
import type { Ledger } from './notify/ledger.ts';
import type { Delivery, Notifier, Outcome } from './notify/notifier.ts';
import type { NotifySettings } from './notify/settings.ts';
import type { Registry } from './registry/registry.ts';
import type { Component, Finding } from './supervision/component.ts';
import { broken, componentKinds, nameOf, OK, unknown } from './supervision/component.ts';
import { PathTests } from './supervision/path-tests.ts';
import { Senses } from './supervision/senses.ts';
import { Supervision } from './supervision/supervision.ts';

export interface SupervisedOptions {
  readonly registry: Registry;
  readonly alarms: AlarmConsumer;
  readonly reader: InboxReader;
  readonly stream: EventStream;
  readonly settings: Pick<NotifySettings, 'receivers' | 'heartbeatMs'>;
  readonly ledger: Ledger;
  readonly notifiers: ReadonlyMap<string, Notifier>;
  readonly hasBroker: boolean;
}

/** Channels at which nobody is: what they say is of no use to a person. */
const NOBODY_THERE: ReadonlySet<string> = new Set(['log']);

export class SupervisedPath {
  readonly supervision: Supervision;
  readonly tests: PathTests;
  readonly senses: Senses;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: SupervisedOptions;
  readonly #heartbeats: Heartbeats;
  readonly #periods = new Map<string, { hash: string | null; periodMs: number | null }>();

  constructor(clock: Clock, log: Log, metrics: Metrics, options: SupervisedOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#options = options;
    const { registry, alarms, ledger, notifiers, settings } = options;
    const { database } = registry;
    const nowMs = clock.wallMs();
    this.supervision = new Supervision({ database, alarms }, nowMs);
    const machines = [...notifiers].flatMap(([id, { confirms }]) => (confirms ? [id] : []));
    this.tests = new PathTests(
      {
        ...{ database, alarms, supervision: this.supervision, machines },
        pointsOf: (gateway) => this.#pointsOf(gateway),
        gateways: () => registry.gateways(),
        deliveriesOf: (occurrence) => ledger.list({ occurrence }),
        dropDeliveries: (occurrence) => ledger.dropTest(occurrence),
      },
      nowMs,
    );
    const report = (component: Component, finding: Finding, atMs: number) =>
      this.supervision.report(component, finding, atMs);
    this.senses = new Senses(clock, {
      epochOf: (gateway) => alarms.newest(gateway)?.epoch ?? null,
      periodMsOf: (gateway) => this.#periodMsOf(gateway),
      report,
    });
    const isTold = ({ heartbeat }: { readonly heartbeat?: boolean | undefined }) =>
      heartbeat !== false;
    const told = new Set(settings.receivers.filter(isTold).map(({ id }) => id));
    this.#heartbeats = new Heartbeats(clock, metrics, {
      receivers: new Map([...notifiers].filter(([id]) => told.has(id))),
      everyMs: settings.heartbeatMs,
      onBeat: (id, why) => this.#receiver(id, why === null ? OK : broken('no-answer', why)),
    });
    for (const { id } of this.#people) this.#receiver(id, unknown('untried'));
    this.#observe(metrics);
  }

  get #people() {
    return this.#options.settings.receivers.filter(({ kind }) => !NOBODY_THERE.has(kind));
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#heartbeats.run(signal);
  }

  /** Gateways there are. */
  gateways(ids: readonly string[]): void {
    const nowMs = this.#clock.wallMs();
    for (const id of this.senses.setGateways(ids)) {
      this.supervision.forget({ kind: 'gateway', id }, nowMs);
      this.supervision.forget({ kind: 'path-test', id }, nowMs);
      for (const at of [1, 2]) this.supervision.forget({ kind: 'link', id: `${id}/${at}` }, nowMs);
    }
  }

  presence(presence: GatewayPresence): void {
    this.senses.presence(presence);
  }

  ingest(stats: Awaited<ReturnType<Ingest['stats']>>, brokers: number): void {
    this.senses.ingest(stats, brokers);
  }

  /** A delivery changed. */
  delivered(delivery: Delivery): void {
    this.tests.delivered(delivery);
  }

  /** What came of a try, of a receiver whose channel carries no heartbeat. */
  tried(id: string, outcome: Outcome): void {
    if (this.#options.notifiers.get(id)?.beat) return;
    if (outcome.kind === 'sent') this.#receiver(id, OK);
    else this.#receiver(id, broken('failed', outcome.why));
  }

  /** Once a second. */
  look(): void {
    this.senses.look(this.#options.hasBroker);
  }

  /** After the alarms' transaction: who watches is told. */
  tell(): void {
    for (const { component, finding, sinceMs } of this.supervision.takeChanges()) {
      const { state, why, detail } = finding;
      if (state !== 'unknown') {
        const fields = { component: nameOf(component), why, detail: foreign(detail) };
        this.#log[state === 'ok' ? 'info' : 'warn'](`path_${state}`, fields);
      }
      this.#options.stream.publish({
        topic: 'supervision',
        name: 'supervision.changed',
        data: JSON.stringify(componentObject({ component, finding, sinceMs })),
        assets: [null],
      });
    }
  }

  #receiver(id: string, finding: Finding): void {
    const nowMs = this.#clock.wallMs();
    this.supervision.report({ kind: 'receiver', id }, finding, nowMs);
    const known = this.#people.map((it) => ({
      kind: it.kind,
      state: this.supervision.get({ kind: 'receiver', id: it.id })?.finding.state ?? 'unknown',
    }));
    for (const [kind, list] of Map.groupBy(known, (it) => it.kind)) {
      this.supervision.report({ kind: 'notifier', id: kind }, ofAll(list), nowMs);
    }
    if (known.length > 0)
      this.supervision.report({ kind: 'notifier', id: '' }, ofAll(known), nowMs);
  }

  #pointsOf(gateway: string) {
    const { reader, alarms } = this.#options;
    return reader.points(gateway, alarms.dictionaryOf(gateway));
  }

  /** Looked up once a dictionary. */
  #periodMsOf(gateway: string): number | null {
    const hash = this.#options.alarms.dictionaryOf(gateway);
    const known = this.#periods.get(gateway);
    if (known?.hash === hash) return known.periodMs;
    const periods = this.#pointsOf(gateway).map(({ definition }) => definition.periodMs);
    const periodMs = periods.length > 0 ? Math.min(...periods) : null;
    this.#periods.set(gateway, { hash, periodMs });
    return periodMs;
  }

  #observe(metrics: Metrics): void {
    const help = 'Parts of the alarm path that are broken now';
    for (const kind of componentKinds) {
      metrics.observe('path_components_broken', help, { kind }, () =>
        this.supervision
          .list()
          .reduce(
            (sum, it) =>
              it.component.kind === kind && it.finding.state === 'broken' ? sum + 1 : sum,
            0,
          ),
      );
    }
  }
}

/** Of several that can stand for each other. */
function ofAll(list: readonly { readonly state: Finding['state'] }[]): Finding {
  if (list.some(({ state }) => state === 'ok')) return OK;
  return list.every(({ state }) => state === 'broken')
    ? broken('all-receivers')
    : unknown('untried');
}

/** The same notifiers; `onOutcome` sees what came of each try. */
export function observed(
  notifiers: ReadonlyMap<string, Notifier>,
  onOutcome: (receiver: string, outcome: Outcome) => void,
): Map<string, Notifier> {
  const all = [...notifiers].map(([id, notifier]): [string, Notifier] => {
    const { digestMax, confirms } = notifier;
    const send: Notifier['send'] = async (notice, signal) => {
      const outcome = await notifier.send(notice, signal);
      if (!signal.aborted) onOutcome(id, outcome);
      return outcome;
    };
    const common = { send, ...(digestMax !== undefined && { digestMax }) };
    return [id, confirms ? { ...common, confirms } : common];
  });
  return new Map(all);
}
