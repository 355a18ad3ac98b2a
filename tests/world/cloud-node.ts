// The cloud of the world: the real ingest, inbox, feed, alarms, notify and commands, wired as cloud.ts wires
// them, with their threads as places on one simulated clock. Its folder and its store outlive it; the
// rest dies with the process. Kills fall between commit and ack, inside and behind a transaction,
// between evaluation, journal and delivery.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AlarmConsumer } from '../../cloud/alarms/consumer.ts';
import type { AlarmEvent } from '../../cloud/alarms/occurrences.ts';
import { EventStream } from '../../cloud/api/stream.ts';
import type { CommandWish } from '../../cloud/commands/command.ts';
import type { Commands } from '../../cloud/commands/commands.ts';
import { Dispatch } from '../../cloud/commands/dispatch.ts';
import { Current } from '../../cloud/current.ts';
import { Follower } from '../../cloud/follow.ts';
import { type ArrivedRecord, InboxCore, type PutResult } from '../../cloud/inbox/core.ts';
import type { DecodedRecord, SeriesEntry } from '../../cloud/inbox/decoded.ts';
import { isFull } from '../../cloud/inbox/file.ts';
import { InboxReader } from '../../cloud/inbox/reader.ts';
import { IngestCore, type Outgoing } from '../../cloud/ingest/core.ts';
import type { Word } from '../../cloud/notify/answers.ts';
import { Downward } from '../../cloud/notify/downward.ts';
import type { Confirmed } from '../../cloud/notify/ledger.ts';
import type { Delivery } from '../../cloud/notify/notifier.ts';
import { Registry } from '../../cloud/registry/registry.ts';
import { Feed } from '../../cloud/store/feed.ts';
import { MemoryStore } from '../../cloud/store/memory.ts';
import type { Store } from '../../cloud/store/store.ts';
import type { Clock } from '../../core/clock.ts';
import { Fault, isFault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import {
  decodeCloudStatus,
  decodeCommand,
  encodeCloudStatus,
  encodeCommand,
} from '../../protocols/uplink/control.ts';
import { CLOUD_STATUS_TOPIC, KEEPALIVE_SECONDS, upFilters } from '../../protocols/uplink/topics.ts';
import { Aftermath } from './aftermath.ts';
import type { SimBroker } from './broker.ts';
import { SimLink } from './broker.ts';
import type { CommandDesk } from './command-desk.ts';
import { diskFull, WorldLedger, WorldPipeline } from './delivery.ts';
import type { Desk } from './desk.ts';
import { directory, quotas, routes } from './duty.ts';
import { brief } from './edge-node.ts';
import type { Mutant } from './mutants.ts';
import type { People } from './people.ts';
import type { Timeline, WallClock } from './timeline.ts';
import { Killed, Life, NodeClock } from './timeline.ts';
import type { Witness } from './witness.ts';

const INBOX_BYTES_MAX = 64 * 1024 * 1024;
const TICK_MS = 1_000;
/** Longer than in the product: fewer, larger groups make a world cheaper. */
const GROUP_WAIT_MS = 1_000;
const STORE_RETRY_MS = 2_000;

/** Between any two steps of a command at the cloud. */
export const COMMAND_PLACES = [
  'cloud before book',
  'cloud in book',
  'cloud after book',
  'cloud before command',
  'cloud after command',
] as const;

export interface CloudOptions {
  readonly timeline: Timeline;
  /** One it always has, and perhaps another one. */
  readonly brokers: readonly SimBroker[];
  readonly witness: Witness;
  readonly random: Random;
  readonly folder: string;
  readonly gateways: readonly string[];
  readonly desk: Desk;
  readonly people: People;
  /** Some gateways wait for confirmations. */
  readonly hasSites: boolean;
  /** Null where nobody commands anything. */
  readonly commandDesk: CommandDesk | null;
  readonly mutant: Mutant;
  readonly onDeath: (place: string) => void;
  /** After each batch that the alarms took, when it is shown. */
  readonly onShown: (records: readonly DecodedRecord[], cloud: CloudNode) => void;
}

export interface CloudDisk {
  isFull: boolean;
  /** The disk of the registry: alarms, journal, deliveries. */
  isRegistryFull: boolean;
  /** The store neither takes nor refuses anything. */
  isStoreHung: boolean;
}

/** The inbox with places to die at, and a disk that may be full. */
class WorldInbox extends InboxCore {
  life!: Life;
  disk!: CloudDisk;
  witness!: Witness;
  #put: ArrivedRecord[] = [];

  override put(record: ArrivedRecord): PutResult {
    const result = super.put(record);
    if (result.kind === 'stored') this.#put.push(record);
    return result;
  }

  override hasRoom(): boolean {
    return !this.disk.isFull && super.hasRoom();
  }

  override commit(): { readonly lastRow: number } {
    const put = this.#put;
    this.#put = [];
    this.life.pass('cloud before inbox commit');
    if (this.disk.isFull) {
      this.rollback();
      throw diskFull();
    }
    const committed = super.commit();
    for (const { envelope } of put) this.witness.stored(envelope.epoch, envelope.sequence);
    this.life.pass('cloud after inbox commit');
    return committed;
  }
}

/** The alarms with places to die at. */
class WorldAlarms extends AlarmConsumer {
  life!: Life;
  onRecords: (records: readonly DecodedRecord[]) => void = () => {};
  onEvents: (events: readonly AlarmEvent[]) => void = () => {};

  arm(life: Life, disk: CloudDisk): void {
    this.life = life;
    const transact = this.tables.transact.bind(this.tables);
    this.tables.transact = (work) =>
      transact(() => {
        const result = work();
        life.pass('cloud before journal commit');
        if (disk.isRegistryFull) throw diskFull();
        return result;
      });
  }

  override apply(records: readonly DecodedRecord[], nowMs: number): AlarmEvent[] {
    this.life.pass('cloud before evaluation');
    this.onRecords(records);
    return this.#told(super.apply(records, nowMs));
  }

  override tick(nowMs: number): AlarmEvent[] {
    return this.#told(super.tick(nowMs));
  }

  override presence(...heard: Parameters<AlarmConsumer['presence']>): AlarmEvent[] {
    return this.#told(super.presence(...heard));
  }

  /** What people do and gateways answer: commands. */
  override together(work: () => void): AlarmEvent[] {
    this.life.pass('cloud before book');
    const events = super.together(() => {
      work();
      this.life.pass('cloud in book');
    });
    this.life.pass('cloud after book');
    return events;
  }

  #told(events: AlarmEvent[]): AlarmEvent[] {
    this.onEvents(events);
    this.life.pass('cloud after journal commit');
    return events;
  }
}

