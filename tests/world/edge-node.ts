// A gateway of the world: the real agent on a simulated clock, link, broker and disk. What is on its
// card outlives it; everything else dies with the process.
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault, isFault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import type { Agent } from '../../edge/agent.ts';
import { runAgent } from '../../edge/agent.ts';
import type { CommandLedger } from '../../edge/commands/ledger.ts';
import type { OutboxPort } from '../../edge/outbox/batch.ts';
import { OutboxCore, SHARE_BYTES_MIN } from '../../edge/outbox/core.ts';
import { Outbox } from '../../edge/outbox/outbox.ts';
import { portOver } from '../../edge/outbox/thread.ts';
import { RECONNECT } from '../../edge/uplink/mqtt.ts';
import type { PathTerms } from '../../edge/uplink/paths.ts';
import { openRecord, readEnvelope } from '../../protocols/uplink/envelope.ts';
import { dyingLedger } from '../dying-ledger.ts';
import type { SimBroker } from './broker.ts';
import { SimLink } from './broker.ts';
import { confirmedBy, type Site, type SiteWord, wordOf } from './fallback.ts';
import type { Mutant } from './mutants.ts';
import type { GatewaySetting, PlantDevice } from './plant.ts';
import { gatewayConfig } from './plant.ts';
import type { Timeline, WallClock } from './timeline.ts';
import { Killed, Life, NodeClock } from './timeline.ts';
import type { Witness } from './witness.ts';
import { EpochFacts } from './witness.ts';

export const AREA = 'city';

export interface EdgeOptions {
  readonly timeline: Timeline;
  readonly broker: SimBroker;
  /** The second path: at another broker, or over another network to the same one. */
  readonly second: { readonly broker: SimBroker; readonly terms: PathTerms } | null;
  readonly witness: Witness;
  readonly random: Random;
  /** Of epochs: a mutant gives the same each time. */
  readonly entropy: Random;
  readonly mutant: Mutant;
  readonly gateway: string;
  /** Tells this machine from another one of the same name. */
  readonly box: string;
  readonly folder: string;
  readonly devices: readonly PlantDevice[];
  readonly onDeath: (place: string) => void;
  /** Null: nothing is driven here when nobody confirms. */
  readonly site: Site | null;
}

export interface CardImage {
  readonly folder: string;
  readonly held: ReadonlyMap<string, ReadonlySet<number>>;
}

/** What the disk does at present. */
export interface Disk {
  isFull: boolean;
  /** A commit takes this long. */
  slowMs: number;
}

/** Some twelve records: with its tables such a file has 24 KB. */
const SMALL_FILE_BYTES_MAX = 3 * 1024;

const never = new Promise<never>(() => {});

export class EdgeNode {
  readonly options: EdgeOptions;
  readonly wall: WallClock = { errorMs: 0 };
  readonly disk: Disk = { isFull: false, slowMs: 0 };
  /** True time of the last synchronisation of the wall clock, null when nobody ever set it. */
  syncedMs: number | null = 0;
  isWanted = true;
  /** So many of the next records are damaged before anybody sends or keeps them. */
  poison = 0;
  /** The same for records that bring a part of a dictionary; and in the one copy that is sent. */
  poisonParts = 0;
  poisonPartsSent = 0;
  /** Of the share of the card, from the next start on; null: more than is ever used. */
  cardBytesMax: number | null = null;
  agent: Agent | null = null;
  facts: EpochFacts | null = null;
  life: Life;
  #core: OutboxCore | null = null;
  #ledger: CommandLedger | null = null;
  #links: SimLink[] = [];
  #setting: GatewaySetting;
  /** The disk was full at the end: nothing says that it was an orderly one. */
  #isEndUnsaid = false;

  constructor(options: EdgeOptions, setting: GatewaySetting) {
    this.options = options;
    this.#setting = setting;
    this.life = Life.over();
  }

  get name(): string {
    return this.options.box;
  }

  get setting(): GatewaySetting {
    return this.#setting;
  }

  get isRunning(): boolean {
    return this.agent !== null && this.life.isAlive;
  }

  configure(setting: GatewaySetting): void {
    this.#setting = setting;
  }

