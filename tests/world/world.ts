// A world of a seed: gateways, a broker, a cloud and its desk on one timeline; faults; then a time
// without faults in which everything has to come right again; then the checkers.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pickInteger, type Random, seededRandom } from '../../core/random.ts';
import { KEEPALIVE_SECONDS } from '../../protocols/uplink/topics.ts';
import { calm, SimBroker } from './broker.ts';
import { checkAfter, checkSettled, checkShown } from './checkers.ts';
import { buildCity, type CityGateway, SCALES } from './city.ts';
import { CloudNode } from './cloud-node.ts';
import { CommandDesk } from './command-desk.ts';
import { Desk } from './desk.ts';
import { AREA, EdgeNode, secondOf } from './edge-node.ts';
import { drawSites, type Site } from './fallback.ts';
import {
  type BootClock,
  drawAside,
  drawFaults,
  type Fault,
  type FaultKind,
  faultKinds,
} from './faults.ts';
import { healthy, type Mutant } from './mutants.ts';
import { People } from './people.ts';
import type { PlantPoint } from './plant.ts';
import { PlantDevice, pointKey } from './plant.ts';
import { Timeline, WORLD_BEGAN_MS } from './timeline.ts';
import { Witness } from './witness.ts';

/** Faults are over and every window has to be empty after so long: three time-outs of 5 min. */
export const SETTLE_MAX_MS = 900_000;
/** Live for so long before the present state is looked at. */
const CALM_MS = 40_000;
/** What is lost is called so a minute after a birth, and a stretch of history ends a minute late. */
const AFTER_MS = 80_000;
const DRAIN_MS = 600_000;
const SYNC_AFTER_BOOT_MS = 12_000;

export interface WorldOptions {
  readonly mutant?: Mutant;
  readonly kinds?: readonly FaultKind[];
  readonly isVerbose?: boolean;
  /** Somebody commands the plant. */
  readonly hasCommands?: boolean;
}

export interface WorldResult {
  readonly seed: number;
  readonly problems: readonly string[];
  readonly trace: readonly string[];
  readonly faults: readonly string[];
  readonly virtualMs: number;
  readonly events: number;
  readonly readings: number;
  /** Commands by what became of them. */
  readonly commands: Readonly<Record<string, number>>;
}

/** In memory where there is such a place: an fsync costs nothing then, and no disk is worn. */
const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** The command that runs a world again. */
export function again(seed: number, kinds: readonly FaultKind[] = faultKinds): string {
  const only = kinds === faultKinds ? '' : ` --faults ${kinds.join(',')}`;
  return `npm run world -- --seed ${seed}${only}`;
}

