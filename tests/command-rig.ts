// A door of a gateway on a simulated clock: a real ledger on disk, and a device that counts what it
// is told. It can be stopped dead between any two steps and started again.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimClock } from '../core/clock.ts';
import type { CommandOffer, Interlock } from '../core/command.ts';
import { Fault } from '../core/fault.ts';
import { silentLog } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import type { PointDefinition } from '../core/point.ts';
import { GOOD, qualityCode } from '../core/quality.ts';
import type { Value } from '../core/reading.ts';
import type { ProfileCommand } from '../device-profiles/profile.ts';
import type { Shown } from '../edge/collect/device.ts';
import type { Newest } from '../edge/commands/decide.ts';
import type { CommandedDevice } from '../edge/commands/deed.ts';
import { Door, type DoorParts } from '../edge/commands/door.ts';
import type { CommandLedger, LedgerOptions, Standing } from '../edge/commands/ledger.ts';
import type { Ledger } from '../edge/commands/thread.ts';
import { SealTimes } from '../edge/seal-times.ts';
import type { Written } from '../protocols/driver.ts';
import type { Command, Reply } from '../protocols/uplink/control.ts';
import { decodeReply, encodeCommand } from '../protocols/uplink/control.ts';
import { dyingLedger } from './dying-ledger.ts';
import { Life } from './world/timeline.ts';

const title = { en: 'x', zh: 'x' };

export const offer = (more: Partial<CommandOffer> = {}): CommandOffer => ({
  id: 'set',
  title,
  fixed: null,
  range: [0, 100],
  states: null,
  right: 'control',
  twoPeople: false,
  everyMs: 0,
  timeToLiveMs: 30_000,
  revert: null,
  ...more,
});

export const pointOf = (
  point: string,
  commands: readonly CommandOffer[],
  more: Partial<PointDefinition> = {},
): PointDefinition => ({
  ...{ device: 'fan', point, name: title, unit: '1', type: 'number', scale: 1, offset: 0 },
  ...{ range: null, class: 'trend', periodMs: 1_000, deadband: 0, asset: null, rules: [] },
  commands,
  ...more,
});

export const points: readonly PointDefinition[] = [
  pointOf('speed', [
    offer(),
    offer({ id: 'full', fixed: 100, range: null }),
    offer({ id: 'brief', revert: { afterMs: 60_000, value: 0 } }),
  ]),
  pointOf(
    'run',
    [
      offer({ id: 'start', fixed: true, range: null, twoPeople: true }),
      offer({ id: 'stop', fixed: false, range: null }),
    ],
    { type: 'boolean' },
  ),
  pointOf('seldom', [offer({ everyMs: 10_000 })]),
  pointOf('blind', [offer()]),
  pointOf('quiet', []),
];

export const interlock: Interlock = {
  ...{ id: 'gas-high', title, device: 'fan', point: 'run', commands: ['stop'], values: null },
  watch: 'gas/ch4',
  holds: { kind: 'above', limit: 20 },
  staleMs: 30_000,
};

const how = new Map(
  points.map(({ point, type, commands = [] }) => [
    `fan/${point}`,
    commands.map(
      (one): ProfileCommand => ({
        offer: one,
        address: point,
        ...{ scale: 1, offset: 0, wants: type, words: null },
        readBack: point === 'blind' ? null : { withinMs: 2_000, tolerance: 0 },
      }),
    ),
  ]),
);

/** Keeps what is written, and counts it; where the power fails it goes no further. */
export class CountingDevice implements CommandedDevice {
  readonly writes: { readonly address: string; readonly value: Value; readonly atMs: number }[] =
    [];
  readonly values = new Map<string, Value>();
  /** What becomes of a write: done unless it says otherwise. */
  mood: 'well' | 'down' | 'refuses' | 'silent' | 'silent but does it' | 'unread' | 'other' = 'well';
  /** How long a write waits for its turn, and then takes. */
  turnMs = 0;
  takesMs = 10;
  readonly #clock: SimClock;
  life: Life;

  constructor(clock: SimClock, life: Life) {
    this.#clock = clock;
    this.life = life;
  }