  /** Boots from what is on the card. */
  async start(): Promise<void> {
    if (this.life.isAlive) return;
    const { timeline, random, gateway, folder, box } = this.options;
    this.#abandon();
    const life = new Life((place) => this.#died(place));
    this.life = life;
    this.facts = null;
    const clock = new NodeClock(timeline, life, this.wall, timeline.nowMs - 1_000);
    const outbox = { folder, bytesMax: SHARE_BYTES_MIN };
    const { second } = this.options;
    const terms = second?.terms ?? null;
    const { site } = this.options;
    const plain = gatewayConfig(AREA, gateway, this.#setting, outbox, terms);
    const config = site ? { ...plain, fallbacks: [site.config] } : plain;
    const devices = new Map(this.options.devices.map((device) => [device.name, device]));
    const signal = new AbortController().signal;
    try {
      const agent = await runAgent(clock, random, this.#log(), config, {
        secret: 'none',
        software: 'world',
        borders: {
          openOutbox: async () => new Outbox(clock, this.#log(), this.#openPort(life)),
          openLink: ({ id }) => devices.get(id)!.open((ms) => clock.sleep(ms, signal)),
          connect: (parts, path) => {
            const broker = path === 0 || !second ? this.options.broker : second.broker;
            const options = { ...parts, url: '', password: '' };
            const link = new SimLink(clock, random, broker, life, options, {
              ...RECONNECT,
              name: path === 0 ? box : secondOf(box),
            });
            this.#links[path] = link;
            link.hears = ({ topic, payload }) => this.#hears(topic, payload);
            const publish = link.publish.bind(link);
            link.publish = (topic, payload, how) => {
              const isRecord = /\/(live|backfill|event)$/.test(topic);
              if (isRecord && this.facts) this.#note(this.facts, payload);
              return publish(topic, this.#onItsWay(payload), how);
            };
            return link;
          },
          lastSync: () => (this.syncedMs === null ? null : clock.wallMs() - this.#sinceSync()),
          openStatus: null,
          openLedger: async (path, epoch) => {
            const { ledger, port } = dyingLedger({ path, epoch }, life, () => this.disk.isFull);
            this.#ledger = ledger;
            return this.options.mutant.ledger(port);
          },
        },
      });
      if (life.isAlive) this.agent = agent;
    } catch (error) {
      const isDisk = isFault(error) && error.retry === 'later';
      if (!(error instanceof Killed) && !isDisk) throw error;
      life.end('booting');
    }
  }

  /** The first sight of a record at a border: here a poisoned one is made, the same for disk and broker. */
  #note(facts: EpochFacts, bytes: Uint8Array): void {
    const { witness, box } = this.options;
    const isNew = witness.sealed(facts, bytes);
    if (!isNew) return;
    if (isNew.isPart && this.poisonParts > 0) this.poisonParts--;
    else if (isNew.readings.length + isNew.gaps.length > 0 && this.poison > 0) this.poison--;
    else return;
    bytes[bytes.length - 1]! ^= 0x55;
    facts.poisoned.add(isNew.sequence);
    witness.say(box, `poisons ${isNew.sequence}`);
  }

  /** What arrives of a record: its copy may be damaged where the card has it whole. */
  #onItsWay(bytes: Uint8Array): Uint8Array {
    if (this.poisonPartsSent === 0) return bytes;
    const reading = readEnvelope(bytes);
    if (!reading.ok || openRecord(bytes).body.dictionary === null) return bytes;
    this.poisonPartsSent--;
    const { epoch, sequence } = reading.envelope;
    this.options.witness.epochs.get(epoch)?.poisoned.add(sequence);
    this.options.witness.say(this.name, `sends ${sequence} damaged`);
    const copy = bytes.slice();
    copy[copy.length - 1]! ^= 0x55;
    return copy;
  }

  /** A bit of every dictionary part on the card flips; only while it is off. */
  damageParts(): void {
    const { folder, witness } = this.options;
    this.#abandon();
    if (!existsSync(folder)) return;
    for (const name of readdirSync(folder).filter((it) => /^outbox-.*\.sqlite$/.test(it))) {
      const database = new DatabaseSync(join(folder, name));
      const update = database.prepare('UPDATE records SET bytes = ? WHERE key = ?');
      for (const row of database.prepare('SELECT key, bytes FROM records').all()) {
        const bytes = (row['bytes'] as Uint8Array).slice();
        if (!readEnvelope(bytes).ok || openRecord(bytes).body.dictionary === null) continue;
        bytes[bytes.length - 1]! ^= 0x55;
        update.run(bytes, row['key']!);
        witness.say(this.name, `the part in row ${row['key']} of ${name} is damaged`);
      }
      database.close();
    }
  }

  #sinceSync(): number {
    return this.options.timeline.nowMs - (this.syncedMs ?? 0);
  }

  #log(): Log {
    const { witness, box } = this.options;
    const say = (event: string, fields = {}) => {
      witness.say(box, `${event} ${brief(fields)}`);
      const word = wordOf(event, fields);
      if (word) this.#noteWord(word);
    };
    return { debug: say, info: say, warn: say, error: say };
  }

