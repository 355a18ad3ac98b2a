// Gateways that send records sealed beforehand: as fast as the cloud's credit allows, or at a pace.
// What a gateway is here is its records, its window and the acks it hears; nothing is read, kept or
// sent again (the brokers here lose nothing: a record that is not acked fails the bench).

import { MqttLink } from '../../cloud/ingest/mqtt.ts';
import type { RuleProposal } from '../../core/alarm/rule.ts';
import { systemClock } from '../../core/clock.ts';
import type { PointDefinition } from '../../core/point.ts';
import { systemRandom } from '../../core/random.ts';
import type { Lane } from '../../core/reading.ts';
import { decodeAck } from '../../protocols/uplink/control.ts';
import { buildDictionary } from '../../protocols/uplink/dictionary.ts';
import { makeEpoch, seal } from '../../protocols/uplink/envelope.ts';
import type { Body, Epoch, SealedRecord } from '../../protocols/uplink/record.ts';
import {
  downFilters,
  KEEPALIVE_SECONDS,
  MESSAGE_BYTES_MAX,
  topicOf,
} from '../../protocols/uplink/topics.ts';
import { sleep } from '../bench.ts';
import { serve } from '../side.ts';
import { levelOf, Walk } from '../walk.ts';

export interface PublisherSettings {
  readonly broker: string;
  readonly area: string;
  readonly gateways: readonly { readonly id: string; readonly secret: string }[];
  readonly devices: number;
  /** Of one device; a poll of a device is a record, or several. */
  readonly points: number;
  readonly polls: number;
  /** Devices whose polls share a record. */
  readonly devicesARecord: number;
  readonly periodMs: number;
  /** Live: times go on from now, as `pace` sends them. Else they end about now. */
  readonly isPaced: boolean;
  /** Sent behind what is live, at this pace a gateway, as an edge sends what it kept. */
  readonly backlogBytesPerSecond?: number;
  /** From this poll on so many further points of each gateway are beyond their limit. */
  readonly storm?: Storm;
}

export interface Storm {
  readonly fromPoll: number;
  readonly pointsAPoll: number;
  /** Every so many points, its rule is of level I; the others' is of level III. */
  readonly firstLevelEvery: number;
}

/**
 * A second of what the cloud takes, over all gateways of a bench: enough to keep it busy. With all
 * the credit, pings would wait so long behind records that clients give their connection up.
 */
const WINDOW_BYTES_MAX = 128 * 1024;

export const STORM_RULE = 'high';
/** Raw, and a tenth of it is beyond the limit. */
const BEYOND = 65_000;

const limit: RuleProposal = {
  id: STORM_RULE,
  kind: 'limit',
  side: 'high',
  limit: 6_000,
  deadband: 10,
  level: 3,
  onDelayMs: 5_000,
  offDelayMs: 5_000,
  title: { en: 'High', zh: '高' },
  action: null,
};

const nothing: Omit<Body, 'clock'> = {
  readings: null,
  isState: false,
  coverage: [],
  gaps: [],
  clockSteps: [],
  dictionary: null,
};

function definitions(gateway: string, settings: PublisherSettings): PointDefinition[] {
  const { area, devices, points, periodMs, storm } = settings;
  const ruleOf = (at: number): RuleProposal => {
    if (!storm) return limit;
    const level = at % storm.firstLevelEvery === 0 ? 1 : 3;
    return { ...limit, level, onDelayMs: 0 };
  };
  return Array.from({ length: devices * points }, (_, at) => ({
    device: `device-${Math.floor(at / points)}`,
    point: `point-${at % points}`,
    name: { en: `Point ${at}`, zh: `测点 ${at}` },
    ...{ unit: 'kPa', type: 'number', scale: 0.1, offset: 0, range: [0, 6_553.5] },
    ...{ class: 'trend', periodMs, deadband: 0, rules: [ruleOf(at)] },
    asset: `${area}/${gateway}/device-${Math.floor(at / points)}`,
  }));
}