export class CloudNode {
  readonly options: CloudOptions;
  readonly wall: WallClock = { errorMs: 0 };
  readonly disk: CloudDisk = { isFull: false, isRegistryFull: false, isStoreHung: false };
  isWanted = true;
  store = new MemoryStore();
  life: Life;
  #parts: Parts | null = null;

  constructor(options: CloudOptions) {
    this.options = options;
    this.life = Life.over();
  }

  get isRunning(): boolean {
    return this.#parts !== null && this.life.isAlive;
  }

  get parts(): Parts {
    if (!this.#parts) throw new Error('the cloud does not run');
    return this.#parts;
  }

  async start(): Promise<void> {
    if (this.life.isAlive) return;
    this.#closeFiles();
    const life = new Life((place) => this.#died(place));
    this.life = life;
    const parts = new Parts(this, life);
    this.#parts = parts;
    try {
      await parts.start();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    this.options.witness.say('cloud', `started, store ${parts.inbox.storeId.slice(0, 8)}`);
  }

  kill(): void {
    this.life.end('between events');
  }

  /** Somebody asks by the API. Null: nobody heard an answer, whatever was done. */
  call<Answer>(work: (parts: Parts) => Answer): Answer | null {
    let answer: Answer | null = null;
    this.life.run(() => {
      try {
        answer = work(this.parts);
      } catch (error) {
        if (!isFull(error)) throw error;
      }
    });
    return answer;
  }

  /** The folder and the store are lost; only while it is off. */
  wipe(): void {
    this.#closeFiles();
    rmSync(this.options.folder, { recursive: true, force: true });
    this.store = new MemoryStore();
    this.options.witness.storeWiped();
    this.options.witness.say('cloud', 'everything it had is gone');
  }

  close(): void {
    this.life.end('world over');
    this.#closeFiles();
  }

  #died(place: string): void {
    const { witness, timeline, onDeath } = this.options;
    witness.say('cloud', `killed ${place}`);
    for (const link of this.#parts?.links ?? []) timeline.after(0, () => link.vanish());
    onDeath(place);
  }

  #closeFiles(): void {
    this.#parts?.closeFiles();
    this.#parts = null;
  }
}

/** One process of the cloud. */
export class Parts {
  readonly inbox: WorldInbox;
  readonly alarms: WorldAlarms;
  readonly aftermath: Aftermath;
  readonly current = new Current();
  readonly series: Map<number, SeriesEntry>;
  readonly reader: InboxReader;
  readonly ledger: WorldLedger;
  readonly pipeline: WorldPipeline;
  readonly links: readonly SimLink[];
  readonly #dispatch: Dispatch | null;
  /** Null where no gateway waits for a confirmation. */
  readonly #downward: Downward | null;
  readonly #cloud: CloudNode;
  readonly #life: Life;
  readonly #clock: Clock;
  readonly #registry: Registry;
  readonly #storeReader: InboxReader;
  readonly #ingest: IngestCore;
  readonly #follower: Follower;
  readonly #feed: Feed;
  readonly #passed = { store: 0, alarms: 0 };
  #isWaiting = false;
  #isFeeding = false;
  #known = 0;

  constructor(cloud: CloudNode, life: Life) {
    const { timeline, random, folder, mutant, witness, desk, brokers } = cloud.options;
    this.#cloud = cloud;
    this.#life = life;
    mkdirSync(folder, { recursive: true });
    this.#clock = new NodeClock(timeline, life, cloud.wall, timeline.nowMs - 5_000);
    this.#registry = new Registry(random, join(folder, 'registry'));
    this.alarms = new WorldAlarms(this.#registry.database);
    this.alarms.arm(life, cloud.disk);
    this.aftermath = new Aftermath(this.#registry.database, this.alarms);
    this.alarms.onEvents = (events) => this.#heard(events);
    const rowsAbove = Math.max(this.alarms.cursor, this.#registry.storeRow);
    const path = join(folder, 'inbox', 'inbox.sqlite');
    this.inbox = mutant.inbox(
      new WorldInbox(random, { path, bytesMax: INBOX_BYTES_MAX, rowsAbove }),
      this.#clock,
    );
    Object.assign(this.inbox, { life, disk: cloud.disk, witness });
    this.reader = mutant.reader(new InboxReader(path));
    this.#storeReader = mutant.reader(new InboxReader(path));
    this.series = new Map(this.reader.entries().map((entry) => [entry.series, entry]));
    this.#ingest = this.#openIngest();
    const { disk } = cloud;
    const ledger = Object.assign(new WorldLedger(this.#registry.database), { life, disk });
    this.ledger = mutant.deliveries(ledger);
    this.#downward = this.#openDownward();
    this.pipeline = this.#openPipeline();
    this.alarms.onRecords = (records) => {
      for (const record of records) this.#say(`evaluates ${summary(record)}`);
      desk.noteRecords(records, this.series);
    };
    this.#dispatch = this.#openDispatch();
    this.#follower = this.#openFollower();
    this.#feed = this.#openFeed();
    this.links = brokers.map((broker, at) => this.#openLink(random, broker, at));
  }

  #openLink(random: Random, broker: SimBroker, at: number): SimLink {
    const link = new SimLink(this.#clock, random, broker, this.#life, linkOptions, {
      ...{ firstMs: 200, maxMs: 10_000, jitter: 0.5 },
      name: 'cloud',
    });
    const says = (online: boolean) =>
      link.publish(CLOUD_STATUS_TOPIC, encodeCloudStatus({ online }), { qos: 1, retain: true });
    this.#ingest.broker(at, 'down');
    link.onUp = () => {
      this.#ingest.broker(at, 'up');
      says(true);
      this.#dispatch?.brokerUp();
      this.#downward?.brokerUp();
    };
    link.onDown = () => this.#ingest.broker(at, 'down');
    link.onMessage = (message) => {
      if (message.topic === CLOUD_STATUS_TOPIC) {
        // The will of the connection before came after the word of this one.
        if (!decodeCloudStatus(message.payload).online) says(true);
        return;
      }
      this.#ingest.receive(message, at);
      this.#waitForGroup();
    };
    return link;
  }

  async start(): Promise<void> {
    const storeRow = await this.#cloud.store.cursor();
    this.current.restore(await this.#cloud.store.latest());
    this.#follower.restore(storeRow);
    this.#pass('alarms', this.alarms.cursor);
    const nowMs = this.#clock.wallMs();
    for (const gateway of this.#cloud.options.gateways) {
      this.#follower.presence(gateway, false, nowMs);
    }
    this.#committed(this.reader.newestRow);
    for (const link of this.links) link.start();
    this.#tick();
  }

  closeFiles(): void {
    this.inbox.close();
    this.reader.close();
    this.#storeReader.close();
    this.#registry.close();
  }

  #say(what: string): void {
    this.#cloud.options.witness.say('cloud', what);
  }

  #openIngest(): IngestCore {
    const { witness } = this.#cloud.options;
    return new IngestCore(this.#clock, this.inbox, {
      onCommitted: (lastRow) => this.#committed(lastRow),
      onPresence: (changes) => {
        const nowMs = this.#clock.wallMs();
        for (const change of changes) {
          const { gateway, online, paths } = change;
          this.#follower.presence(gateway, online, nowMs, paths);
          this.#dispatch?.presence(change);
          this.#downward?.presence(change);
        }
      },
      onClone: ({ gateway, kind }) => {
        witness.clones++;
        this.#say(`clone of ${gateway}: ${kind}`);
      },
      onRefused: ({ reason, epoch, sequence }) =>
        this.#say(`refused ${reason} ${epoch}/${sequence}`),
      onAnswer: (answer) => {
        const { kind, gateway, payload } = answer;
        if (kind === 'reply') this.#dispatch?.answer(answer);
        else this.#follower.reported(gateway, payload, this.#clock.wallMs());
      },
    });
  }

  #openDownward(): Downward | null {
    if (!this.#cloud.options.hasSites) return null;
    const publish = (...[topic, payload, how]: Parameters<SimLink['publish']>) => {
      for (const link of this.links) link.publish(topic, payload, how);
      return Promise.resolve(true);
    };
    return new Downward(this.#clock, this.#log(), new Metrics(), {
      ...{ database: this.#registry.database, alarms: this.alarms, ingest: { publish } },
    });
  }

  #openPipeline(): WorldPipeline {
    const { people, random, witness, mutant } = this.#cloud.options;
    const { ledger } = this;
    const receivers = [...people.notifiers(this.#life)].map(
      ([id, notifier]) => [id, mutant.notifier(notifier)] as const,
    );
    const pipeline = new WorldPipeline(this.#clock, this.#log(), new Metrics(), random, {
      tables: mutant.queue(this.alarms.tables),
      ledger,
      receivers: new Map(receivers),
      ...{ directory, routes, quotas: mutant.quotas(quotas) },
      ...(this.#downward && {
        onHandled: (handled) => mutant.tellsConfirm && this.#downward?.handled(handled),
      }),
      onChange: (delivery) => {
        witness.delivered(delivery);
        this.#life.pass('cloud after settle');
      },
    });
    return Object.assign(pipeline, { ledger });
  }

  #openFollower(): Follower {
    const { onShown, mutant } = this.#cloud.options;
    const alarms = mutant.alarms(this.alarms);
    let batch: readonly DecodedRecord[] = [];
    const apply = alarms.apply.bind(alarms);
    alarms.apply = (records, nowMs) => {
      batch = records;
      return apply(records, nowMs);
    };
    return new Follower(this.#clock, new Metrics(), {
      reader: this.reader,
      alarms,
      current: this.current,
      series: this.series,
      stream: new EventStream('world'),
      onPassed: (row) => {
        onShown(batch, this.#cloud);
        this.#life.pass('cloud before passed');
        this.#pass('alarms', row);
      },
      onAlarms: () => this.#notify(),
      onDesired: () => {},
      onTold: () => this.#dispatch?.told(),
    });
  }

  get commands(): Commands | null {
    return this.#dispatch?.commands ?? null;
  }

  #openDispatch(): Dispatch | null {
    const { commandDesk: desk, mutant } = this.#cloud.options;
    if (!desk) return null;
    const life = this.#life;
    return new Dispatch(this.#clock, desk.random, this.#log(), new Metrics(), {
      ...{ alarms: this.alarms, registry: this.#registry, stream: new EventStream('commands') },
      pointsOf: (gateway) => this.reader.points(gateway, this.alarms.dictionaryOf(gateway)),
      ingest: {
        publish: (topic, payload, how) => {
          life.pass('cloud before command');
          const bytes = encodeCommand(mutant.sent(decodeCommand(payload)));
          desk.sent(topic, bytes);
          for (const link of this.links) link.publish(topic, bytes, how);
          life.pass('cloud after command');
          return Promise.resolve(true);
        },
      },
    });
  }

