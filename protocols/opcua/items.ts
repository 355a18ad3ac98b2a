// What is known of each point of a place: which node it is, how it is got, what it was last. It
// outlives sessions, so that one that goes on with the subscription of the one before finds
// everything where it was.
import type { QualityCode } from '../../core/quality.ts';
import { qualityCode } from '../../core/quality.ts';
import type { Origin, Value } from '../../core/reading.ts';
import type { Sample } from '../driver.ts';
import type { OpcuaDevice, ReadAddress } from './address.ts';
import type { DataValue, NodeId } from './library.ts';
import type { Message } from './subscription.ts';

export const INITIAL = qualityCode('bad', 'initial');
export const CONFIGURATION = qualityCode('bad', 'configuration');

/**
 * How a point is got: `unset` until it has been set up in this session; `monitored` by the
 * subscription; `read` with each poll; `told` by events; `own` from the connection itself; `wrong`
 * when it cannot be got at all, until somebody changes something.
 */
export type Way = 'unset' | 'monitored' | 'read' | 'told' | 'own' | 'wrong';

export class Item {
  readonly address: ReadAddress;
  readonly device: OpcuaDevice;
  /** Client handle, and place in the table. */
  readonly handle: number;
  way: Way = 'unset';
  nodeId: NodeId | null = null;
  value: Value = null;
  quality: QualityCode = INITIAL;
  origin: Origin | null = null;
  atMonoMs = Number.NEGATIVE_INFINITY;
  /** Nothing is known of it from before. */
  sinceMonoMs = Number.NEGATIVE_INFINITY;
  /** Where what comes for it waits, and its place there; null until a plan has claimed it. */
  inbox: Inbox | null = null;
  at = 0;
  /** In the inbox's turn: which poll it had news in. */
  freshIn = 0;

  constructor(address: ReadAddress, device: OpcuaDevice, handle: number) {
    this.address = address;
    this.device = device;
    this.handle = handle;
  }

  /** One like it that is read now, and whose answer changes nothing about it. */
  standIn(): Item {
    const other = new Item(this.address, this.device, this.handle);
    const isAsked = this.way === 'monitored' || this.way === 'read';
    other.way = isAsked ? 'read' : this.way;
    other.nodeId = this.nodeId;
    other.value = this.value;
    other.quality = this.quality;
    other.origin = this.origin;
    return other;
  }

  /** The subscription that had it is gone. */
  reset(): void {
    this.way = 'unset';
    this.sinceMonoMs = Number.NEGATIVE_INFINITY;
  }

  wrong(quality: QualityCode): void {
    this.way = 'wrong';
    this.value = null;
    this.quality = quality;
    this.origin = null;
  }
}

/**
 * What has come for the items of a plan and was not polled yet. At the limit the oldest half is
 * dropped and counted: 100,000 values of about 300 bytes are 30 MB, and at 1,000 values a second of
 * one group more than a minute and a half.
 */
export const INBOX_MAX = 100_000;

export class Inbox {
  items: Item[] = [];
  data: DataValue[] = [];
  messages: Message[] = [];
  /** Of events and conditions: already readings. */
  told: Sample[] = [];
  /** Dropped here, in messages that never came, or by the server's queue; until told. */
  lost = 0;

  push(item: Item, data: DataValue, message: Message): void {
    this.items.push(item);
    this.data.push(data);
    this.messages.push(message);
    if (this.items.length > INBOX_MAX) this.#dropOldest(INBOX_MAX / 2);
  }

  tell(sample: Sample): void {
    this.told.push(sample);
    if (this.told.length <= INBOX_MAX) return;
    this.told.splice(0, INBOX_MAX / 2);
    this.lost += INBOX_MAX / 2;
  }

  /** Empty of data afterwards. */
  take(): Pick<Inbox, 'items' | 'data' | 'messages'> {
    const { items, data, messages } = this;
    this.items = [];
    this.data = [];
    this.messages = [];
    return { items, data, messages };
  }

  #dropOldest(count: number): void {
    this.items.splice(0, count);
    this.data.splice(0, count);
    this.messages.splice(0, count);
    this.lost += count;
  }
}

export class Items {
  /** By handle. */
  readonly all: Item[] = [];
  readonly #byDevice = new Map<OpcuaDevice, Map<ReadAddress, Item>>();

  /** The same address of the same device is the same item. */
  of(device: OpcuaDevice, address: ReadAddress): Item {
    const known = this.#byDevice.get(device) ?? new Map<ReadAddress, Item>();
    this.#byDevice.set(device, known);
    const before = known.get(address);
    if (before) return before;
    const item = new Item(address, device, this.all.length);
    this.all.push(item);
    known.set(address, item);
    return item;
  }

  /** The subscription is gone, with all that the server knew of them. */
  reset(): void {
    for (const item of this.all) item.reset();
  }
}
