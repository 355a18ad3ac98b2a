// Somebody who has the plant commanded, through the book of the real cloud, while the world goes
// wrong: each command has a value that no other has, so that the devices tell how often it was
// carried out, and when they were told to. A caller who hears no answer asks again. Beside it
// somebody listens to both brokers, and gives the gateways again what the cloud once sent: late,
// out of order, answered or not. Edges and cloud are stopped between any two steps.
import { phaseOf } from '../../cloud/commands/command.ts';
import type { CommandOffer } from '../../core/command.ts';
import { pickInteger, type Random, seededRandom } from '../../core/random.ts';
import type { Command, Reply } from '../../protocols/uplink/control.ts';
import { decodeCommand, decodeReply } from '../../protocols/uplink/control.ts';
import { kinds, parseTopic, upFilters } from '../../protocols/uplink/topics.ts';
import { LEDGER_PLACES } from '../dying-ledger.ts';
import type { SimBroker } from './broker.ts';
import { SimLink } from './broker.ts';
import { pick } from './city.ts';
import type { CloudNode } from './cloud-node.ts';
import { COMMAND_PLACES } from './cloud-node.ts';
import type { EdgeNode } from './edge-node.ts';
import type { PlantPoint } from './plant.ts';
import type { Timeline } from './timeline.ts';
import { Life, NodeClock } from './timeline.ts';
import type { Witness } from './witness.ts';

/** Draws nothing from the random numbers of the rest of the world. */
const COMMANDS_SEED = 7_919_000;
const AGAIN_MS = 2_000;
/** Of what was ever sent, in each of those times. */
const REPLAYED_SHARE = 0.03;

export const WORLD_OFFER: CommandOffer = {
  ...{ id: 'set', title: { en: 'Set', zh: '设定' }, fixed: null, range: [0, 65_535] },
  ...{ states: null, right: 'control', twoPeople: false, everyMs: 0, timeToLiveMs: 30_000 },
  revert: null,
};

export interface Written {
  readonly value: number;
  /** True time at which the device was told to. */
  readonly atMs: number;
}

/** `open`: its caller heard no answer. */
type Answer = 'open' | 'asked' | 'refused';

interface Wish {
  readonly id: string;
  readonly point: PlantPoint;
  readonly value: number;
  readonly timeToLiveMs: number;
  /** Stores that the cloud had lost before. */
  readonly wipes: number;
  answer: Answer;
}

interface Sent {
  readonly topic: string;
  readonly payload: Uint8Array;
}

export class CommandDesk {
  /** What devices were told, by all boxes. */
  readonly written: Written[] = [];
  readonly random: Random;
  readonly #timeline: Timeline;
  readonly #witness: Witness;
  readonly #points: readonly PlantPoint[];
  /** One a broker: what goes by two paths comes twice. */
  readonly #links: readonly SimLink[];
  readonly #wishes: Wish[] = [];
  /** By id: each different message that the cloud sent. */
  readonly #sent = new Map<string, Sent[]>();
  readonly #replies = new Map<string, Reply[]>();
  #cloud: CloudNode | null = null;