  /** As the API takes it: a full disk is thrown, and the caller comes again. */
  ask(wish: CommandWish): 'asked' | 'refused' {
    const caller = { name: 'desk', right: 'control', scope: '' } as const;
    try {
      this.commands?.ask(wish, caller, 'desk', this.#clock.wallMs());
    } catch (error) {
      if (isFull(error) || !isFault(error)) throw error;
      return 'refused';
    }
    this.#follower.tell([]);
    return 'asked';
  }

  /** By the link of a message, whose token names the notification and the receiver. */
  answer({ number, id, receiver }: Delivery, word: Word | 'opened'): Confirmed {
    const known = this.ledger.entry(number)?.delivery;
    if (known?.id !== id || known.receiver !== receiver) return 'unknown';
    const nowMs = this.#clock.wallMs();
    const { pipeline } = this;
    const heard = this.ledger.staged('confirm', () => {
      if (word !== 'opened') {
        return pipeline.answers.answer(number, word, receiver, nowMs, {
          name: receiver,
          from: 'link',
        });
      }
      pipeline.answers.seen(number, nowMs);
      return 'already';
    });
    this.#notify();
    return heard;
  }

  /** Somebody acknowledges at the desk: refused where it is over, or another has it. */
  acknowledge(occurrence: string, by: string): 'acknowledged' | 'refused' {
    try {
      const actor = { name: by, from: 'desk' };
      this.#follower.tell(this.alarms.acknowledge(occurrence, actor, '', this.#clock.wallMs()));
    } catch (error) {
      if (isFull(error) || !isFault(error)) throw error;
      return 'refused';
    }
    this.#life.pass('cloud between acknowledge and handled');
    this.pipeline.handled(occurrence, by);
    this.#cloud.options.witness.taken(`${occurrence}.raised`);
    return 'acknowledged';
  }

  #openFeed(): Feed {
    const { mutant } = this.#cloud.options;
    const life = this.#life;
    const { disk } = this.#cloud;
    const inner = mutant.store(this.#cloud.store, life);
    const store: Pick<Store, 'cursor' | 'apply'> = {
      cursor: () => inner.cursor(),
      apply: (records, throughRow) => {
        life.pass('cloud before store');
        if (disk.isStoreHung) throw new Fault('store_full', 'later', 'hung');
        return inner.apply(records, throughRow);
      },
    };
    return new Feed({
      store,
      reader: this.#storeReader,
      onPassed: (row) => {
        life.pass('cloud after store');
        if (!disk.isRegistryFull) this.#registry.storeRow = row;
        this.#pass('store', row);
      },
      onMissing: (first, last) => this.#say(`rows ${first}-${last} are missing`),
    });
  }

  #log(): Log {
    const say = (event: string, fields = {}) => this.#say(`${event} ${brief(fields)}`);
    return { debug: say, info: say, warn: say, error: say };
  }

