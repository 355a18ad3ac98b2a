// Commands at a gateway, put together: what interlocks look at, the door, and the effects that are
// reversed when the cloud stays away. A gateway whose file allows no command and that never had one
// opens no ledger and pays for none of this.
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import type { Value } from '../../core/reading.ts';
import type { ProfileCommand } from '../../device-profiles/profile.ts';
import type { Command, Reply } from '../../protocols/uplink/control.ts';
import type { GatewayConfig } from '../config/gateway.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { SealTimes } from '../seal-times.ts';
import type { Asking, Newest, Refusal } from './decide.ts';
import { FALLBACK_ISSUER, offerOf, REVERSAL_ISSUER } from './decide.ts';
import type { CommandedDevice } from './deed.ts';
import type { LastOutcome } from './door.ts';
import { Door } from './door.ts';
import { LEDGER_FILE } from './ledger.ts';
import type { PendingReversal } from './reversals.ts';
import { Reversals } from './reversals.ts';
import type { Ledger } from './thread.ts';
import { openLedgerThread } from './thread.ts';
import { Watch } from './watch.ts';

const ID_BYTES = 16;
/** What somebody asks here is for now. */
const TIME_TO_LIVE_DEFAULT_MS = 30_000;
/** It is as old as the newest record, which may be ten seconds, and waits for its turn besides. */
const FALLBACK_TIME_TO_LIVE_MS = 60_000;

export interface CommandsParts {
  readonly config: Pick<
    GatewayConfig,
    'points' | 'devices' | 'interlocks' | 'outbox' | 'fallbacks'
  >;
  readonly outbox: Pick<Outbox, 'epoch' | 'openedMonoMs'>;
  /** Default: in a thread of its own, beside the outbox. */
  readonly openLedger?: (path: string) => Promise<Ledger>;
  readonly times: SealTimes;
  device(id: string): CommandedDevice | undefined;
  isReached(device: string): boolean;
  reply(payload: Uint8Array): void;
  heardMonoMs(): number | null;
  /** An outcome is recorded, whoever asked. */
  settled?(command: Command, reply: Reply, asking: Asking): void;
}

/** What the local fallback commands by. */
export interface FallbackDoor {
  command(
    about: Omit<Command, 'epoch' | 'sequence' | 'timeToLiveMs' | 'issuer' | 'second'>,
  ): Command;
  against(command: Command): Refusal | null;
  isReached(device: string): boolean;
  give(command: Command): Promise<Reply>;
  /** Of this or an earlier run; null where nothing is recorded, or can be read now. */
  recorded(id: string): Promise<Reply | null>;
  recent(count: number): Promise<readonly Reply[]>;
  newest(point: string): Newest | undefined;
}

export interface CommandsHealth {
  /** Points with something that may be commanded. */
  readonly offered: number;
  readonly open: number;
  readonly ledger: 'open' | 'unavailable' | 'unused';
  readonly last: LastOutcome | null;
  readonly reversals: readonly PendingReversal[];
}

/** What a person at the gateway asks for. */
export interface LocalCommand {
  readonly device: string;
  readonly point: string;
  readonly command: string;
  readonly value: Value;
  readonly why: string;
  readonly issuer: string;
  /** Who released it; '' for nobody. */
  readonly second: string;
}

export class Commands {
  readonly onlooker: Watch;
  readonly #random: Random;
  readonly #parts: CommandsParts;
  readonly #door: Door;
  readonly #reversals: Reversals;
  readonly #offered: number;
  /** Resolves once the door is open; null while nobody ever came. */
  #opening: Promise<void> | null = null;
  /** The clock of the last word of the cloud that is no ack: a command is one, too. */
  #heardMonoMs: number | null = null;
  readonly #clock: Clock;

