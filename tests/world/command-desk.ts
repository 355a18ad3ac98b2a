// Somebody who commands the plant over the wire while the world goes wrong: each command has a
// value that no other has, so that the devices tell how often it was carried out, and when. What
// has no outcome is sent again; what has one is sent again now and then, late and out of order.
// Edges are stopped between any two steps of the ledger.
import type { CommandOffer } from '../../core/command.ts';
import { pickInteger, type Random, seededRandom } from '../../core/random.ts';
import type { Command, Reply } from '../../protocols/uplink/control.ts';
import { decodeReply, encodeCommand } from '../../protocols/uplink/control.ts';
import { readEnvelope } from '../../protocols/uplink/envelope.ts';
import { kinds, parseTopic, topicOf, upFilters } from '../../protocols/uplink/topics.ts';
import { LEDGER_PLACES } from '../dying-ledger.ts';
import type { SimBroker } from './broker.ts';
import { SimLink } from './broker.ts';
import { pick } from './city.ts';
import type { EdgeNode } from './edge-node.ts';
import type { PlantPoint } from './plant.ts';
import type { Timeline } from './timeline.ts';
import { Life, NodeClock } from './timeline.ts';

/** Draws nothing from the random numbers of the rest of the world. */
const COMMANDS_SEED = 7_919_000;
const REPEAT_MS = 2_000;

export const WORLD_OFFER: CommandOffer = {
  ...{ id: 'set', title: { en: 'Set', zh: '设定' }, fixed: null, range: [0, 65_535] },
  ...{ states: null, right: 'control', twoPeople: false, everyMs: 0, timeToLiveMs: 30_000 },
  revert: null,
};

export interface Written {
  readonly value: number;
  /** True time. */
  readonly atMs: number;
}

interface Sent {
  readonly gateway: string;
  readonly command: Command;
  /** True time: nothing of it may begin from then on. */
  readonly endMs: number;
}

export class CommandDesk {
  /** What devices were told, by all boxes. */
  readonly written: Written[] = [];
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #area: string;
  readonly #points: readonly PlantPoint[];
  /** One a broker: what goes by two paths comes twice. */
  readonly #links: readonly SimLink[];
  readonly #sent: Sent[] = [];
  readonly #replies = new Map<string, Reply[]>();
  /** The newest record heard of each gateway. */
  readonly #newest = new Map<string, { readonly epoch: string; readonly sequence: number }>();

