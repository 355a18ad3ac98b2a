// The edge, put together: links and devices -> collector -> sealer -> outbox and uplink.
//
// Order of the start: the outbox first (nothing is taken that could not be kept), the uplink, the
// status page, and last the collector. Order of the end: stop collecting, seal and commit, send
// what the cloud still takes within the time given, close. What was not sent stays on disk and goes
// first next time.
import type { Clock } from '../core/clock.ts';
import { assert, isFault } from '../core/fault.ts';
import { foreign, type Log } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { SELF_DEVICE } from '../core/point.ts';
import type { Random } from '../core/random.ts';
import type { Link } from '../protocols/driver.ts';
import type { Trust } from '../protocols/opcua/certificate.ts';
import type { Identity, OpcuaPlace } from '../protocols/opcua/place.ts';
import { decodeConfirm } from '../protocols/uplink/control.ts';
import type { Kind } from '../protocols/uplink/topics.ts';
import type { SyncSource } from './clock-watch.ts';
import { ClockWatch } from './clock-watch.ts';
import type { CollectedLink } from './collect/loop.ts';
import { Collector } from './collect/loop.ts';
import { Commands } from './commands/commands.ts';
import { LocalDesk } from './commands/local.ts';
import type { Ledger } from './commands/thread.ts';
import type { GatewayConfig } from './config/gateway.ts';
import type { LinkConfig, OpcuaLinkConfig } from './config/link.ts';
import { Fallbacks } from './fallback/fallbacks.ts';
import type { Counters, Health } from './health.ts';
import { pathHealth } from './health.ts';
import { Links } from './links/links.ts';
import { placeOf as opcuaPlaceOf } from './links/opcua.ts';
import type { Outbox } from './outbox/outbox.ts';
import { openOutbox } from './outbox/outbox.ts';
import { PathWatch } from './path-watch.ts';
import { RulesInForce } from './rules.ts';
import { Sealer } from './seal.ts';
import type { CommandsPage, StatusServer } from './status.ts';
import { makeToken, openStatus } from './status.ts';
import { mqttLink } from './uplink/mqtt.ts';
import type { LinkParts, PathLink } from './uplink/path.ts';
import { syncByFiles } from './uplink/sync-files.ts';
import { Uplink, type UplinkCounts } from './uplink/uplink.ts';

/** A command under way at the end gets this long to be answered and looked at. */
const COMMAND_GRACE_MS = 3000;
/**
 * A poll under way when collecting stops gets this long; time-outs of devices are mostly shorter.
 */
const STOP_GRACE_MS = 2000;
const DRAIN_LOOK_MS = 50;
/**
 * Pace of the backlog: a day of 10,000 readings a second at 4 B is caught up within four hours, and
 * of a 4G uplink of 5 Mbit/s half is left for what happens now.
 */
const BACKLOG_BYTES_PER_SECOND = 256 * 1024;

/** What touches the world beyond the gateway; the simulated world has its own. */
export interface Borders {
  openOutbox(): Promise<Outbox>;
  openLink(link: LinkConfig, signal: AbortSignal): Promise<Link>;
  /** The link of a path to the cloud; 0 is the first. */
  connect(parts: LinkParts, path: number): PathLink;
  readonly lastSync: SyncSource;
  /** Default: in a thread of its own. */
  readonly openLedger?: (path: string, epoch: string) => Promise<Ledger>;
  /** Null: no status page. */
  readonly openStatus: typeof openStatus | null;
}

export interface AgentOptions {
  /** Of the gateway at the broker. */
  readonly secret: string;
  /** The same on its second path; default that of the first. */
  readonly secondSecret?: string;
  /** As whom it comes to OPC UA servers, by link; absent: as nobody. */
  readonly identities?: ReadonlyMap<string, Identity>;
  /** As told in the birth and on the status page. */
  readonly software: string;
  /** Report by exception off: every reading is reported. */
  readonly reportAll?: boolean;
  readonly borders?: Partial<Borders>;
}

