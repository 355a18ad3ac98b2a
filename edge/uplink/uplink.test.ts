// Sealer, outbox and uplink together on simulated time, with a disk that fills, a link that comes
// and goes, a cloud that goes deaf, and kills: the account must balance whatever happens.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Clock, SimClock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { silentLog } from '../../core/log.ts';
import type { PointDefinition } from '../../core/point.ts';
import { pickInteger, type Random, seededRandom } from '../../core/random.ts';
import { RangeSet } from '../../core/ranges.ts';
import type { PointClass } from '../../core/reading.ts';
import type { BrokerLink } from '../../protocols/uplink/broker-link.ts';
import { ACK_RANGES_MAX, encodeAck } from '../../protocols/uplink/control.ts';
import { openRecord } from '../../protocols/uplink/envelope.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import { parseTopic, topicOf } from '../../protocols/uplink/topics.ts';
import { ClockWatch } from '../clock-watch.ts';
import { OutboxCore, SHARE_BYTES_MIN } from '../outbox/core.ts';
import { Outbox } from '../outbox/outbox.ts';
import { portOver } from '../outbox/thread.ts';
import { Sealer } from '../seal.ts';
import type { PathLink } from './path.ts';
import { Uplink } from './uplink.ts';

const GROUP = 20;
const classes: readonly PointClass[] = ['life-safety', 'compliance', 'trend'];
const points: PointDefinition[] = classes.flatMap((pointClass) =>
  Array.from({ length: GROUP }, (_, at) => ({
    device: 'pump',
    point: `${pointClass}-${at}`,
    name: { en: `Point ${at}`, zh: `点${at}` },
    unit: '1',
    type: 'text',
    scale: 1,
    offset: 0,
    range: null,
    class: pointClass,
    periodMs: 1_000,
    deadband: 0,
    asset: null,
    rules: [],
  })),
);

/** The clock of one life of the edge: what it had asked for does not happen after its death. */
class LifeClock implements Clock {
  isDead = false;
  readonly #clock: SimClock;
  constructor(clock: SimClock) {
    this.#clock = clock;
  }
  wallMs = () => this.#clock.wallMs();
  monoMs = () => this.#clock.monoMs();
  after = (ms: number, fn: () => void) => this.#clock.after(ms, () => this.isDead || fn());
  afterPrecisely = this.after;
  sleep = (ms: number): Promise<void> => new Promise((resolve) => this.after(ms, resolve));
}

class SimLink implements PathLink {
  onUp = () => {};
  onDown: BrokerLink['onDown'] = () => {};
  onMessage: BrokerLink['onMessage'] = () => {};
  pendingBytes = 0;
  isUp = false;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #cloud: FakeCloud;
  constructor(clock: Clock, random: Random, cloud: FakeCloud) {
    this.#clock = clock;
    this.#random = random;
    this.#cloud = cloud;
  }
  start(): void {}
  setSubscriptions(): void {}
  set(up: boolean): void {
    if (up === this.isUp) return;
    this.isUp = up;
    if (up) this.onUp();
    else this.onDown('cut');
  }
  publish(topic: string, payload: Uint8Array): boolean {
    if (!this.isUp || this.#random.next() < 0.02) return false;
    const kind = parseTopic(topic)?.kind;
    // In order, with a delay; what is under way arrives even when the link is cut behind it.
    this.#clock.after(20, () => {
      if (kind === 'live' || kind === 'event' || kind === 'backfill') this.#cloud.take(payload);
    });
    return true;
  }
  close(): Promise<void> {
    this.set(false);
    return Promise.resolve();
  }
}

class FakeCloud {
  readonly stored = new Map<Epoch, RangeSet>();
  readonly takenOf = new Map<Epoch, number>();
  readonly missedOf = new Map<Epoch, number>();
  readonly estimated = new Map<Epoch, number>();
  isDeaf = false;
  link: SimLink | null = null;
  hasNews = false;

  take(payload: Uint8Array): void {
    if (this.isDeaf) return;
    this.hasNews = true;
    const { envelope, body } = openRecord(payload);
    const stored = this.of(envelope.epoch);
    if (stored.has(envelope.sequence)) return;
    stored.add(envelope.sequence);
    add(this.takenOf, envelope.epoch, envelope.taken);
    for (const gap of body.gaps) {
      const its = this.of(gap.epoch);
      const isKnown = gap.sequences.length > 0 && gap.sequences.every((it) => its.has(it.first));
      for (const { first, last } of gap.sequences) its.add(first, last);
      if (isKnown) continue; // It told of a record that had arrived after all.
      if (gap.estimated) add(this.estimated, gap.epoch, gap.readings);
      else add(gap.cause === 'missed' ? this.missedOf : this.takenOf, gap.epoch, gap.readings);
    }
  }

  of(epoch: Epoch): RangeSet {
    let set = this.stored.get(epoch);
    if (!set) this.stored.set(epoch, (set = new RangeSet()));
    return set;
  }

  ack(): void {
    if (this.isDeaf || !this.hasNews || !this.link?.isUp) return;
    this.hasNews = false;
    for (const [epoch, set] of this.stored) {
      expect(set.count).toBeLessThanOrEqual(1_024);
      const ranges = set.toArray();
      for (let at = 0; at < ranges.length; at += ACK_RANGES_MAX) {
        const stored = ranges.slice(at, at + ACK_RANGES_MAX);
        const epochs = [{ epoch, stored, refused: [], wanted: [] }];
        const ack = { storeId: 'one', epochs, needed: [], creditBytes: 200_000 };
        const topic = topicOf('a', 'g', 'ack');
        this.link.onMessage({ topic, payload: encodeAck(ack), retained: false });
      }
    }
  }
}