  #waitForGroup(): void {
    const { dueMs } = this.#ingest;
    if (dueMs === 0) this.#commit();
    else if (dueMs !== null && !this.#isWaiting) {
      this.#isWaiting = true;
      this.#clock.after(dueMs, () => {
        this.#isWaiting = false;
        this.#commit();
      });
    }
  }

  #commit(): void {
    if (this.#ingest.dueMs !== null) this.#send(this.#ingest.commit());
  }

  #send(out: readonly Outgoing[]): void {
    for (const { topic, payload, qos, retain } of out) {
      this.#life.pass('cloud before ack');
      for (const link of this.links) link.publish(topic, payload, { qos, retain });
    }
  }

  #tick(): void {
    this.#send(this.#ingest.tick());
    this.#follower.tick(this.#clock.wallMs());
    this.#downward?.turn();
    this.#notify();
    this.#clock.after(TICK_MS, () => this.#tick());
  }

  #committed(lastRow: number): void {
    this.#known = lastRow;
    this.#feedOn();
    this.#follower.committed(lastRow);
    void this.#follower.idle().catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): void {
    if (!(error instanceof Killed)) throw error;
  }

  #pass(consumer: 'store' | 'alarms', row: number): void {
    this.#passed[consumer] = Math.max(this.#passed[consumer], row);
    this.inbox.passed(Math.min(...Object.values(this.#passed)));
  }

  #heard(events: readonly AlarmEvent[]): void {
    const { desk } = this.#cloud.options;
    for (const { kind, alarm } of events) {
      this.#say(`alarm ${kind} ${alarm.key} ${alarm.rule} ${alarm.occurrence.slice(0, 8)}`);
      if (kind === 'raised') desk.noteRaised(alarm);
    }
  }

  #notify(): void {
    this.#clock.after(0, () => this.#pump());
  }

  #pump(): void {
    const signal = new AbortController().signal;
    for (const send of this.pipeline.round(signal)) {
      void send.then(() => this.#notify()).catch((error: unknown) => this.#failed(error));
    }
  }

  /** Groups until there are no more, then when there is news; a store that fails is asked again. */
  #feedOn(): void {
    if (this.#isFeeding) return;
    this.#isFeeding = true;
    const again = (ms: number) => {
      this.#clock.after(ms, () => {
        this.#isFeeding = false;
        if (this.#known > this.#passed.store) this.#feedOn();
      });
    };
    this.#feed
      .step()
      .then((state) => again(state === 'full' ? 0 : GROUP_WAIT_MS))
      .catch((error: unknown) => {
        if (isFault(error) && error.retry === 'later') again(STORE_RETRY_MS);
        else this.#failed(error);
      });
  }
}

function summary({ row, readings, coverage, isState, gaps, manifest }: DecodedRecord): string {
  const { gateway, epoch, sequence, lane } = row;
  const name = `${gateway} ${epoch.slice(0, 6)}/${sequence} ${lane}`;
  const span = readings ? ` ${readings.monoMs[0]}-${readings.monoMs[readings.count - 1]}` : '';
  const parts = [
    readings && `${readings.count} readings${span}`,
    isState && 'state',
    coverage.length > 0 && `${coverage.length} covered`,
    gaps.length > 0 && gaps.map(({ cause, readings: it }) => `gap ${cause} ${it}`).join(' '),
    manifest && 'manifest',
    row.note && 'note',
  ];
  return `${name}: ${parts.filter((it) => it).join(', ')}`;
}

const linkOptions = {
  url: '',
  clientId: 'cloud',
  username: 'cloud',
  password: '',
  keepaliveSeconds: KEEPALIVE_SECONDS,
  subscriptions: [...upFilters(), { filter: CLOUD_STATUS_TOPIC, qos: 1 as const }],
  will: () => ({ topic: CLOUD_STATUS_TOPIC, payload: encodeCloudStatus({ online: false }) }),
};