/** Rejects with a fault when outbox or status page cannot be opened; nothing is left open then. */
export async function runAgent(
  clock: Clock,
  random: Random,
  log: Log,
  config: GatewayConfig,
  options: AgentOptions,
): Promise<Agent> {
  for (const { en } of config.insecure) log.warn('insecure', { what: en });
  for (const { message } of config.warnings) log.warn('configuration', { what: message.en });
  const metrics = new Metrics();
  const links = new Links(clock, log, metrics, config.links);
  const borders = bordersOf(clock, random, log, config, options, links);
  const outbox = await borders.openOutbox();
  const { software, reportAll = false, identities } = options;
  const trust = await trustOf(clock, random, config);
  const placeOf = (link: OpcuaLinkConfig) => {
    assert(trust, 'where a link of the kind is, trust is loaded');
    return opcuaPlaceOf(link, { trust, identity: identities?.get(link.id) });
  };
  const parts = { config, outbox, borders, links, placeOf, software, reportAll };
  const agent = new Agent(clock, random, log, metrics, parts);
  try {
    await agent.start();
  } catch (error) {
    await agent.close(0);
    throw error;
  }
  return agent;
}

/** Null, and nothing loaded, in a gateway without OPC UA. */
async function trustOf(
  clock: Clock,
  random: Random,
  { links, pki, gateway }: GatewayConfig,
): Promise<Trust | null> {
  if (links.every(({ kind }) => kind !== 'opcua')) return null;
  const { openTrust } = await import('./links/opcua-trust.ts');
  return openTrust(clock, random, { folder: pki.folder, gateway: gateway.id });
}

function bordersOf(
  clock: Clock,
  random: Random,
  log: Log,
  { outbox, cloud }: GatewayConfig,
  { secret, secondSecret = secret, borders }: AgentOptions,
  links: Links,
): Borders {
  return {
    openOutbox: () => openOutbox(clock, random, log, outbox),
    openLink: (link, signal) => links.open(link, signal),
    connect: (parts, path) => {
      const { url, localAddress } = (path === 0 ? null : cloud.second) ?? cloud;
      const password = path === 0 ? secret : secondSecret;
      const source = localAddress === null ? {} : { localAddress };
      return mqttLink(clock, random, { ...parts, url, password, ...source });
    },
    lastSync: syncByFiles(),
    openStatus,
    ...borders,
  };
}

interface Parts {
  readonly config: GatewayConfig;
  readonly outbox: Outbox;
  readonly borders: Borders;
  readonly links: Links;
  readonly placeOf: (link: OpcuaLinkConfig) => OpcuaPlace;
  readonly software: string;
  readonly reportAll: boolean;
}

function collected(link: LinkConfig, { borders, placeOf }: Parts): CollectedLink {
  const { id, protocol, line, answerMs } = link;
  const common = { id, protocol, line, answerMs };
  if (link.kind === 'opcua') return { ...common, place: placeOf(link) };
  if (link.kind === 'self') return { ...common, place: { everyMs: link.everyMs } };
  return { ...common, open: (signal: AbortSignal) => borders.openLink(link, signal) };
}

