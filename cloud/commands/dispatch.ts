// Joins the book of commands with what is around it: the broker, the live stream, the counters.
import type { Clock } from '../../core/clock.ts';
import { isFault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import { foreign } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import { decodeReply, encodeCommand } from '../../protocols/uplink/control.ts';
import { kinds, topicOf } from '../../protocols/uplink/topics.ts';
import { alarmObject } from '../api/alarm-routes.ts';
import { commandObject } from '../api/command-routes.ts';
import type { EventStream } from '../api/stream.ts';
import { isFull } from '../inbox/file.ts';
import type { GatewayAnswer, GatewayPresence, Ingest } from '../ingest/ingest.ts';
import { connectionsOf } from '../ingest/presence.ts';
import { Ledger } from '../notify/ledger.ts';
import type { Registry } from '../registry/registry.ts';
import { wireOf } from './command.ts';
import type { CommandOptions } from './commands.ts';
import { Commands } from './commands.ts';
import { Sending } from './sending.ts';
import { SiteActs } from './site-acts.ts';

export interface DispatchOptions extends Omit<CommandOptions, 'gateways' | 'isOnline'> {
  readonly registry: Pick<Registry, 'database' | 'gateways'>;
  readonly ingest: Pick<Ingest, 'publish'>;
  readonly stream: EventStream;
}

export class Dispatch {
  readonly commands: Commands;
  readonly siteActs: SiteActs;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #stream: EventStream;
  readonly #sending: Sending;
  readonly #presence = new Map<string, GatewayPresence>();

  constructor(clock: Clock, random: Random, log: Log, metrics: Metrics, options: DispatchOptions) {
    const { registry, ingest, stream, alarms, pointsOf } = options;
    this.#clock = clock;
    this.#log = log;
    this.#metrics = metrics;
    this.#stream = stream;
    const isOnline = (gateway: string) => this.#presence.get(gateway)?.online === true;
    const gateways = () => registry.gateways().map(({ id }) => id);
    this.commands = new Commands(random, registry.database, {
      ...{ alarms, gateways, pointsOf, isOnline },
    });
    const ledger = new Ledger(registry.database);
    this.siteActs = new SiteActs(registry.database, { alarms, ledger });
    this.#sending = new Sending(clock, random, {
      isOnline,
      publish: (command) => {
        const { qos, retain } = kinds.command;
        const topic = topicOf(command.area, command.gateway, 'command');
        void ingest.publish(topic, encodeCommand(wireOf(command)), { qos, retain });
      },
    });
    const help = 'Commands without an outcome that were issued';
    metrics.observe('commands_open', help, {}, () => this.commands.issued().length);
  }

  /** After each transaction, and once a second: what happened is told, what is due is sent. */
  told(): void {
    for (const { kind, command } of this.commands.drain()) {
      const data = JSON.stringify(commandObject(command));
      const assets = [command.asset];
      this.#stream.publish({ topic: 'commands', name: `command.${kind}`, data, assets });
      if (kind === 'settled') this.#count(command.state);
    }
    for (const { act, alarm } of this.siteActs.drain()) {
      const { outcome, reason, detail, fallback, output, value, why } = act;
      const site = { fallback, output, value, outcome, reason, detail, why };
      const data = JSON.stringify({ ...alarmObject(alarm), site });
      const name = act.act === 'fire' ? 'alarm.fallback-fired' : 'alarm.fallback-released';
      this.#stream.publish({ topic: 'alarms', name, data, assets: [alarm.asset] });
    }
    this.#sending.turn(this.commands.issued());
  }

  /** A reply. One that nobody can read is told in the log; the gateway's repeat brings no better. */
  answer({ area, gateway, payload }: GatewayAnswer): void {
    try {
      const reply = decodeReply(payload);
      const heard = this.commands.heard(gateway, area, reply, this.#clock.wallMs());
      const help = 'Replies of gateways to commands, by what they turned out to be';
      this.#metrics.counter('command_replies_total', help, { kind: heard }).add();
      if (heard !== 'stranger') this.siteActs.heard(gateway, reply, this.#clock.wallMs());
      else this.#log.warn('command_stranger', { gateway, id: foreign(reply.id) });
    } catch (error) {
      // Without room on the disk nothing is recorded: the command is asked again, and answered.
      if (!isFault(error) && !isFull(error)) throw error;
      this.#log.warn('command_reply_refused', { gateway, why: foreign(String(error)) });
    }
    this.told();
  }

  /** A gateway came, went, or has connected anew. */
  presence(now: GatewayPresence): void {
    const before = this.#presence.get(now.gateway);
    this.#presence.set(now.gateway, now);
    if (!now.online) return;
    if (before?.online && connectionsOf(before) === connectionsOf(now)) return;
    const own = new Set(
      this.commands.issued().flatMap(({ id, gateway }) => (gateway === now.gateway ? [id] : [])),
    );
    this.#sending.connected((id) => own.has(id));
    this.#sending.turn(this.commands.issued());
  }

  /** The cloud is at the broker again, which may have lost what was sent. */
  brokerUp(): void {
    this.#sending.connected();
    this.#sending.turn(this.commands.issued());
  }

  #count(outcome: string): void {
    const help = 'Commands that have their outcome';
    this.#metrics.counter('commands_settled_total', help, { outcome }).add();
  }
}