  constructor(clock: Clock, random: Random, log: Log, metrics: Metrics, parts: CommandsParts) {
    const { config, outbox, times } = parts;
    const { points, interlocks, fallbacks } = config;
    this.#clock = clock;
    this.#random = random;
    this.#parts = parts;
    const outputs = fallbacks.map(({ output: { device, point } }) => `${device}/${point}`);
    this.onlooker = new Watch(points, interlocks, outputs);
    this.#offered = points.filter(({ commands = [] }) => commands.length > 0).length;
    this.#door = new Door(clock, log, metrics, {
      ...{ epoch: outbox.epoch, openedMonoMs: outbox.openedMonoMs, times, points, interlocks },
      how: howOf(config),
      newest: (point) => this.onlooker.newest(point),
      device: parts.device,
      openLedger: () => this.#openLedger(),
      reply: parts.reply,
      settled: (...settled) => parts.settled?.(...settled),
      stands: (key, standing) => this.#reversals.stands(key, standing),
    });
    this.#reversals = new Reversals(clock, random, log, {
      points,
      heardMonoMs: () => later(parts.heardMonoMs(), this.#heardMonoMs),
      command: (about) => this.#command({ ...about, issuer: REVERSAL_ISSUER, second: '' }),
      against: (command) => this.#door.against(command, 'reversal'),
      isReached: parts.isReached,
      give: (command) => this.#door.give(command, 'reversal'),
      keep: (standing) => this.#door.keepStanding(standing),
    });
    const help = 'Effects to be reversed when the cloud stays away';
    metrics.observe('edge_command_reversals', help, {}, () => this.#reversals.pending.length);
  }

  /** Resolves once commands are taken, or are refused because the disk does not let them be. */
  async start(): Promise<void> {
    if (this.#offered > 0) await this.#open();
  }

  /**
   * Where nothing is offered the first command opens the ledger: an earlier run may have had one.
   */
  #open(): Promise<void> {
    this.#opening ??= this.#door.start();
    return this.#opening;
  }

  take(payload: Uint8Array): void {
    this.#heardMonoMs = this.#clock.monoMs();
    void this.#open().then(() => this.#door.take(payload));
  }

  connected(): void {
    this.#door.connected();
  }

  async give(asked: LocalCommand): Promise<Reply> {
    await this.#open();
    const id = `local-${Buffer.from(this.#random.bytes(ID_BYTES)).toString('hex')}`;
    return await this.#door.give(this.#command({ ...asked, id }), 'somebody');
  }

  recent(count: number): Promise<readonly Reply[]> {
    return this.#door.recent(count);
  }

  get forFallback(): FallbackDoor {
    return {
      command: (about) => ({
        ...this.#command({ ...about, issuer: FALLBACK_ISSUER, second: '' }),
        timeToLiveMs: FALLBACK_TIME_TO_LIVE_MS,
      }),
      against: (command) => this.#door.against(command, 'fallback'),
      isReached: this.#parts.isReached,
      give: async (command) => {
        await this.#open();
        return await this.#door.give(command, 'fallback');
      },
      recorded: (id) => this.#door.recorded(id),
      recent: (count) => this.#door.recent(count),
      newest: (point) => this.onlooker.newest(point),
    };
  }

  get health(): CommandsHealth {
    const { open, ledger, last } = this.#door.status;
    const reversals = this.#reversals.pending;
    return {
      offered: this.#offered,
      open,
      ledger: this.#opening ? ledger : 'unused',
      last,
      reversals,
    };
  }

  async close(graceMs: number): Promise<void> {
    this.#reversals.close();
    await this.#opening;
    await this.#door.close(graceMs);
  }

  #openLedger(): Promise<Ledger> {
    const { config, outbox, openLedger } = this.#parts;
    const path = join(config.outbox.folder, LEDGER_FILE);
    return openLedger ? openLedger(path) : openLedgerThread({ path, epoch: outbox.epoch });
  }

  /** As old as this moment. */
  #command(about: Omit<Command, 'epoch' | 'sequence' | 'timeToLiveMs'>): Command {
    const { config, outbox, times } = this.#parts;
    const { device, point, command } = about;
    const found = config.points.find((one) => one.device === device && one.point === point);
    const timeToLiveMs =
      (found && offerOf(found, command)?.timeToLiveMs) ?? TIME_TO_LIVE_DEFAULT_MS;
    return { ...about, epoch: outbox.epoch, sequence: times.last, timeToLiveMs };
  }
}

function howOf({
  devices,
}: Pick<GatewayConfig, 'devices'>): Map<string, readonly ProfileCommand[]> {
  const how = new Map<string, readonly ProfileCommand[]>();
  for (const { id, groups } of devices) {
    for (const { points } of groups) {
      for (const { profile, definition } of points) {
        if (definition.commands?.length)
          how.set(`${id}/${definition.point}`, profile.commands ?? []);
      }
    }
  }
  return how;
}

function later(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.max(one, other);
}