function add(map: Map<Epoch, number>, epoch: Epoch, by: number): void {
  map.set(epoch, (map.get(epoch) ?? 0) + by);
}

interface Life {
  readonly clock: LifeClock;
  readonly core: OutboxCore;
  readonly outbox: Outbox;
  readonly sealer: Sealer;
  readonly uplink: Uplink;
  readonly link: SimLink;
}

class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'uplink-world-'));
  readonly clock = new SimClock();
  readonly cloud = new FakeCloud();
  readonly random: Random;
  readonly takenOf = new Map<Epoch, number>();
  readonly missedOf = new Map<Epoch, number>();
  readonly killed = new Map<Epoch, number>();
  isFull = false;
  life: Life;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.life = this.open();
  }

  open(): Life {
    const clock = new LifeClock(this.clock);
    const core = OutboxCore.open({
      folder: this.folder,
      bytesMax: SHARE_BYTES_MIN,
      random: this.random,
      beforeWrite: () => {
        if (this.isFull) throw new Fault('outbox_full', 'later', 'no space');
      },
    });
    const outbox = new Outbox(clock, silentLog, portOver(core));
    const watch = new ClockWatch(clock, outbox.openedMonoMs, () => null);
    const link = new SimLink(this.clock, this.random, this.cloud);
    const uplink = new Uplink(clock, this.random, silentLog, outbox, watch, {
      area: 'a',
      gateway: 'g',
      software: '',
      configuration: '',
      backlogBytesPerSecond: 500_000,
      second: null,
      connect: () => link,
      onMessage: () => {},
      reported: () => new Uint8Array(0),
    });
    const onRecord = uplink.offer.bind(uplink);
    const sealer = new Sealer(clock, outbox, watch, { points, onRecord });
    uplink.start(sealer);
    this.cloud.link = link;
    return { clock, core, outbox, sealer, uplink, link };
  }

  kill(): void {
    const { clock, core, outbox, sealer, link } = this.life;
    this.note();
    clock.isDead = true;
    link.isUp = false;
    link.onMessage = () => {};
    core.abandon();
    // A second of readings, and what waited because the disk was full.
    const pending = (sealer.counts.taken * outbox.pendingBytes) / Math.max(1, sealer.counts.bytes);
    this.killed.set(outbox.epoch, 4 * GROUP * classes.length + 2 * pending);
    this.life = this.open();
  }

  note(): void {
    const { outbox, sealer } = this.life;
    this.takenOf.set(outbox.epoch, sealer.counts.taken);
    this.missedOf.set(outbox.epoch, sealer.counts.missed);
  }

  poll(): void {
    const nowMs = this.clock.monoMs();
    for (let group = 0; group < classes.length; group++) {
      const firstAlias = group * GROUP;
      const times = { fromMonoMs: nowMs, toMonoMs: nowMs };
      if (this.random.next() < 0.02) {
        this.life.sealer.missed({ firstAlias, points: GROUP, ...times, polls: 1 });
        continue;
      }
      const alias = Array.from({ length: pickInteger(this.random, 0, GROUP) }, (_, at) => at);
      this.life.sealer.report({
        firstAlias,
        points: GROUP,
        ...times,
        alias: alias.map((at) => firstAlias + at),
        monoMs: alias.map(() => nowMs),
        // Does not compress, so that the share is full within minutes.
        values: alias.map(() => this.text()),
        qualities: alias.map(() => 0),
        unchanged: GROUP - alias.length,
        failed: 0,
        urgent: group === 0 && this.random.next() < 0.1,
      });
    }
  }

  text(): string {
    return Buffer.from(this.random.bytes(180)).toString('base64');
  }

  async run(): Promise<void> {
    for (let second = 0; second < 700; second++) {
      const dice = this.random.next();
      // The link is down most of the time: the share is to be too small.
      if (dice < 0.01) this.life.link.set(true);
      else if (dice < 0.04) this.life.link.set(false);
      else if (dice < 0.045) this.kill();
      else if (dice < 0.055) this.isFull = !this.isFull;
      else if (dice < 0.065) this.cloud.isDeaf = !this.cloud.isDeaf;
      this.poll();
      await this.clock.advance(500);
      this.cloud.ack();
      await this.clock.advance(500);
    }
    this.isFull = false;
    this.cloud.isDeaf = false;
    this.life.sealer.close();
    for (let second = 0; second < 600; second++) {
      this.life.link.set(true);
      await this.clock.advance(1_000);
      this.cloud.ack();
    }
    this.note();
  }
}

// 101 and 149: records read to be sent were given up before they went. 129: ranges beyond an ack.
test.each([1, 2, 3, 4, 5, 101, 129, 149])(
  'the account balances whatever fails: taken = stored + unchanged + given up (seed %i)',
  async (seed) => {
    const world = new World(seed);
    try {
      await world.run();
      const { cloud, life } = world;
      expect(life.uplink.counts.openRecords).toBe(0);
      for (const [epoch, taken] of world.takenOf) {
        const told = cloud.takenOf.get(epoch) ?? 0;
        const lost = world.killed.get(epoch);
        if (lost === undefined) {
          expect(told, `${epoch} of seed ${seed}`).toBe(taken);
          expect(cloud.missedOf.get(epoch) ?? 0).toBe(world.missedOf.get(epoch));
        } else {
          expect(told, `${epoch} of seed ${seed}`).toBeLessThanOrEqual(taken);
          expect(taken - told, `${epoch} of seed ${seed}`).toBeLessThanOrEqual(lost);
        }
      }
      await life.outbox.close();
    } finally {
      rmSync(world.folder, { recursive: true, force: true });
    }
  },
);
