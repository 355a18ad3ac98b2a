// The session of one link: the points of its devices, kept current by one subscription.
//
// A poll asks nothing of the server where a point is subscribed: it takes what has come. A value
// that did not change is true until the subscription brought something last, be it a keep-alive.
// Points that cannot be subscribed are read, each request with its deadline.
//
// It ends when the channel is lost, when the server no longer knows it, or when the subscription
// brings nothing any more; the line opens the next one, which goes on where this one was as far as
// the server still knows of it (`Kept`).
import type { Clock } from '../../core/clock.ts';
import { Fault, isFault } from '../../core/fault.ts';
import type { QualityCode } from '../../core/quality.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';
import type { Value } from '../../core/reading.ts';
import type {
  Answers,
  DeviceHandle,
  DeviceIdentity,
  OwnSession,
  Plan,
  Written,
} from '../driver.ts';
import type { OpcuaAddress, OpcuaDevice, ReadAddress } from './address.ts';
import { Conditions } from './conditions.ts';
import type { Connection } from './connection.ts';
import { statusOfFault } from './connection.ts';
import { readHistory } from './history.ts';
import type { Item } from './items.ts';
import { CONFIGURATION, Items } from './items.ts';
import type { ClientSession } from './library.ts';
import { Nodes } from './nodes.ts';
import { OpcuaPlan } from './plan.ts';
import { promote, readItems, readSome } from './reads.ts';
import type { Facts, Sizes } from './setup.ts';
import { findNodes, monitorItems, readFacts, readValues, sizesOf } from './setup.ts';
import type { DataItem, EventItem, Message, SubscriptionState } from './subscription.ts';
import { Subscription } from './subscription.ts';
import { Writer } from './writing.ts';

const NO_CONNECTION = qualityCode('bad', 'no_connection');
/**
 * A node that was not there may come: a server is set up anew, a device behind it is plugged in.
 */
export const LOOK_AGAIN_MS = 60_000;
/** A session without a subscription is kept by a question, as often as keep-alives would come. */
const noSubscription: ReadonlySet<string | null> = new Set([
  'BadServiceUnsupported',
  'BadNotSupported',
  'BadNotImplemented',
  'BadTooManySubscriptions',
  'BadUserAccessDenied',
]);
const SERVER_STATE = 2259;

/** What one session leaves to the next of the same place. */
export interface Kept {
  readonly items: Items;
  readonly sizes: Sizes;
  readonly conditions: Conditions;
  /** Null when it was closed in order. */
  readonly session: ClientSession | null;
  readonly subscription: SubscriptionState | null;
  readonly facts: Facts | null;
  /** Notifications that are gone: what the subscription shows may be over. */
  readonly missing: number;
  /** Until when the polls had what was true. */
  readonly provenMonoMs: number | null;
}

export class OpcuaSession implements OwnSession<OpcuaAddress, OpcuaDevice> {
  readonly counts: Record<string, number> = { lost_messages: 0, foreign_items: 0 };
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #items: Items;
  readonly #sizes: Sizes;
  readonly #conditions: Conditions;
  readonly #before: Kept | null;
  readonly #openMonoMs: number;
  readonly #plans: OpcuaPlan[] = [];
  readonly #writer: Writer;
  #facts: Facts | null = null;
  #nodes: Nodes | null = null;
  #subscription: Subscription | null = null;
  #isWithout = false;
  #missing = 0;
  #pending = new Set<Item>();
  #setUp: Promise<void> = Promise.resolve();
  #isSettingUp = false;
  #lookedMonoMs: number;
  #provenMonoMs: number;
  #ended: { readonly why: Fault | null } | null = null;
  #closed: { readonly why: Fault | null } | null = null;
  #onClose: (why: Fault | null) => void = () => {};
  #isInOrder = false;
  readonly #ending = new AbortController();

  constructor(clock: Clock, connection: Connection, before: Kept | null) {
    this.#clock = clock;
    this.#connection = connection;
    this.#before = before;
    this.#items = before?.items ?? new Items();
    this.#sizes = before?.sizes ?? sizesOf(connection.place);
    this.#conditions = before?.conditions ?? new Conditions();
    this.#openMonoMs = clock.monoMs();
    this.#provenMonoMs = this.#openMonoMs;
    this.#lookedMonoMs = this.#openMonoMs;
    this.#writer = new Writer(connection, this.#conditions, () => this.#known());
    connection.onLost = (why) => this.#end(why);
  }

  /** Told soon where it has ended already. */
  set onClose(tell: (why: Fault | null) => void) {
    this.#onClose = tell;
    const closed = this.#closed;
    if (closed) queueMicrotask(() => tell(closed.why));
  }

  get onClose(): (why: Fault | null) => void {
    return this.#onClose;
  }