  constructor(
    timeline: Timeline,
    brokers: readonly SimBroker[],
    witness: Witness,
    seed: number,
    { area, points }: { readonly area: string; readonly points: readonly PlantPoint[] },
  ) {
    this.#timeline = timeline;
    this.#witness = witness;
    this.random = seededRandom(seed + COMMANDS_SEED);
    this.#points = points;
    const life = new Life(() => {});
    const clock = new NodeClock(timeline, life, { errorMs: 0 }, -1_000);
    const options = {
      ...{ url: '', clientId: 'listener', username: 'listener', password: '' },
      ...{ keepaliveSeconds: 10, subscriptions: upFilters(area), will: () => null },
    };
    const again = { firstMs: 500, maxMs: 3_000, jitter: 0.5, name: 'listener' };
    this.#links = brokers.map((broker) => {
      const link = new SimLink(clock, this.random, broker, life, options, again);
      link.onMessage = ({ topic, payload }) => this.#heard(topic, payload);
      return link;
    });
  }

  /** Commands from now on until `activeMs`; what was sent comes again until the world ends. */
  start(activeMs: number, cloud: CloudNode, edges: ReadonlyMap<string, EdgeNode>): void {
    this.#cloud = cloud;
    for (const link of this.#links) link.start();
    const { random } = this;
    const next = () => {
      if (this.#timeline.nowMs > activeMs) return;
      this.#wish();
      this.#timeline.after(pickInteger(random, 200, 2_500), next);
    };
    this.#timeline.after(4_000, next);
    const again = () => {
      this.#again();
      this.#timeline.after(AGAIN_MS, again);
    };
    this.#timeline.after(AGAIN_MS, again);
    for (let kills = pickInteger(random, 0, 4); kills > 0; kills--) {
      const atMs = pickInteger(random, 5_000, activeMs - 5_000);
      const edge = pick(random, [...edges.values()]);
      const place = pick(random, LEDGER_PLACES);
      const count = pickInteger(random, 1, 3);
      this.#timeline.at(atMs, () => edge.life.arm(place, count));
    }
    for (let kills = pickInteger(random, 0, 3); kills > 0; kills--) {
      const atMs = pickInteger(random, 5_000, activeMs - 5_000);
      const place = pick(random, COMMAND_PLACES);
      const count = pickInteger(random, 1, 3);
      this.#timeline.at(atMs, () => cloud.life.arm(place, count));
    }
  }

  /** What the cloud publishes, each time. */
  sent(topic: string, payload: Uint8Array): void {
    const { id } = decodeCommand(payload);
    const known = this.#sent.get(id) ?? [];
    if (known.some((one) => Buffer.compare(one.payload, payload) === 0)) return;
    this.#sent.set(id, [...known, { topic, payload }]);
  }

  /** Nothing is asked, or sent and without an outcome. */
  get isCalm(): boolean {
    const cloud = this.#cloud;
    if (!cloud) return true;
    const isAnswered = this.#wishes.every((wish) => wish.answer !== 'open' || this.#isLost(wish));
    return isAnswered && cloud.isRunning && cloud.parts.commands?.issued().length === 0;
  }

  #heard(topic: string, payload: Uint8Array): void {
    if (parseTopic(topic)?.kind !== 'reply') return;
    const reply = decodeReply(payload);
    this.#replies.set(reply.id, [...(this.#replies.get(reply.id) ?? []), reply]);
  }

  #wish(): void {
    const value = this.#wishes.length + 1;
    const wish: Wish = {
      id: value.toString(16).padStart(32, '0'),
      point: pick(this.random, this.#points),
      value,
      timeToLiveMs: pickInteger(this.random, 1_000, 15_000),
      wipes: this.#witness.wipes,
      answer: 'open',
    };
    this.#wishes.push(wish);
    this.#ask(wish);
  }

  #ask(wish: Wish): void {
    const { id, point, value, timeToLiveMs } = wish;
    if (!this.#cloud?.isRunning) return;
    const { gateway, device, point: name } = point;
    const where = { gateway, device, point: name, command: 'set' };
    const asked = { id, ...where, value, timeToLiveMs, why: 'world' };
    const answer = this.#cloud.call((parts) => parts.ask(asked));
    if (answer === null) return;
    if (wish.answer === 'asked' && answer === 'refused') {
      this.#witness.problem('commands', `${value} was asked for and is not known`);
    }
    wish.answer = answer;
  }

  #again(): void {
    for (const wish of this.#wishes) {
      if (wish.answer === 'refused' || this.#isLost(wish)) continue;
      if (wish.answer === 'open' || this.random.next() < REPLAYED_SHARE) this.#ask(wish);
    }
    const { qos, retain } = kinds.command;
    for (const { topic, payload } of [...this.#sent.values()].flat()) {
      if (this.random.next() >= REPLAYED_SHARE) continue;
      for (const link of this.#links) link.publish(topic, payload, { qos, retain });
    }
  }

  /** The cloud that was asked for it is gone with its book. */
  #isLost({ wipes }: Wish): boolean {
    return wipes !== this.#witness.wipes;
  }

  /** What must hold of every command when the world has come right. */
  problems(): string[] {
    const found = this.#wishes.flatMap((wish) => [
      ...this.#deeds(wish),
      ...this.#words(wish),
      ...(this.#isLost(wish) ? [] : this.#entries(wish)),
    ]);
    const asked = new Set(this.#wishes.map(({ id }) => id));
    for (const id of new Set([...this.#sent.keys(), ...this.#replies.keys()])) {
      if (!asked.has(id)) found.push(`nobody asked for ${id}`);
    }
    return found;
  }

  /** What the devices saw of it. */
  #deeds({ id, value }: Wish): string[] {
    const found: string[] = [];
    const writes = this.written.filter((write) => write.value === value);
    if (writes.length > 1) found.push(`${value} was carried out ${writes.length} times`);
    const sent = this.#commands(id);
    if (sent.length > 1) found.push(`${value} was sent as ${sent.length} different commands`);
    if (writes.length > 0 && sent.length === 0) found.push(`${value} was done and never sent`);
    for (const { epoch, sequence } of sent) {
      const record = this.#witness.epochs.get(epoch)?.sealed.get(sequence);
      if (!record) found.push(`${value} names a record that nobody sealed`);
      const wanted = this.#wishes[value - 1]!;
      const endMs = (record?.seenMs ?? 0) + wanted.timeToLiveMs;
      for (const { atMs } of writes) {
        if (atMs > endMs) found.push(`${value} was carried out at ${atMs}, its end was ${endMs}`);
      }
    }
    return found;
  }

  #commands(id: string): Command[] {
    return (this.#sent.get(id) ?? []).map(({ payload }) => decodeCommand(payload));
  }

  /** What its gateway said of it, and the devices know. */
  #words({ id, value }: Wish): string[] {
    const found: string[] = [];
    const isDone = this.written.some((write) => write.value === value);
    const replies = this.#replies.get(id) ?? [];
    const words = [...new Set(replies.map(({ outcome, reason }) => `${outcome}/${reason}`))];
    // The first word is the outcome. A run that could open no ledger leaves one that knows less:
    // what was refused may be called uncertain then, what was done is never called anything else.
    const isFirstUndone = /^(refused|expired)/.test(words[0] ?? '');
    const isLessSure = words.every((word) => /^(refused|expired|uncertain)/.test(word));
    const isOne = words.length <= 1 || (isFirstUndone && isLessSure);
    if (!isOne) found.push(`${value} ended as ${words.join(' and ')}`);
    if (isFirstUndone && isDone) found.push(`${value} was done and is ${words[0]}`);
    if (words[0]?.startsWith('done') && !isDone) found.push(`${value} was not done`);
    return found;
  }

  /** What the cloud has of it, in its book and in its journal. */
  #entries({ id, value, answer }: Wish): string[] {
    const { commands, alarms } = this.#cloud!.parts;
    const command = commands!.tables.get(id);
    const kinds = alarms.journal(0, 1_000, id).map(({ kind }) => kind);
    if (answer !== 'asked') {
      return command || kinds.length > 0 ? [`${value} was ${answer} and is in the book`] : [];
    }
    if (!command) return [`${value} was asked for and is in no book`];
    const found: string[] = [];
    const { state, late } = command;
    if (phaseOf(command) !== 'settled') found.push(`${value} has no outcome, it is ${state}`);
    for (const kind of ['command-asked', 'command-issued', 'command-outcome']) {
      const count = kinds.filter((one) => one === kind).length;
      if (count !== 1) found.push(`${value} has ${count} entries ${kind} in the journal`);
    }
    if (kinds.includes('command-stranger')) found.push(`${value} was answered by a stranger`);
    const isDone = this.written.some((write) => write.value === value);
    const isUndone = state === 'refused' || state === 'expired';
    if (isDone && isUndone) found.push(`${value} was done and its outcome is ${state}`);
    if (!isDone && state === 'done') found.push(`${value} was not done, and its outcome is done`);
    // As in the words of the gateway: only what was surely not done may be doubted afterwards.
    if (late && !(isUndone && /^(refused|expired|uncertain)$/.test(late.outcome))) {
      found.push(`${value} is ${state}, and ${late.outcome} was said of it later`);
    }
    return found;
  }

  /** By outcome, for whoever wonders whether anything happened. */
  get outcomes(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    const commands = this.#cloud?.isRunning ? this.#cloud.parts.commands : null;
    for (const { id } of this.#wishes) {
      const word = commands?.tables.get(id)?.state;
      if (word) counts[word] = (counts[word] ?? 0) + 1;
    }
    return counts;
  }
}