export class Agent implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #parts: Parts;
  readonly #watch: ClockWatch;
  readonly #rules: RulesInForce;
  readonly #uplink: Uplink;
  readonly #sealer: Sealer;
  readonly #collector: Collector;
  readonly #commands: Commands;
  readonly #fallbacks: Fallbacks;
  readonly #path: PathWatch;
  #status: StatusServer | null = null;
  #stopped: Promise<void> | null = null;
  #closed: Promise<void> | null = null;

  constructor(clock: Clock, random: Random, log: Log, metrics: Metrics, parts: Parts) {
    const { config, outbox, borders, software, reportAll } = parts;
    const { gateway, points, devices, hash } = config;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#metrics = metrics;
    this.#parts = parts;
    this.#rules = new RulesInForce(log, outbox, points);
    this.#watch = new ClockWatch(clock, outbox.openedMonoMs, borders.lastSync);
    this.#uplink = new Uplink(clock, random, log, outbox, this.#watch, {
      area: gateway.area,
      gateway: gateway.id,
      software,
      configuration: hash,
      backlogBytesPerSecond: BACKLOG_BYTES_PER_SECOND,
      second: config.cloud.second?.terms ?? null,
      connect: borders.connect,
      // Every point is told once.
      onReached: () => this.#collector.refresh(),
      reported: () => this.#rules.reported,
      onConnected: () => this.#connected(),
      onMessage: (kind, payload) => this.#onMessage(kind, payload),
    });
    this.#sealer = new Sealer(clock, outbox, this.#watch, {
      points,
      onRecord: (...sealed) => this.#uplink.offer(...sealed),
      ...(config.fallbacks.length > 0 && {
        onSealing: (...sealing) => this.#fallbacks.sealing(...sealing),
      }),
    });
    const { openLedger } = borders;
    this.#commands = new Commands(clock, random, log, metrics, {
      ...{ config, outbox, times: this.#sealer.times },
      ...(openLedger && { openLedger: (path) => openLedger(path, outbox.epoch) }),
      device: (id) => this.#collector.loopOf(id),
      isReached: (id) => this.#collector.loopOf(id)?.isReached ?? false,
      reply: (payload) => void this.#uplink.reply(payload),
      heardMonoMs: () => this.#uplink.counts.ackedMonoMs,
      settled: (...settled) => this.#fallbacks.settled(...settled),
    });
    const { epoch, openedMonoMs } = outbox;
    this.#fallbacks = new Fallbacks(clock, log, metrics, {
      ...{ gateway: gateway.id, epoch, openedMonoMs, configs: config.fallbacks, points },
      ...{ words: outbox, door: this.#commands.forFallback },
      cloud: () => this.#uplink.counts,
    });
    this.#collector = new Collector(clock, random, log, metrics, {
      links: config.links.map((each) => collected(each, parts)),
      devices,
      sink: this.#sealer,
      reportAll,
      onlooker: this.#commands.onlooker,
    });
    this.#path = new PathWatch(clock, log, () => this.#uplink.counts);
    this.#useRules();
    this.#observe();
  }

  #connected(): void {
    this.#commands.connected();
    this.#fallbacks.connected();
  }

  #onMessage(kind: Kind, payload: Uint8Array): void {
    if (kind === 'desired') this.#desired(payload);
    else if (kind === 'command') this.#commands.take(payload);
    else if (kind === 'confirm') this.#confirm(payload);
    else {
      const help = 'Messages of the cloud this version does not act on';
      this.#metrics.counter('edge_messages_unused_total', help, { kind }).add();
    }
  }

  #confirm(payload: Uint8Array): void {
    try {
      this.#fallbacks.confirm(decodeConfirm(payload));
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#log.warn('confirm_malformed', { why: foreign(error.message) });
    }
  }

  #desired(payload: Uint8Array): void {
    if (this.#rules.take(payload)) this.#useRules();
    this.#uplink.report();
  }

  #useRules(): void {
    const { points } = this.#rules;
    this.#sealer.useRules(points);
    this.#collector.useRules(points);
    this.#fallbacks.useRules(points);
  }

  async start(): Promise<void> {
    const { config, borders } = this.#parts;
    const { epoch } = this.#parts.outbox;
    this.#uplink.start(this.#sealer);
    this.#path.start();
    if (borders.openStatus) {
      const health = () => this.health();
      const common = { ...config.status, metrics: this.#metrics, health };
      const commands = this.#commandsPage();
      this.#status = await borders.openStatus(commands ? { ...common, commands } : common);
    }
    this.#collector.start();
    await this.#commands.start();
    await this.#fallbacks.start();
    this.#log.info('agent_started', { epoch, points: config.points.length });
  }

  /** Undefined where nothing may be commanded, or no token can be laid down for it. */
  #commandsPage(): CommandsPage | undefined {
    const { points, outbox } = this.#parts.config;
    if (points.every(({ commands = [] }) => commands.length === 0)) return undefined;
    const commands = this.#commands;
    const desk = new LocalDesk(this.#clock, {
      points,
      give: (asked) => commands.give(asked),
      recent: (count) => commands.recent(count),
      health: () => commands.health,
    });
    try {
      const token = makeToken(this.#random, outbox.folder);
      return { token, answer: (request) => desk.answer(request) };
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#log.warn('local_token', { code: error.code, why: error.message });
      return undefined;
    }
  }

  get epoch(): string {
    return this.#parts.outbox.epoch;
  }

  /** Null without a status page. */
  get statusPort(): number | null {
    return this.#status?.port ?? null;
  }

  counters(): Counters {
    const { outbox, config } = this.#parts;
    const self = this.#collector.devices().find(({ id }) => id === SELF_DEVICE);
    return {
      ...this.#collector.totals(),
      own: self?.totals.taken ?? 0,
      givenUp: outbox.status.givenUp,
      epoch: outbox.epoch,
      points: config.points.length,
      pendingRecords: this.#uplink.counts.openRecords,
    };
  }

  health(): Health {
    const { config, outbox, links, software } = this.#parts;
    const { isUp, paths, inFlightBytes, creditBytes, refused, ackedMonoMs } = this.#uplink.counts;
    const { state, errorMs } = this.#watch.stamp;
    const { disk, bytes } = outbox.status;
    return {
      ok: disk === 'ok' && outbox.accepts,
      gateway: config.gateway.id,
      area: config.gateway.area,
      software,
      configuration: config.hash,
      collecting: this.#stopped === null,
      counters: this.counters(),
      clock: { state, errorMs },
      outbox: {
        disk,
        bytes,
        bytesMax: config.outbox.bytesMax,
        unwrittenBytes: outbox.pendingBytes,
        accepts: outbox.accepts,
      },
      uplink: {
        up: isUp,
        paths: paths.map(pathHealth),
        inFlightBytes,
        creditBytes,
        refused,
        ackAgeMs: ackedMonoMs === null ? null : Math.round(this.#clock.monoMs() - ackedMonoMs),
      },
      path: this.#path.report,
      links: this.#collector.links().map((link) => {
        const way = links.wayOf(link.id);
        return way ? { ...link, way } : link;
      }),
      devices: this.#collector.devices(),
      commands: this.#commands.health,
      fallbacks: this.#fallbacks.health,
    };
  }

  /** Nothing is due any more; what was taken is sealed and on disk when this resolves. */
  stopCollecting(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#fallbacks.close();
    await this.#commands.close(COMMAND_GRACE_MS);
    await this.#collector.stop(STOP_GRACE_MS);
    this.#sealer.flush();
    await this.#parts.outbox.flush();
  }

  /** Whether the cloud has everything, waiting for that at most so long. */
  async drained(waitMs: number): Promise<boolean> {
    const { outbox } = this.#parts;
    const endMonoMs = this.#clock.monoMs() + waitMs;
    const never = new AbortController().signal;
    const isDrained = () => this.#uplink.counts.openRecords === 0 && outbox.pendingBytes === 0;
    while (!isDrained() && this.#clock.monoMs() < endMonoMs) {
      await this.#clock.sleep(DRAIN_LOOK_MS, never);
    }
    return isDrained();
  }

  /** Stops collecting, sends for at most `drainMs` what the cloud does not have yet, and closes. */
  close(drainMs: number): Promise<void> {
    this.#closed ??= this.#close(drainMs);
    return this.#closed;
  }

  async #close(drainMs: number): Promise<void> {
    await this.stopCollecting();
    await this.#parts.links.close();
    this.#sealer.close();
    this.#path.stop();
    await this.#uplink.stop(drainMs);
    await this.#parts.outbox.close();
    await this.#status?.close();
    const { due, taken, missed, givenUp, pendingRecords } = this.counters();
    this.#log.info('agent_stopped', { due, taken, missed, givenUp, pendingRecords });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close(0);
  }

  #observe(): void {
    const metrics = this.#metrics;
    const { outbox } = this.#parts;
    const gauge = (name: string, help: string, read: () => number) =>
      metrics.observe(`edge_${name}`, help, {}, read);
    gauge('outbox_bytes', 'On disk', () => outbox.status.bytes);
    gauge('outbox_unwritten_bytes', 'Sealed and not yet on disk', () => outbox.pendingBytes);
    gauge('outbox_given_up_readings', 'Lost for want of room', () => outbox.status.givenUp);
    gauge('uplink_up', 'Whether the broker is connected', () => (this.#uplink.counts.isUp ? 1 : 0));
    for (const at of this.#uplink.counts.paths.keys()) this.#observePath(at);
    const isWhole = () => (this.#path.report.state === 'ok' ? 1 : 0);
    gauge('path_ok', 'Whether what is sent is acknowledged by the cloud', isWhole);
    gauge('uplink_open_records', 'Not acknowledged by the cloud', () => {
      return this.#uplink.counts.openRecords;
    });
    gauge('uplink_resent_records', 'Sent more than once', () => this.#uplink.counts.resent);
    gauge('uplink_refused_records', 'The cloud could not read', () => this.#uplink.counts.refused);
    gauge('sealed_records', 'Sealed since the start', () => this.#sealer.counts.records);
    gauge('sealed_bytes', 'Sealed since the start', () => this.#sealer.counts.bytes);
  }
  #observePath(at: number): void {
    const labels = { path: `${at + 1}` };
    const gauge = (name: string, help: string, read: (path: UplinkCounts['paths'][0]) => number) =>
      this.#metrics.observe(`edge_${name}`, help, labels, () =>
        read(this.#uplink.counts.paths[at]!),
      );
    gauge('uplink_path_up', 'Whether it can be sent by this path', ({ isUp }) => (isUp ? 1 : 0));
    gauge('uplink_path_silent', 'Whether nothing answers on it', (it) => (it.isSilent ? 1 : 0));
    gauge('uplink_path_connections', 'Connects, over all starts', ({ connection }) => connection);
    gauge('uplink_path_sent_bytes', 'Payloads and topics', ({ sentBytes }) => sentBytes);
  }
}