  #tellClosed(why: Fault | null): void {
    this.#closed = { why };
    this.#onClose(why);
  }

  /** For the next session of the place. */
  get kept(): Kept {
    const session = this.#isInOrder ? null : this.#connection.session;
    // It ended before it had begun: what there was to go on with is still there.
    if (!this.#facts && this.#before) return { ...this.#before, session };
    return {
      items: this.#items,
      sizes: this.#sizes,
      conditions: this.#conditions,
      session,
      subscription: this.#isInOrder ? null : (this.#subscription?.state ?? null),
      facts: this.#facts,
      missing: this.#missing,
      provenMonoMs: this.#subscription?.state.provenMonoMs ?? this.#before?.provenMonoMs ?? null,
    };
  }

  device(options: OpcuaDevice): DeviceHandle<OpcuaAddress> {
    return {
      plan: (addresses, before) => this.#plan(options, addresses as ReadAddress[], before),
      poll: (plan, signal) => this.#poll(plan as OpcuaPlan, options, signal),
      identity: (signal) => this.#identity(options, signal),
      write: (address, value, signal, mayGo) => this.#write(options, address, value, signal, mayGo),
    };
  }

  close(): void {
    if (this.#ended) return;
    // A server that still talks is told, so that it keeps nothing for us.
    const isWell = this.#subscription !== null || this.#isWithout;
    this.#isInOrder = isWell;
    this.#end(null);
  }

  // --- Plans ---

  #plan(device: OpcuaDevice, addresses: readonly ReadAddress[], before?: Plan): OpcuaPlan {
    const items = addresses.map((address) => this.#items.of(device, address));
    const plan = new OpcuaPlan(items, before instanceof OpcuaPlan ? before : undefined);
    if (plan.isOwner) this.#plans.push(plan);
    for (const item of items) {
      if (item.way === 'unset' || item.way === 'wrong') this.#pending.add(item);
    }
    this.#prepare();
    return plan;
  }

  /** Plans of one turn are set up together. */
  #prepare(): void {
    if (this.#isSettingUp) return;
    this.#isSettingUp = true;
    this.#setUp = Promise.resolve()
      .then(() => this.#setItemsUp())
      .catch((error: unknown) => {
        if (!isFault(error)) throw error;
        this.#end(error);
      })
      .finally(() => {
        this.#isSettingUp = false;
        if (this.#pending.size > 0 && !this.#ended) this.#prepare();
      });
  }

  async #setItemsUp(): Promise<void> {
    const isFirst = this.#facts === null;
    if (isFirst) await this.#open();
    this.#lookedMonoMs = this.#clock.monoMs();
    const items = [...this.#pending].filter(({ way }) => way === 'unset' || way === 'wrong');
    this.#pending.clear();
    const nodes = this.#nodes!;
    const values = items.filter(({ address }) => address.kind === 'value');
    const found = await findNodes(nodes, values);
    const isRead = ({ address }: Item) =>
      this.#isWithout || (address.kind === 'value' && address.mode === 'read');
    for (const item of found) if (isRead(item)) item.way = 'read';
    for (const item of items) if (item.address.kind === 'certificate') item.way = 'own';
    const monitored = found.filter((item) => !isRead(item));
    const { state } = this.#subscription ?? {};
    if (state) {
      await monitorItems(this.#clock, this.#connection, state, monitored, this.#sizes.monitor);
      const told = items.filter(
        ({ address }) => address.kind === 'event' || address.kind === 'condition',
      );
      const { id } = state;
      await this.#conditions.setUp(this.#clock, this.#connection, nodes, id, told, this.#sizes);
    } else {
      for (const item of items) {
        if (item.address.kind === 'event' || item.address.kind === 'condition') {
          item.wrong(CONFIGURATION);
        }
      }
    }
    if (isFirst) await this.#begin();
  }

  /** What the server says of itself, and the subscription, new or that of the session before. */
  async #open(): Promise<void> {
    const facts = await readFacts(this.#clock, this.#connection, this.#sizes);
    const before = this.#before;
    this.#nodes = new Nodes(this.#connection, this.#sizes.translate, facts.namespaces);
    const isSame = before?.facts ? sameServer(before.facts, facts) : false;
    const { subscription: state } = before ?? {};
    const goesOn =
      isSame && state && before?.missing === 0
        ? this.#connection.isResumed || (await Subscription.transfer(this.#connection, state))
        : false;
    if (state && goesOn) {
      this.#subscription = new Subscription(this.#clock, this.#connection, this, state);
    } else {
      this.#items.reset();
      this.#conditions.reset();
      for (const item of this.#items.all) if (item.inbox) this.#pending.add(item);
      if (state) this.#owe(before?.missing || 1);
      // It would go on telling what nobody listens to for as long as the session lives.
      if (state && this.#connection.isResumed) await Subscription.drop(this.#connection, state);
      await this.#subscribe();
    }
    this.#facts = facts;
  }

  async #subscribe(): Promise<void> {
    try {
      this.#subscription = await Subscription.create(this.#clock, this.#connection, this);
    } catch (error) {
      if (!isFault(error) || !noSubscription.has(statusOfFault(error))) throw error;
      this.#isWithout = true;
      this.#ask();
    }
  }

  /** Values come from now on; the first polls wait a moment for them. */
  async #begin(): Promise<void> {
    const subscription = this.#subscription;
    if (!subscription) return;
    subscription.start();
    this.#fillUp();
    const patience = new AbortController();
    const { timeoutMs } = this.#connection.place;
    const tired = this.#clock.sleep(timeoutMs, patience.signal);
    await Promise.race([subscription.first, tired]);
    patience.abort();
  }

  /** What the server remembers of the time in which nobody heard it. */
  #fillUp(): void {
    const fromMonoMs = this.#before?.provenMonoMs ?? null;
    const { offsetMs } = this.#facts ?? {};
    for (const plan of this.#plans) plan.forgetFilled();
    if (fromMonoMs === null || offsetMs === null || offsetMs === undefined) return;
    const span = { fromMonoMs, toMonoMs: this.#openMonoMs, offsetMs };
    void readHistory(this.#connection, this.#plans, span, this.#sizes.history, this.#ending.signal);
  }

  // --- What the subscription brings ---

  onData(items: readonly DataItem[], message: Message): void {
    const { all } = this.#items;
    for (let at = 0; at < items.length; at++) {
      const { clientHandle, value } = items[at]!;
      const item = all[clientHandle];
      if (item?.inbox) item.inbox.push(item, value, message);
      else this.counts['foreign_items']!++;
    }
  }

  onEvents(events: readonly EventItem[], message: Message): void {
    this.#conditions.take(events, message);
  }

  /**
   * What changed in them and stands still since would be shown as it was before for ever: the next
   * session asks for everything anew.
   */
  onLost(messages: number): void {
    this.#missing += messages;
    this.#end(new Fault('opcua_messages_lost', 'later', `${messages}`));
  }

  #owe(messages: number): void {
    this.counts['lost_messages']! += messages;
    for (const { inbox } of this.#plans) inbox.lost += messages;
  }

  onDead(why: Fault): void {
    this.#end(why);
  }

  /** Without a subscription: a question now and then keeps the session, and finds out. */
  #ask(): void {
    const { keepAliveMs, timeoutMs } = this.#connection.place;
    const nodeId = this.#connection.library.coerceNodeId(`ns=0;i=${SERVER_STATE}`);
    const cancel = this.#clock.after(keepAliveMs, async () => {
      if (this.#ended) return;
      try {
        await readValues(this.#connection, [nodeId], this.#sizes.read, timeoutMs);
        this.#ask();
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#end(error);
      }
    });
    this.#ending.signal.addEventListener('abort', cancel, { once: true });
  }

  // --- Polls ---

  async #poll(plan: OpcuaPlan, device: OpcuaDevice, signal: AbortSignal): Promise<Answers> {
    if (signal.aborted) return this.#bad(plan, NO_CONNECTION, null, 0);
    await this.#prepared(signal);
    if (this.#ended || signal.aborted) {
      return this.#bad(plan, NO_CONNECTION, this.#ended?.why ?? null, this.#ended?.why ? 1 : 0);
    }
    if (!plan.isOwner) return await this.#peek(plan, device, signal);
    this.#lookAgain();
    const { read: most } = this.#sizes;
    const read = await readItems(this.#clock, this.#connection, plan, device, most, signal);
    for (const item of plan.items) if (item.way === 'own') this.#own(item);
    if (plan.inbox.opaque.length > 0) {
      await promote(this.#clock, this.#connection, plan, device.timeoutMs);
    }
    const more = plan.drain(this.#openMonoMs);
    const told = plan.takeTold(this.#openMonoMs);
    const provenMs = this.#subscription?.state.provenMonoMs ?? this.#provenMonoMs;
    plan.show(Math.max(provenMs, this.#openMonoMs), this.#clock.monoMs());
    const filled = plan.takeFilled();
    const { lost } = plan.inbox;
    plan.inbox.lost = 0;
    const isAllRead = plan.items.length > 0 && plan.items.every(({ way }) => way === 'read');
    const base = isAllRead || plan.items.length === 0 ? 0 : 1;
    return {
      values: plan.values,
      qualities: plan.qualities,
      atMonoMs: plan.atMonoMs,
      origins: plan.origins,
      requests: base + read.requests,
      failures: read.failures,
      fault: read.fault,
      lineMs: 0,
      ...(more.length + told.length > 0 ? { more: more.concat(told) } : {}),
      ...(filled.length > 0 ? { filled } : {}),
      ...(lost > 0 ? { lost } : {}),
    };
  }

  /**
   * Points that another plan has: a probe, or what a command has made of one. They are asked for,
   * and nothing is taken from that plan.
   */
  async #peek(plan: OpcuaPlan, device: OpcuaDevice, signal: AbortSignal): Promise<Answers> {
    const stand = plan.items.map((item) => item.standIn());
    const asked = stand.filter(({ way }) => way === 'read');
    const read = await readSome(
      ...([this.#clock, this.#connection, asked, device.timeoutMs] as const),
      ...([this.#sizes.read, signal] as const),
    );
    const nowMs = this.#clock.monoMs();
    return {
      values: stand.map(({ value }) => value),
      qualities: stand.map(({ quality }) => quality),
      atMonoMs: stand.map(({ way, atMonoMs }) => (way === 'read' ? atMonoMs : nowMs)),
      origins: stand.map(({ origin }) => origin),
      requests: Math.max(1, read.requests),
      failures: read.failures,
      fault: read.fault,
      lineMs: 0,
    };
  }

  async #prepared(signal: AbortSignal): Promise<void> {
    if (!this.#isSettingUp) return;
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => resolve(), { once: true });
    this.#ending.signal.addEventListener('abort', () => resolve(), { once: true });
    await Promise.race([this.#setUp, aborted]);
  }

  /** At what all plans miss: the one that is polled first would keep the others from it. */
  #lookAgain(): void {
    const now = this.#clock.monoMs();
    if (now < this.#lookedMonoMs + LOOK_AGAIN_MS) return;
    this.#lookedMonoMs = now;
    for (const item of this.#plans.flatMap(({ items }) => items)) {
      // The server's item is of a node that is gone: another may stand in its place.
      const isGone = item.way === 'monitored' && item.quality === CONFIGURATION;
      if (isGone) item.reset();
      if (isGone || item.way === 'wrong') this.#pending.add(item);
    }
    if (this.#pending.size > 0) this.#prepare();
  }

  #own(item: Item): void {
    if (item.address.kind !== 'certificate') return;
    const days = this.#connection.daysLeft(item.address.whose);
    item.value = days;
    item.quality = days === null ? qualityCode('bad', 'not_available') : GOOD;
  }

  #bad(plan: OpcuaPlan, quality: QualityCode, fault: Fault | null, failures: number): Answers {
    const every = <Kind>(value: Kind) => plan.items.map(() => value);
    return {
      values: every(null),
      qualities: every(quality),
      atMonoMs: every(this.#clock.monoMs()),
      requests: failures,
      failures,
      fault,
      lineMs: 0,
    };
  }

  async #identity(device: OpcuaDevice, signal: AbortSignal): Promise<DeviceIdentity | null> {
    const { library } = this.#connection;
    // ManufacturerName, ProductName and SoftwareVersion of BuildInfo.
    const ids = [2263, 2261, 2264].map((id) => library.coerceNodeId(`ns=0;i=${id}`));
    try {
      const values = await readValues(
        this.#connection,
        ids,
        this.#sizes.read,
        device.timeoutMs,
        signal,
      );
      const texts = values.map((value) => {
        const text: unknown = value?.statusCode.isGood() ? value.value.value : null;
        return typeof text === 'string' && text !== '' ? text : null;
      });
      return { vendor: texts[0]!, product: texts[1]!, revision: texts[2]! };
    } catch (error) {
      if (!isFault(error)) throw error;
      return null;
    }
  }

  async #write(
    device: OpcuaDevice,
    address: OpcuaAddress,
    value: Value,
    signal: AbortSignal,
    mayGo?: () => boolean,
  ): Promise<Written> {
    return await this.#writer.write(device, address, value, signal, mayGo);
  }

  async #known(): Promise<Nodes> {
    if (!this.#nodes) {
      this.#prepare();
      await this.#setUp;
    }
    const why =
      this.#ended?.why ?? new Fault('no_connection', 'later', this.#connection.place.endpoint);
    if (!this.#nodes) throw why;
    return this.#nodes;
  }

  #end(why: Fault | null): void {
    if (this.#ended) return;
    this.#ended = { why };
    this.#ending.abort();
    this.#subscription?.end();
    if (this.#isInOrder) {
      void this.#connection.close().finally(() => this.#tellClosed(why));
      return;
    }
    this.#connection.abandon();
    this.#tellClosed(why);
  }
}

function sameServer(before: Facts, now: Facts): boolean {
  const isSameStart = before.startMs === null || before.startMs === now.startMs;
  return isSameStart && before.namespaces.join('\n') === now.namespaces.join('\n');
}
