// Two gateways with points that may be commanded, the cloud's book of commands over a database, and
// what a test says the gateways answer.
import type { DatabaseSync } from 'node:sqlite';
import { AlarmConsumer } from '../cloud/alarms/consumer.ts';
import type { JournalEntry } from '../cloud/alarms/journal.ts';
import { verify } from '../cloud/alarms/journal.ts';
import { entry, type RecordParts, record, WALL } from '../cloud/alarms/made-records.ts';
import { type Commanded, type CommandWish, wireOf } from '../cloud/commands/command.ts';
import { Commands } from '../cloud/commands/commands.ts';
import { Sending } from '../cloud/commands/sending.ts';
import type { SeriesEntry } from '../cloud/inbox/decoded.ts';
import type { Principal } from '../cloud/registry/registry.ts';
import { SimClock } from '../core/clock.ts';
import type { CommandOffer } from '../core/command.ts';
import { seededRandom } from '../core/random.ts';
import type { Command, Reply } from '../protocols/uplink/control.ts';

export const EPOCH = '7-00000000000000aa';
export const T0 = WALL + 60_000;

export const offer = (changes: Partial<CommandOffer>): CommandOffer => ({
  ...{ id: 'stop', title: { en: 'Stop', zh: '停止' }, fixed: false, range: null, states: null },
  ...{ right: 'control', twoPeople: false, everyMs: 0, timeToLiveMs: 30_000, revert: null },
  ...changes,
});

type Place = readonly [gateway: string, device: string, point: string, asset: string];

export function offering(series: number, place: Place, commands: readonly CommandOffer[]) {
  const [gateway, device, point, asset] = place;
  const { definition } = entry(series, []);
  const own = { device, point, asset, unit: '%', commands };
  return { series, gateway, definition: { ...definition, ...own } } satisfies SeriesEntry;
}

const set = { id: 'set', title: { en: 'Set', zh: '设定' }, fixed: null } as const;

/** gw-1: a fan in well 1 and a valve of two people in well 2; gw-2: a siren. */
export const plantPoints: Readonly<Record<string, readonly SeriesEntry[]>> = {
  'gw-1': [
    offering(
      1,
      ['gw-1', 'fan-2', 'run', 'gas/well-1'],
      [
        offer({}),
        offer({ id: 'start', title: { en: 'Start', zh: '启动' }, fixed: true, right: 'operate' }),
      ],
    ),
    offering(
      2,
      ['gw-1', 'fan-2', 'speed', 'gas/well-1'],
      [offer({ ...set, range: [0, 100], everyMs: 5_000 })],
    ),
    offering(
      3,
      ['gw-1', 'valve-1', 'mode', 'gas/well-2'],
      [offer({ ...set, states: [0, 1, 2], twoPeople: true })],
    ),
    offering(4, ['gw-1', 'fan-2', 'hours', 'gas/well-1'], []),
  ],
  'gw-2': [
    offering(5, ['gw-2', 'siren-1', 'sound', 'city/hall'], [offer({ id: 'on', fixed: 1n })]),
  ],
};

export const li: Principal = { name: 'li', right: 'control', scope: '' };
export const zhang: Principal = { name: 'zhang', right: 'control', scope: '' };

export const wish = (changes: Partial<CommandWish> = {}): CommandWish => ({
  ...{ id: null, gateway: 'gw-1', device: 'fan-2', point: 'run', command: 'stop', value: null },
  ...{ why: 'smoke test', timeToLiveMs: null },
  ...changes,
});

export const valve = (changes: Partial<CommandWish> = {}) =>
  wish({ device: 'valve-1', point: 'mode', command: 'set', value: 1, ...changes });

export class CommandedPlant {
  readonly clock = new SimClock(T0);
  readonly database: DatabaseSync;
  readonly points: Record<string, readonly SeriesEntry[]> = { ...plantPoints };
  readonly online = new Set(['gw-1', 'gw-2']);
  /** What went to the broker, in order. */
  readonly published: Command[] = [];
  readonly #random = seededRandom(7);
  readonly #sequences = new Map<string, number>();
  alarms!: AlarmConsumer;
  commands!: Commands;
  sending!: Sending;

  constructor(database: DatabaseSync) {
    this.database = database;
    this.start();
  }

  /** What was only in memory is gone. */
  start(): void {
    this.alarms = new AlarmConsumer(this.database);
    const isOnline = (gateway: string) => this.online.has(gateway);
    this.commands = new Commands(this.#random, this.database, {
      ...{ alarms: this.alarms, isOnline },
      gateways: () => Object.keys(this.points),
      pointsOf: (gateway) => this.points[gateway] ?? [],
    });
    const publish = (command: Commanded) => this.published.push(wireOf(command));
    this.sending = new Sending(this.clock, this.#random, { isOnline, publish });
  }

  /** A record of a gateway comes, of the epoch given. */
  record(gateway = 'gw-1', epoch = EPOCH, parts: Partial<RecordParts> = {}): void {
    const sequence = (this.#sequences.get(`${gateway} ${epoch}`) ?? 0) + 1;
    this.#sequences.set(`${gateway} ${epoch}`, sequence);
    const made = record({ sequence, epoch, receivedMs: this.nowMs, ...parts });
    this.alarms.apply([{ ...made, row: { ...made.row, gateway } }], this.nowMs);
  }

  get nowMs(): number {
    return this.clock.wallMs();
  }

  ask(what: CommandWish, who: Principal = li): Commanded {
    const asked = this.commands.ask(what, who, '10.0.0.1', this.nowMs);
    this.turn();
    return asked;
  }

  /** As after each transaction of the running cloud. */
  turn(): void {
    this.alarms.tick(this.nowMs);
    this.commands.drain();
    this.sending.turn(this.commands.issued());
  }

  decide(id: string, isGiven: boolean, who: Principal): void {
    const approval = this.alarms.approvals.pending(this.nowMs).find(({ what }) => what === id);
    const actor = { name: who.name, from: '10.0.0.2' };
    this.alarms.approve(approval?.id ?? 0, isGiven, actor, this.nowMs);
    this.turn();
  }

  reply(id: string, changes: Partial<Reply> = {}, gateway = 'gw-1') {
    const reply: Reply = {
      ...{ id, outcome: 'done', reason: 'none', detail: '', epoch: EPOCH, monoMs: 90_000 },
      ...{ readBack: false, issued: null },
      ...changes,
    };
    const heard = this.commands.heard(gateway, 'gas', reply, this.nowMs);
    this.turn();
    return heard;
  }

  journal(what: string): readonly JournalEntry[] {
    return this.alarms.journal(0, 1_000, what);
  }

  /** Kinds of the entries about one command. */
  kinds(id: string): string[] {
    return this.journal(id).map(({ kind }) => kind);
  }

  async flaws() {
    const { flaws } = await verify(this.alarms.tables.journal, [], [], async () => {});
    return flaws;
  }
}