  async write(
    address: unknown,
    value: Value,
    signal: AbortSignal,
    mayGo: () => boolean,
  ): Promise<Written> {
    const { life } = this;
    const failed = (code: 'no_connection' | 'device_timeout' | 'modbus_exception_2') =>
      new Fault(code, 'later', 'fan');
    if (this.mood === 'down') return { fault: failed('no_connection'), lineMs: 0, sure: 'unsent' };
    await this.#clock.sleep(this.turnMs, signal);
    if (!life.survives('device before write')) return new Promise(() => {});
    if (!mayGo()) return { fault: failed('no_connection'), lineMs: 0, sure: 'unsent' };
    this.writes.push({ address: `${address}`, value, atMs: this.#clock.monoMs() });
    if (this.mood === 'refuses') {
      return { fault: failed('modbus_exception_2'), lineMs: 1, sure: 'refused' };
    }
    if (this.mood !== 'silent') this.values.set(`${address}`, value);
    if (!life.survives('device after write')) return new Promise(() => {});
    await this.#clock.sleep(this.takesMs, signal);
    if (!life.isAlive) return new Promise(() => {});
    const isSilent = this.mood === 'silent' || this.mood === 'silent but does it';
    return { fault: isSilent ? failed('device_timeout') : null, lineMs: 1 };
  }

  async look(point: string): Promise<Shown | null> {
    if (!this.life.survives('device before look')) return new Promise(() => {});
    const atMonoMs = this.#clock.monoMs();
    if (this.mood === 'unread') {
      return { raw: null, quality: qualityCode('bad', 'timeout'), atMonoMs };
    }
    const raw = this.mood === 'other' ? 55 : (this.values.get(point) ?? 0);
    return { raw, quality: GOOD, atMonoMs };
  }
}

export class CommandRig {
  readonly folder: string;
  readonly clock: SimClock;
  readonly device: CountingDevice;
  readonly replies: Reply[] = [];
  readonly newest = new Map<string, Newest>();
  readonly standing = new Map<string, Standing>();
  readonly metrics = new Metrics();
  isDiskFull = false;
  life = new Life(() => {});
  door: Door;
  times = new SealTimes();
  opening = 0;
  openedMonoMs = 0;
  ledgerOptions: Partial<LedgerOptions> = {};
  onSettled: NonNullable<DoorParts['settled']> = () => {};
  #ledger: CommandLedger | null = null;

  constructor(clock = new SimClock()) {
    this.clock = clock;
    const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
    this.folder = mkdtempSync(join(base, 'commands-'));
    this.device = new CountingDevice(clock, this.life);
    this.door = this.#boot();
  }

  get path(): string {
    return join(this.folder, 'commands.sqlite');
  }

  get epoch(): string {
    return `${this.opening}-00000000000000a${this.opening % 10}`;
  }

  async start(): Promise<this> {
    await this.door.start();
    return this;
  }

  /** Another run of the gateway, after an end of whatever kind. */
  async restart(): Promise<void> {
    this.kill();
    this.door = this.#boot();
    await this.door.start();
  }

  kill(): void {
    this.life.end('test');
    this.#ledger?.close();
    this.#ledger = null;
  }

  close(): void {
    this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #boot(): Door {
    this.opening++;
    const life = new Life(() => {});
    this.life = life;
    this.device.life = life;
    const times = new SealTimes();
    this.times = times;
    this.openedMonoMs = this.clock.monoMs();
    const { epoch } = this;
    return new Door(this.clock, silentLog, this.metrics, {
      ...{ epoch, openedMonoMs: this.openedMonoMs, times, points, how, interlocks: [interlock] },
      newest: (point) => this.newest.get(point),
      device: (id) => (id === 'fan' ? this.device : undefined),
      openLedger: async () => this.#openLedger(life),
      reply: (payload) => {
        if (life.survives('before reply')) this.replies.push(decodeReply(payload));
        life.survives('after reply');
      },
      settled: (...settled) => this.onSettled(...settled),
      stands: (key, standing) => {
        if (standing) this.standing.set(key, standing);
        else this.standing.delete(key);
      },
    });
  }

  #openLedger(life: Life): Ledger {
    const options = { path: this.path, epoch: this.epoch, ...this.ledgerOptions };
    const { ledger, port } = dyingLedger(options, life, () => this.isDiskFull);
    this.#ledger = ledger;
    return port;
  }

  /** Seals a record: what an issuer can have seen. */
  seal(): number {
    const sequence = this.times.last + 1;
    this.times.note(sequence, this.clock.monoMs() - this.openedMonoMs);
    return sequence;
  }

  command(more: Partial<Command> = {}): Command {
    return {
      ...{ id: 'c-1', issuer: 'anna', epoch: this.epoch, sequence: this.times.last },
      ...{ timeToLiveMs: 30_000, device: 'fan', point: 'speed', command: 'set', value: 40 },
      ...{ second: '', why: 'test' },
      ...more,
    };
  }

  take(more: Partial<Command> = {}): Command {
    const command = this.command(more);
    this.door.take(encodeCommand(command));
    return command;
  }

  /** Takes it and lets it come to its end. */
  async outcome(more: Partial<Command> = {}, waitMs = 10_000): Promise<string> {
    const before = this.replies.length;
    this.take(more);
    await this.clock.advance(waitMs);
    return this.replies.slice(before).map(brief).join(', ');
  }
}

export function brief({ outcome, reason, detail, readBack }: Reply): string {
  const shown = readBack === null ? '' : ` shows ${readBack}`;
  return `${outcome}/${reason}${detail ? ` ${detail}` : ''}${shown}`;
}