export async function runWorld(seed: number, options: WorldOptions = {}): Promise<WorldResult> {
  const folder = mkdtempSync(join(base, 'lifeline-world-'));
  const world = new World(seed, folder, options);
  try {
    return await world.run();
  } finally {
    world.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

export class World {
  readonly seed: number;
  readonly folder: string;
  readonly timeline = new Timeline();
  readonly witness: Witness;
  readonly broker: SimBroker;
  /** Where some gateways have their second path. */
  readonly otherBroker: SimBroker;
  readonly seconds: ReadonlyMap<string, SecondPath>;
  readonly sites: ReadonlyMap<string, Site>;
  readonly city: readonly CityGateway[];
  readonly desk: Desk;
  readonly people: People;
  readonly cloud: CloudNode;
  readonly edges = new Map<string, EdgeNode>();
  readonly devices = new Map<string, PlantDevice>();
  readonly activeMs: number;
  readonly #random: Random;
  readonly #options: WorldOptions;
  readonly #restartMs = new Map<string, { readonly downMs: number; readonly boot?: BootClock }>();
  readonly #told: string[] = [];
  readonly #commandDesk: CommandDesk | null;
  #images = 0;
  #isHealed = false;

  constructor(seed: number, folder: string, options: WorldOptions) {
    this.seed = seed;
    this.folder = folder;
    this.#options = options;
    const random = seededRandom(seed);
    this.#random = random;
    this.witness = new Witness(() => this.timeline.nowMs, options.isVerbose ?? false);
    this.broker = new SimBroker(this.timeline, random);
    // A second path takes nothing from the random numbers of the rest.
    const aside = seededRandom(seed + ASIDE_SEED);
    this.otherBroker = new SimBroker(this.timeline, aside);
    this.activeMs = pickInteger(random, 40_000, 90_000);
    this.city = buildCity(random, this.activeMs);
    const kinds = options.kinds ?? faultKinds;
    this.seconds = kinds.includes('second-path')
      ? this.#drawSeconds(aside)
      : new Map<string, SecondPath>();
    const hasSites = kinds.includes('fallback') && !options.hasCommands;
    this.sites = drawSites(seededRandom(seed + 5 * ASIDE_SEED), hasSites ? this.city : []);
    for (const { output } of this.sites.values()) Object.assign(output, { isCommanded: true });
    const points = new Map(
      this.city.flatMap((gateway) => gateway.points).map((point) => [pointKey(point), point]),
    );
    this.#commandDesk = options.hasCommands ? this.#makeCommandDesk([...points.values()]) : null;
    this.desk = new Desk(this.timeline, this.witness, points, SCALES);
    this.people = new People(this.timeline, this.witness, seed);
    this.cloud = this.#makeCloud();
    this.people.meet(this.cloud);
    for (const gateway of this.city) this.#makeEdge(gateway, gateway.id);
  }

  #makeCommandDesk(points: readonly PlantPoint[]): CommandDesk {
    for (const point of points) Object.assign(point, { isCommanded: true });
    const brokers = [this.broker, this.otherBroker];
    return new CommandDesk(this.timeline, brokers, this.witness, this.seed, { area: AREA, points });
  }

  #drawSeconds(random: Random): ReadonlyMap<string, SecondPath> {
    const seconds = new Map<string, SecondPath>();
    for (const { id } of this.city) {
      if (random.next() > SECOND_PATH_SHARE) continue;
      const broker = random.next() < 0.5 ? this.broker : this.otherBroker;
      const isMetered = random.next() < 0.7;
      const carriesTrends = random.next() < 0.6;
      const carriesBacklog = !isMetered || random.next() < 0.3;
      seconds.set(id, { broker, terms: { isMetered, carriesTrends, carriesBacklog } });
    }
    return seconds;
  }

  get #hasOtherBroker(): boolean {
    return [...this.seconds.values()].some(({ broker }) => broker === this.otherBroker);
  }

  #makeCloud(): CloudNode {
    return new CloudNode({
      timeline: this.timeline,
      brokers: this.#hasOtherBroker ? [this.broker, this.otherBroker] : [this.broker],
      witness: this.witness,
      random: this.#random,
      folder: join(this.folder, 'cloud'),
      gateways: this.city.map(({ id }) => id),
      desk: this.desk,
      people: this.people,
      hasSites: this.sites.size > 0,
      commandDesk: this.#commandDesk,
      mutant: this.#options.mutant ?? healthy,
      onDeath: () => this.#reviveCloud(),
      onShown: (records) => checkShown(this, records),
    });
  }

  #makeEdge(gateway: CityGateway, box: string): EdgeNode {
    const names = [...new Set(gateway.points.map(({ device }) => device))];
    const devices = names.map((name) => {
      const points = gateway.points.filter(({ device }) => device === name);
      const device = new PlantDevice(this.timeline, this.#random, name, points);
      this.devices.set(`${box}/${name}`, device);
      const desk = this.#commandDesk;
      if (desk) {
        device.onWritten = (value, atMs) => desk.written.push({ value, atMs });
      } else {
        device.onWritten = (value, atMs) => {
          if (value > 0) this.witness.driven.push({ box, atMs });
        };
      }
      return device;
    });
    const edge = new EdgeNode(
      {
        timeline: this.timeline,
        broker: this.broker,
        second: this.seconds.get(gateway.id) ?? null,
        witness: this.witness,
        random: this.#random,
        entropy: (this.#options.mutant ?? healthy).entropy(this.#random),
        mutant: this.#options.mutant ?? healthy,
        gateway: gateway.id,
        box,
        folder: join(this.folder, box),
        devices,
        site: this.sites.get(gateway.id) ?? null,
        onDeath: () => this.#reviveEdge(edge),
      },
      gateway.settings[0]!,
    );
    this.edges.set(box, edge);
    return edge;
  }

  #reviveEdge(edge: EdgeNode): void {
    if (!edge.isWanted) return;
    const { downMs, boot = 'right' } = this.#restartMs.get(edge.name) ?? { downMs: 2_000 };
    this.witness.faulty(downMs);
    this.timeline.after(downMs, () => {
      if (!edge.isWanted || edge.life.isAlive) return;
      this.#bootClock(edge, boot);
      void edge.start();
    });
  }

  // A machine without a battery clock wakes in another year, and is set right a while later.
  #bootClock(edge: EdgeNode, boot: BootClock): void {
    if (boot === 'right') return;
    const wrongMs = boot === '1970' ? 0 : Date.UTC(2030, 0, 1);
    edge.wall.errorMs = wrongMs - WORLD_BEGAN_MS - this.timeline.nowMs;
    edge.syncedMs = null;
    this.witness.say(edge.name, `boots in ${boot}`);
    this.timeline.after(SYNC_AFTER_BOOT_MS, () => this.#setClock(edge));
  }

  #setClock(edge: EdgeNode): void {
    edge.wall.errorMs = 0;
    edge.syncedMs = this.timeline.nowMs;
    this.witness.say(edge.name, 'its clock is set right');
  }

  #reviveCloud(): void {
    if (!this.cloud.isWanted) return;
    const { downMs } = this.#restartMs.get('cloud') ?? { downMs: 2_000 };
    this.witness.faulty(downMs);
    this.timeline.after(downMs, () => {
      if (this.cloud.isWanted) void this.cloud.start();
    });
  }

  async run(): Promise<WorldResult> {
    const kinds = this.#options.kinds ?? faultKinds;
    const having = this.city.filter(({ id }) => this.seconds.has(id));
    const notified = kinds.includes('delivery') ? this.city : [];
    const aside = (nth: number) => seededRandom(this.seed + nth * ASIDE_SEED);
    for (const { atMs, fault } of [
      ...drawFaults(this.#random, this.city, this.activeMs, kinds),
      ...drawAside('second-path', aside(2), having, this.activeMs),
      ...drawAside('delivery', aside(3), notified, this.activeMs),
    ]) {
      this.#told.push(`${(atMs / 1000).toFixed(1)} s: ${JSON.stringify(fault)}`);
      this.timeline.at(atMs, () => this.#strike(fault));
    }
    this.timeline.at(0, () => void this.cloud.start());
    for (const edge of [...this.edges.values()]) {
      this.timeline.at(pickInteger(this.#random, 100, 2_000), () => void edge.start());
    }
    this.#commandDesk?.start(this.activeMs, this.cloud, this.edges);
    await this.timeline.run(this.activeMs);
    this.#heal();
    await this.#settle();
    checkSettled(this);
    if (this.cloud.isRunning) {
      for (const problem of this.#commandDesk?.problems() ?? []) {
        this.witness.problem('commands', problem);
      }
    }
    await this.#end();
    await checkAfter(this);
    const { problems, trace, epochs } = this.witness;
    let readings = 0;
    for (const { sealed } of epochs.values()) {
      for (const record of sealed.values()) {
        if (!record.isState && !record.isFill) readings += record.readings.length;
      }
    }
    const { nowMs: virtualMs, events } = this.timeline;
    const { seed } = this;
    const commands = this.#commandDesk?.outcomes ?? {};
    return { seed, problems, trace, faults: this.#told, virtualMs, events, readings, commands };
  }

  #heal(): void {
    this.#isHealed = true;
    this.witness.say('world', 'faults are over');
    for (const broker of [this.broker, this.otherBroker]) {
      Object.assign(broker.weather, calm);
      broker.unreachable.clear();
      broker.start();
    }
    for (const device of this.devices.values()) device.trouble = null;
    this.people.moods.clear();
    for (const edge of [...this.edges.values()]) {
      if (edge.name !== edge.options.gateway) this.#endTwin(edge);
    }
    Object.assign(this.cloud.disk, { isFull: false, isRegistryFull: false, isStoreHung: false });
    for (const edge of this.edges.values()) {
      Object.assign(edge.disk, { isFull: false, slowMs: 0 });
      Object.assign(edge, { poison: 0, poisonParts: 0, poisonPartsSent: 0 });
      edge.life.disarm();
      this.#setClock(edge);
    }
    this.cloud.wall.errorMs = 0;
    this.cloud.life.disarm();
  }

  /** Runs until everybody is connected and nothing old is on its way, and for a while more. */
  async #settle(): Promise<void> {
    const endMs = this.timeline.nowMs + SETTLE_MAX_MS;
    let calmSinceMs = this.timeline.nowMs;
    while (this.timeline.nowMs < endMs && this.timeline.nowMs - calmSinceMs < CALM_MS) {
      await this.timeline.run(this.timeline.nowMs + 1_000);
      if (!this.#isCalm()) calmSinceMs = this.timeline.nowMs;
    }
    if (!this.#isCalm()) this.witness.problem('windows never stall', this.#whoIsNotCalm());
  }

  #isCalm(): boolean {
    const isAnswered = this.#commandDesk?.isCalm ?? true;
    return (
      this.cloud.isRunning && isAnswered && [...this.edges.values()].every((edge) => isIdle(edge))
    );
  }

  #whoIsNotCalm(): string {
    const busy = [...this.edges.values()].filter((edge) => !isIdle(edge));
    const told = busy.map((edge) => {
      const { pendingRecords } = edge.agent?.counters() ?? { pendingRecords: -1 };
      return `${edge.name} has ${pendingRecords} records open`;
    });
    return `${SETTLE_MAX_MS / 1000} s after the faults: ${told.join(', ') || (this.cloud.isRunning ? 'commands are open' : 'the cloud is away')}`;
  }

  /** Collecting ends in order; what is left goes out; the cloud works through it. */
  async #end(): Promise<void> {
    let open = 0;
    for (const edge of this.edges.values()) {
      edge.isWanted = false;
      open++;
      void edge.stop(DRAIN_MS).then(() => open--);
    }
    await this.timeline.run(this.timeline.nowMs + DRAIN_MS + 60_000, () => open === 0);
    if (open > 0) this.witness.problem('windows never stall', `${open} gateways do not end`);
    await this.timeline.run(this.timeline.nowMs + AFTER_MS);
  }

  close(): void {
    this.cloud.isWanted = false;
    for (const edge of this.edges.values()) {
      edge.isWanted = false;
      edge.close();
    }
    this.cloud.close();
  }

  #strike(fault: Fault): void {
    this.witness.say('world', JSON.stringify(fault));
    this.witness.faulty(lengthOf(fault));
    const { timeline, broker } = this;
    const later = (ms: number, undo: () => void) =>
      timeline.after(ms, () => {
        if (!this.#isHealed) undo();
      });
    switch (fault.kind) {
      case 'loss':
        broker.weather.loss = fault.share;
        broker.weather.repeats = fault.share;
        later(fault.forMs, () => Object.assign(broker.weather, { loss: 0, repeats: 0 }));
        return;
      case 'delay':
        broker.weather.delayMaxMs = fault.maxMs;
        later(fault.forMs, () => Object.assign(broker.weather, { delayMaxMs: calm.delayMaxMs }));
        return;
      case 'reorder':
        broker.weather.overtaken = fault.share;
        later(fault.forMs, () => Object.assign(broker.weather, { overtaken: 0 }));
        return;
      case 'broker-restart':
        broker.stop();
        later(fault.forMs, () => broker.start());
        return;
      case 'cut':
        broker.cut(fault.who);
        return;
      case 'half-open':
        broker.halfOpen(fault.who);
        return;
      case 'stall':
        broker.stall(fault.who, Math.min(fault.forMs, this.activeMs - timeline.nowMs));
        return;
      case 'outage':
        broker.unreachable.add(fault.who);
        broker.cut(fault.who);
        later(fault.forMs, () => broker.unreachable.delete(fault.who));
        return;
      case 'full-cloud-disk':
        this.cloud.disk.isFull = true;
        later(fault.forMs, () => Object.assign(this.cloud.disk, { isFull: false }));
        return;
      case 'full-registry-disk':
        this.cloud.disk.isRegistryFull = true;
        later(fault.forMs, () => Object.assign(this.cloud.disk, { isRegistryFull: false }));
        return;
      case 'store-hung':
        this.cloud.disk.isStoreHung = true;
        later(fault.forMs, () => Object.assign(this.cloud.disk, { isStoreHung: false }));
        return;
      case 'kill-cloud':
        this.#restartMs.set('cloud', fault);
        if (fault.place === null) this.cloud.kill();
        else this.cloud.life.arm(fault.place, fault.count);
        return;
      case 'wiped-store':
        this.#restartMs.set('cloud', fault);
        this.cloud.isWanted = false;
        this.cloud.kill();
        this.cloud.wipe();
        this.desk.forget();
        this.cloud.isWanted = true;
        timeline.after(fault.downMs, () => void this.cloud.start());
        return;
      case 'receiver':
        this.people.moods.set(fault.who, fault.mood);
        later(fault.forMs, () => this.people.moods.delete(fault.who));
        return;
      case 'fallback':
        return;
      case 'delivery':
        this.#strikeDelivery(fault, later);
        return;
      default:
        this.#strikeEdge(fault, later);
    }
  }

  #strikeDelivery(
    { mood, place, count, downMs, forMs }: Extract<Fault, { kind: 'delivery' }>,
    later: (ms: number, undo: () => void) => void,
  ): void {
    if (mood) {
      this.people.moods.set(mood.who, mood.what);
      later(forMs, () => this.people.moods.delete(mood.who));
      return;
    }
    this.#restartMs.set('cloud', { downMs });
    this.cloud.life.arm(place, count);
  }

  #strikeEdge(
    fault: Extract<Fault, { readonly who: string }>,
    later: (ms: number, undo: () => void) => void,
  ): void {
    const edge = this.edges.get(fault.who);
    if (fault.kind === 'clock-step' && fault.who === 'cloud') {
      this.cloud.wall.errorMs += fault.byMs;
      this.witness.isCloudClockSet = true;
      return;
    }
    if (!edge) return;
    this.#noteEdgeFault(edge, fault);
    switch (fault.kind) {
      case 'kill-edge':
        this.#restartMs.set(edge.name, fault);
        if (fault.place === null) edge.kill();
        else edge.life.arm(fault.place, fault.count);
        return;
      case 'second-path':
        this.#strikeSecondPath(edge, fault, later);
        return;
      case 'clock-step':
        edge.wall.errorMs += fault.byMs;
        return;
      case 'slow-disk':
        edge.disk.slowMs = fault.ms;
        later(fault.forMs, () => Object.assign(edge.disk, { slowMs: 0 }));
        return;
      case 'full-disk':
        edge.disk.isFull = true;
        later(fault.forMs, () => Object.assign(edge.disk, { isFull: false }));
        return;
      case 'device': {
        const device = this.devices.get(`${fault.who}/${fault.device}`);
        if (!device) return;
        if (fault.trouble === 'cut') device.cut();
        else {
          device.trouble = fault.trouble;
          later(fault.forMs, () => Object.assign(device, { trouble: null }));
        }
        return;
      }
      case 'old-card':
        this.#oldCard(edge, fault);
        return;
      case 'twin':
        this.#twin(edge, fault.forMs);
        return;
      case 'reconfigure':
        this.#reconfigure(edge, fault);
        return;
      case 'poison':
        edge.poison += fault.records;
        return;
      case 'poison-part':
        this.#poisonPart(edge, fault);
        return;
      case 'small-card':
        edge.cardBytesMax = fault.bytesMax;
        this.broker.unreachable.add(edge.name);
        this.#restartMs.set(edge.name, { downMs: 1_000 });
        void edge.stop(0);
        later(fault.forMs, () => this.broker.unreachable.delete(edge.name));
        return;
      default:
    }
  }

  #noteEdgeFault({ name }: EdgeNode, fault: Fault): void {
    const { edgeFaults } = this.witness;
    const toMs = this.timeline.nowMs + lengthOf(fault);
    const disks: readonly FaultKind[] = ['slow-disk', 'full-disk', 'small-card', 'old-card'];
    if (disks.includes(fault.kind)) edgeFaults.push({ who: name, toMs });
  }

  #strikeSecondPath(
    { name }: EdgeNode,
    { who, what, forMs }: Extract<Fault, { kind: 'second-path' }>,
    later: (ms: number, undo: () => void) => void,
  ): void {
    const { broker } = this.seconds.get(who)!;
    const second = secondOf(name);
    const out = (at: SimBroker, machine: string) => {
      at.unreachable.add(machine);
      at.cut(machine);
      later(forMs, () => at.unreachable.delete(machine));
    };
    switch (what) {
      case 'cut':
        broker.cut(second);
        return;
      case 'flapping':
        for (let ms = 0; ms < forMs; ms += FLAP_MS) later(ms, () => broker.cut(second));
        return;
      case 'half-open':
        broker.halfOpen(second);
        return;
      case 'stall':
        broker.stall(second, Math.min(forMs, this.activeMs - this.timeline.nowMs));
        return;
      case 'both-out':
        out(this.broker, name);
        out(broker, second);
        return;
      case 'outage':
        out(broker, second);
        return;
      case 'cloud-away':
        out(broker, 'cloud');
        return;
      case 'broker-restart':
        broker.stop();
        later(forMs, () => broker.start());
        return;
      default:
        what satisfies never;
    }
  }

  /** The card of some time ago is put back in. */
  #oldCard(edge: EdgeNode, { afterMs, downMs }: Extract<Fault, { kind: 'old-card' }>): void {
    const image = edge.copyCard(join(this.folder, `${edge.name}.image-${this.#images++}`));
    this.timeline.after(afterMs, () => {
      if (this.#isHealed || !edge.isWanted) return;
      this.#restartMs.set(edge.name, { downMs });
      this.witness.faulty(downMs);
      edge.isWanted = false;
      edge.kill();
      edge.replaceCard(image);
      this.witness.oldCards.add(edge.name);
      edge.isWanted = true;
      this.witness.say(edge.name, 'an older card is put in');
      this.timeline.after(downMs, () => void edge.start());
    });
  }

  /** A copy of the card runs in another machine of the same name, until somebody finds it. */
  #twin(edge: EdgeNode, forMs: number): void {
    const box = `${edge.name}-twin`;
    const gateway = this.city.find(({ id }) => id === edge.name);
    if (this.edges.has(box) || !gateway) return;
    const span = this.witness.twins.get(gateway.id) ?? { fromMs: this.timeline.nowMs };
    this.witness.twins.set(gateway.id, { ...span, toMs: Number.POSITIVE_INFINITY });
    const twin = this.#makeEdge(gateway, box);
    twin.configure(edge.setting);
    edge.copyCard(twin.options.folder);
    void twin.start();
    this.timeline.after(forMs, () => {
      if (!this.#isHealed) this.#endTwin(twin);
    });
  }

  #endTwin(twin: EdgeNode): void {
    const { gateway } = twin.options;
    const span = this.witness.twins.get(gateway);
    if (span) this.witness.twins.set(gateway, { ...span, toMs: this.timeline.nowMs });
    twin.isWanted = false;
    twin.kill();
    twin.loseCard();
    this.edges.delete(twin.name);
  }

  /** The dictionary changes; what is on the card is damaged when it is off for that. */
  #poisonPart(edge: EdgeNode, fault: Extract<Fault, { kind: 'poison-part' }>): void {
    if (!edge.isWanted) return;
    const { who, where, setting } = fault;
    if (where === 'sealed') edge.poisonParts += PARTS_POISONED;
    if (where === 'sent') edge.poisonPartsSent += PARTS_POISONED;
    this.#reconfigure(edge, { kind: 'reconfigure', who, how: 'kill', setting });
    if (where === 'at rest') edge.damageParts();
  }

  #reconfigure(edge: EdgeNode, fault: Extract<Fault, { kind: 'reconfigure' }>): void {
    const gateway = this.city.find(({ id }) => id === fault.who);
    const setting = gateway?.settings[fault.setting];
    if (!setting || !edge.isWanted) return;
    this.#restartMs.set(edge.name, { downMs: 1_000 });
    edge.configure(setting);
    if (fault.how === 'kill') edge.kill();
    else void edge.stop(0);
  }
}