  #noteWord(word: Pick<SiteWord, 'what' | 'occurrence'>): void {
    const { witness, timeline, box } = this.options;
    const epoch = this.facts?.epoch ?? '';
    witness.siteWords.push({ ...word, box, epoch, atMs: timeline.nowMs });
  }

  #hears(topic: string, payload: Uint8Array): boolean {
    const occurrence = confirmedBy(topic, payload);
    if (occurrence === null) return true;
    this.#noteWord({ what: 'heard', occurrence });
    return this.options.mutant.hearsConfirm;
  }

  #openPort(life: Life): OutboxPort {
    const { timeline, witness, folder, entropy, gateway, box } = this.options;
    mkdirSync(folder, { recursive: true });
    const small = this.cardBytesMax;
    const core = OutboxCore.open({
      folder,
      bytesMax: small ?? SHARE_BYTES_MIN,
      ...(small !== null && { fileBytesMax: SMALL_FILE_BYTES_MAX }),
      random: entropy,
      beforeWrite: () => {
        life.pass('edge in commit');
        if (this.disk.isFull) throw new Fault('outbox_full', 'later', box);
      },
    });
    this.#core = core;
    const openedMs = timeline.nowMs;
    const facts = new EpochFacts(gateway, box, core.epoch, openedMs, this.#setting);
    this.facts = facts;
    witness.epochOpened(facts);
    witness.say(box, `opens ${core.epoch}`);
    const port = portOver(core);
    const alive = <Value>(work: () => Promise<Value>) => (life.isAlive ? work() : never);
    return {
      opened: port.opened,
      commit: async (batch) => {
        if (!life.isAlive) return never;
        for (const { record } of batch.entries) this.#note(facts, record.bytes);
        if (!life.survives('edge before commit')) return never;
        if (this.disk.slowMs > 0) await this.#slowly(life);
        try {
          if (!life.isAlive) return never;
          const result = core.commit(batch);
          if (result.committed) witness.committed(facts, batch.entries);
          if (!life.survives('edge after commit')) return never;
          return result;
        } catch (error) {
          if (error instanceof Killed) return never;
          throw error;
        }
      },
      held: () => alive(() => port.held()),
      read: (epoch, ranges, bytesMax) => alive(() => port.read(epoch, ranges, bytesMax)),
      part: (hash) => alive(() => port.part(hash)),
      step: () => alive(() => port.step()),
      close: () => {
        this.#isEndUnsaid = this.disk.isFull;
        return alive(() => port.close());
      },
    };
  }

  #slowly(life: Life): Promise<void> {
    return new Promise((resolve) => {
      this.options.timeline.after(this.disk.slowMs, () => life.run(resolve));
    });
  }

  /** The power fails: between two events, or where it was armed to. */
  kill(): void {
    this.life.end('between events');
  }

  #died(place: string): void {
    const { witness, timeline, onDeath, box } = this.options;
    witness.say(box, place === 'stopped' ? 'stopped' : `killed ${place}`);
    if (this.facts && this.facts.end === null) {
      this.facts.end = 'killed';
      this.facts.endMs = timeline.nowMs;
      if (this.agent) this.facts.counts = { ...this.agent.counters() };
    }
    this.agent = null;
    for (const link of this.#links.splice(0)) timeline.after(0, () => link.vanish());
    onDeath(place);
  }

  /** An orderly end: what was taken is sealed, on disk, and sent as far as `drainMs` lets it. */
  async stop(drainMs: number): Promise<void> {
    const { agent, facts, life } = this;
    if (!agent || !facts) return;
    const { timeline } = this.options;
    facts.stoppedMs = timeline.nowMs;
    const stopped = agent.close(drainMs).then(() => {
      if (!life.isAlive) return;
      facts.counts = { ...agent.counters() };
      facts.end = this.#isEndUnsaid ? 'killed' : 'clean';
      facts.endMs = timeline.nowMs;
      this.agent = null;
      this.#core = null;
      life.end('stopped');
    });
    await Promise.race([stopped, this.#untilDeath(life)]);
  }

  async #untilDeath(life: Life): Promise<void> {
    while (life.isAlive) {
      await new Promise<void>((resolve) => this.options.timeline.after(500, resolve));
    }
  }

  #abandon(): void {
    this.#ledger?.close();
    this.#ledger = null;
    this.#core?.abandon();
    this.#core = null;
  }

  /** A copy of the card as it is now, and the sequences on it by epoch. */
  copyCard(to: string): CardImage {
    rmSync(to, { recursive: true, force: true });
    if (existsSync(this.options.folder)) cpSync(this.options.folder, to, { recursive: true });
    const own = [...this.#ownEpochs()];
    const held = new Map(own.map(({ epoch, committed }) => [epoch, new Set(committed)]));
    return { folder: to, held };
  }

  *#ownEpochs(): Generator<EpochFacts> {
    const { witness, box } = this.options;
    for (const facts of witness.epochs.values()) if (facts.box === box) yield facts;
  }

  /** The card is taken out, and one with an older image is put in; only while it is off. */
  replaceCard(image: CardImage): void {
    const { folder } = this.options;
    this.#abandon();
    rmSync(folder, { recursive: true, force: true });
    if (existsSync(image.folder)) renameSync(image.folder, folder);
    for (const facts of this.#ownEpochs()) {
      facts.isCardLost = true;
      const kept = image.held.get(facts.epoch);
      for (const it of [...facts.committed]) if (!kept?.has(it)) facts.committed.delete(it);
    }
  }

  /** What was on it only is gone. */
  loseCard(): void {
    this.#abandon();
    for (const facts of this.#ownEpochs()) {
      facts.isCardLost = true;
      facts.committed.clear();
    }
  }

  close(): void {
    this.life.end('world over');
    this.#abandon();
  }
}

/** The machine's name on its second network. */
export function secondOf(box: string): string {
  return `${box}/2`;
}

export function brief(fields: object): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