class Gateway {
  readonly id: string;
  readonly #settings: PublisherSettings;
  readonly #link: MqttLink;
  readonly #epoch: Epoch;
  readonly #dictionary: ReturnType<typeof buildDictionary>;
  readonly #values: Uint16Array;
  readonly wallOffsetMs: number;
  readonly up = Promise.withResolvers<void>();
  readonly #walk = new Walk(1);
  #queue: SealedRecord[] = [];
  #at = 0;
  #isClosing = false;
  #sequence = 0;
  #creditBytes = MESSAGE_BYTES_MAX;
  #inFlight: { readonly sequence: number; readonly bytes: number }[] = [];
  #inFlightBytes = 0;
  #sentBytes = 0;
  #beganMs: number | null = null;
  onIdle: () => void = () => {};

  constructor({ id, secret }: { id: string; secret: string }, settings: PublisherSettings) {
    this.id = id;
    this.#settings = settings;
    const { area, broker, devices, points, polls, periodMs, isPaced } = settings;
    this.#epoch = makeEpoch(1, systemRandom);
    this.#dictionary = buildDictionary(definitions(id, settings));
    this.#values = Uint16Array.from({ length: devices * points }, (_, at) => levelOf(at));
    this.wallOffsetMs = systemClock.wallMs() - (isPaced ? 0 : polls * periodMs);
    this.#link = new MqttLink(systemClock, systemRandom, {
      ...{ url: broker, clientId: id, username: id, password: secret },
      keepaliveSeconds: KEEPALIVE_SECONDS,
      subscriptions: downFilters(area, id),
      will: () => null,
    });
    this.#link.onUp = () => this.up.resolve();
    this.#link.onDown = (why) => {
      if (this.#isClosing) return;
      throw new Error(`${id} lost its connection, and records with it: ${why}`);
    };
    this.#link.onMessage = ({ topic, payload }) => {
      if (topic === topicOf(area, id, 'ack')) this.#hear(payload);
    };
    this.#link.start();
  }

  get isIdle(): boolean {
    return this.#at >= this.#queue.length && this.#inFlight.length === 0;
  }

  queueDictionary(): void {
    for (const { part } of this.#dictionary.parts) {
      this.#queue.push(this.#seal('event', '', { dictionary: part }, 0));
    }
  }

  /** Seals the polls beforehand; returns how many readings they hold. */
  async queuePolls(): Promise<number> {
    const { devices, devicesARecord, polls, periodMs } = this.#settings;
    let readings = 0;
    for (let poll = 0; poll < polls; poll++) {
      if (poll % 10 === 0) await sleep(0); // Keepalives go on meanwhile.
      for (let device = 0; device < devices; device += devicesARecord) {
        const record = this.#pollRecord(poll, device, (poll + device / devices) * periodMs);
        readings += record.readings;
        this.#queue.push(record);
      }
    }
    return readings;
  }

  /** Sends what the window allows, but nothing that would lie in the future of the pace. */
  send(untilMonoMs: number): void {
    const { area } = this.#settings;
    for (; this.#at < this.#queue.length; this.#at++) {
      const record = this.#queue[this.#at]!;
      if (record.lastMonoMs > untilMonoMs) return;
      const windowBytes = Math.min(this.#creditBytes, WINDOW_BYTES_MAX);
      if (this.#inFlightBytes + record.bytes.length > windowBytes) return;
      if (this.#sentBytes > this.#backlogBytes()) return;
      this.#sentBytes += record.bytes.length;
      const topic = topicOf(area, this.id, record.lane);
      const qos = record.lane === 'event' ? 1 : 0;
      if (!this.#link.publish(topic, record.bytes, { qos, retain: false })) return;
      this.#inFlight.push({ sequence: record.sequence, bytes: record.bytes.length });
      this.#inFlightBytes += record.bytes.length;
    }
  }

  #backlogBytes(): number {
    const { backlogBytesPerSecond: pace } = this.#settings;
    if (pace === undefined) return Number.POSITIVE_INFINITY;
    this.#beganMs ??= systemClock.monoMs();
    return ((systemClock.monoMs() - this.#beganMs) * pace) / 1_000;
  }

  close(): Promise<void> {
    this.#isClosing = true;
    return this.#link.close(1_000);
  }

  #pollRecord(poll: number, firstDevice: number, atMs: number): SealedRecord {
    const { points, devicesARecord, devices, storm, backlogBytesPerSecond } = this.#settings;
    const count = points * Math.min(devicesARecord, devices - firstDevice);
    const firstAlias = firstDevice * points;
    const monoMs = Math.round(atMs);
    for (let alias = firstAlias; alias < firstAlias + count; alias++) {
      this.#values[alias]! += this.#walk.next();
      if (storm && alias < (poll - storm.fromPoll + 1) * storm.pointsAPoll) {
        this.#values[alias] = BEYOND;
      }
    }
    const readings = {
      count,
      alias: Uint32Array.from({ length: count }, (_, at) => firstAlias + at),
      monoMs: new Float64Array(count).fill(monoMs),
      quality: new Uint8Array(count),
      numbers: Float64Array.from(this.#values.subarray(firstAlias, firstAlias + count)),
      special: new Map(),
    };
    const coverage = Array.from({ length: count / points }, (_, at) => ({
      ...{ firstAlias: firstAlias + at * points, points, fromMonoMs: monoMs, toMonoMs: monoMs },
      ...{ taken: points, unchanged: 0, failed: 0 },
    }));
    const lane = backlogBytesPerSecond === undefined ? 'live' : 'backfill';
    return this.#seal(lane, this.#dictionary.manifest, { readings, coverage }, count);
  }

  #seal(lane: Lane, manifest: string, body: Partial<Body>, taken: number) {
    const clock = { wallOffsetMs: this.wallOffsetMs, state: 'synchronised', errorMs: 5 } as const;
    const key = { lane, epoch: this.#epoch, sequence: ++this.#sequence, manifest };
    return seal({ ...key, taken, unchanged: 0, givenUp: 0 }, { ...nothing, ...body, clock });
  }

  #hear(payload: Uint8Array): void {
    const { epochs, creditBytes } = decodeAck(payload);
    this.#creditBytes = creditBytes;
    for (const { epoch, stored, refused } of epochs) {
      if (epoch !== this.#epoch) continue;
      if (refused.length > 0) throw new Error(`${this.id}: refused as ${refused[0]!.reason}`);
      const last = stored[0]?.first === 1 ? stored[0].last : 0;
      while (this.#inFlight.length > 0 && this.#inFlight[0]!.sequence <= last) {
        this.#inFlightBytes -= this.#inFlight.shift()!.bytes;
      }
    }
    this.onIdle();
  }
}

serve(async (settings: PublisherSettings) => {
  const gateways = settings.gateways.map((it) => new Gateway(it, settings));
  await Promise.all(gateways.map(({ up }) => up.promise));
  const { isPaced } = settings;
  let beganMs = 0;
  let beganWallMs = 0;
  const until = () => (isPaced ? systemClock.monoMs() - beganMs : Number.POSITIVE_INFINITY);
  const sent = () =>
    new Promise<void>((resolve) => {
      const check = () => {
        for (const gateway of gateways) gateway.send(until());
        if (gateways.every(({ isIdle }) => isIdle)) resolve();
      };
      for (const gateway of gateways) gateway.onIdle = () => gateway.send(until());
      const timer = setInterval(check, isPaced ? 5 : 20);
      check();
      stop = () => {
        clearInterval(timer);
        resolve();
      };
    });
  let stop = () => {};
  beganMs = systemClock.monoMs();
  for (const gateway of gateways) gateway.queueDictionary();
  await sent().finally(() => stop());
  return {
    prepare: async () => {
      let readings = 0;
      for (const gateway of gateways) readings += await gateway.queuePolls();
      return readings;
    },
    /** Resolves when everything is acked. */
    send: async () => {
      beganMs = systemClock.monoMs();
      beganWallMs = systemClock.wallMs();
      await sent().finally(() => stop());
    },
    stop: () => stop(),
    /** How far the labels of what is sent at a pace are behind the clock on the wall. */
    labelsBehindMs: () => beganWallMs - gateways[0]!.wallOffsetMs,
    end: () => Promise.all(gateways.map((gateway) => gateway.close())),
  };
});