/** Of the gateways of worlds in which there are second paths. */
const SECOND_PATH_SHARE = 0.5;
const ASIDE_SEED = 1_000_003;
const FLAP_MS = 3_000;

type SecondPath = NonNullable<EdgeNode['options']['second']>;

/** A page and the manifest that lists it. */
const PARTS_POISONED = 2;

/** A connection that is half open ends with the keepalive; other faults last or are moments. */
function lengthOf(fault: Fault): number {
  const isHalfOpen = fault.kind === 'second-path' && fault.what === 'half-open';
  // Moods keep nothing from being raised, and a kill says itself how long it lasts.
  if (fault.kind === 'delivery') return 0;
  if (fault.kind === 'half-open' || isHalfOpen) return 2 * KEEPALIVE_SECONDS * 1000;
  return 'forMs' in fault ? fault.forMs : 'downMs' in fault ? fault.downMs : 0;
}

const OPEN_RECORDS_MAX = 6;

/** Connected, and nothing waits but what was sealed in the last seconds. */
function isIdle(edge: EdgeNode): boolean {
  const { agent } = edge;
  if (!agent || !edge.isRunning) return false;
  const { uplink, counters, outbox } = agent.health();
  return uplink.up && outbox.disk === 'ok' && counters.pendingRecords <= OPEN_RECORDS_MAX;
}