  constructor(
    timeline: Timeline,
    brokers: readonly SimBroker[],
    seed: number,
    { area, points }: { readonly area: string; readonly points: readonly PlantPoint[] },
  ) {
    this.#timeline = timeline;
    this.#random = seededRandom(seed + COMMANDS_SEED);
    this.#area = area;
    this.#points = points;
    const life = new Life(() => {});
    const clock = new NodeClock(timeline, life, { errorMs: 0 }, -1_000);
    const options = {
      ...{ url: '', clientId: 'control-desk', username: 'control-desk', password: '' },
      ...{ keepaliveSeconds: 10, subscriptions: upFilters(area), will: () => null },
    };
    // It is back before the world is looked at, as the cloud would ask for as long as it takes.
    const again = { firstMs: 500, maxMs: 3_000, jitter: 0.5, name: 'control-desk' };
    this.#links = brokers.map((broker) => {
      const link = new SimLink(clock, this.#random, broker, life, options, again);
      link.onMessage = ({ topic, payload }) => this.#heard(topic, payload);
      return link;
    });
  }

  /** Commands from now on until `activeMs`; asks for what is open until the world ends. */
  start(activeMs: number, edges: ReadonlyMap<string, EdgeNode>): void {
    for (const link of this.#links) link.start();
    const next = () => {
      if (this.#timeline.nowMs > activeMs) return;
      this.#issue();
      this.#timeline.after(pickInteger(this.#random, 200, 2_500), next);
    };
    this.#timeline.after(4_000, next);
    const again = () => {
      this.#sendAgain();
      this.#timeline.after(REPEAT_MS, again);
    };
    this.#timeline.after(REPEAT_MS, again);
    for (let kills = pickInteger(this.#random, 0, 4); kills > 0; kills--) {
      const atMs = pickInteger(this.#random, 5_000, activeMs - 5_000);
      const edge = pick(this.#random, [...edges.values()]);
      const place = pick(this.#random, LEDGER_PLACES);
      const count = pickInteger(this.#random, 1, 3);
      this.#timeline.at(atMs, () => edge.life.arm(place, count));
    }
  }

  #heard(topic: string, payload: Uint8Array): void {
    const parts = parseTopic(topic);
    if (!parts) return;
    const { gateway, kind } = parts;
    if (kind === 'reply') {
      const reply = decodeReply(payload);
      this.#replies.set(reply.id, [...(this.#replies.get(reply.id) ?? []), reply]);
      return;
    }
    if (kind !== 'live' && kind !== 'event') return;
    const read = readEnvelope(payload);
    if (!read.ok) return;
    const { epoch, sequence } = read.envelope;
    const newest = this.#newest.get(gateway);
    const opening = (of: string) => Number.parseInt(of, 10);
    const isNewer =
      !newest ||
      opening(epoch) > opening(newest.epoch) ||
      (epoch === newest.epoch && sequence > newest.sequence);
    if (isNewer) this.#newest.set(gateway, { epoch, sequence });
  }

  #issue(): void {
    const point = pick(this.#random, this.#points);
    const { gateway, device } = point;
    const newest = this.#newest.get(gateway);
    if (!newest) return;
    const value = this.#sent.length + 1;
    const timeToLiveMs = pickInteger(this.#random, 500, 15_000);
    const command: Command = {
      ...{ id: `w-${value}`, issuer: 'desk', ...newest, timeToLiveMs, device, command: 'set' },
      ...{ point: point.point, value, second: '', why: 'world' },
    };
    // It was seen already when it was named: whatever is later than this is too late.
    this.#sent.push({ gateway, command, endMs: this.#timeline.nowMs + timeToLiveMs });
    if (this.#random.next() < 0.95) this.#send(this.#sent.at(-1)!);
    if (this.#random.next() < 0.3) this.#send(this.#sent.at(-1)!);
  }

  #send({ gateway, command }: Sent): void {
    const { qos, retain } = kinds.command;
    const topic = topicOf(this.#area, gateway, 'command');
    for (const link of this.#links) link.publish(topic, encodeCommand(command), { qos, retain });
  }

  #sendAgain(): void {
    for (const one of this.#sent) {
      const isOpen = !this.#replies.has(one.command.id);
      if (isOpen || this.#random.next() < 0.02) this.#send(one);
    }
  }

  /** What must hold of every command when the world has come right. */
  problems(): string[] {
    const found: string[] = [];
    for (const { command, endMs } of this.#sent) {
      const { id, value } = command;
      const writes = this.written.filter((write) => write.value === value);
      if (writes.length > 1) found.push(`${id} was carried out ${writes.length} times`);
      for (const { atMs } of writes) {
        if (atMs >= endMs) found.push(`${id} was carried out at ${atMs}, its end was ${endMs}`);
      }
      const replies = this.#replies.get(id) ?? [];
      const words = [...new Set(replies.map(({ outcome, reason }) => `${outcome}/${reason}`))];
      const isUndone = words.every((word) => /^(refused|expired)/.test(word));
      if (words.length === 0) found.push(`${id} has no outcome`);
      // The first word is the outcome. A run that could open no ledger leaves one that knows less:
      // what was refused may be called uncertain then, what was done is never called anything else.
      const isFirstUndone = /^(refused|expired)/.test(words[0] ?? '');
      const isLessSure = words.every((word) => /^(refused|expired|uncertain)/.test(word));
      const isOne = words.length <= 1 || (isFirstUndone && isLessSure);
      if (!isOne) found.push(`${id} ended as ${words.join(' and ')}`);
      if (isFirstUndone && writes.length > 0) found.push(`${id} was done and is ${words[0]}`);
      if (isUndone && writes.length > 0) found.push(`${id} was carried out and is ${words[0]}`);
      if (words[0]?.startsWith('done') && writes.length !== 1) found.push(`${id} was not done`);
    }
    return found;
  }

  /** By outcome, for whoever wonders whether anything happened. */
  get outcomes(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const [first] of this.#replies.values()) {
      const word = first!.outcome;
      counts[word] = (counts[word] ?? 0) + 1;
    }
    return counts;
  }
}
