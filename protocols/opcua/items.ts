// What is known of each point of a place: which node it is, how it is got, what it was last. It
// outlives sessions, so that one that goes on with the subscription of the one before finds
// everything where it was.
import type { QualityCode } from '../../core/quality.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';
import type { Origin, Value } from '../../core/reading.ts';
import type { Sample } from '../driver.ts';
import type { OpcuaDevice, ReadAddress } from './address.ts';
import type { DataValue, NodeId } from './library.ts';
import { hasOverflown } from './status.ts';
import type { Message } from './subscription.ts';
import type { Decoded } from './value.ts';
import { decode } from './value.ts';

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
  /** Its value is a field of a structure, or inside one. */
  readonly hasFields: boolean;
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
  /** A value of it has come that no poll has handed out yet. */
  isFresh = false;
  /** Of its plan: which poll it had news in. */
  freshIn = 0;

  constructor(address: ReadAddress, device: OpcuaDevice, handle: number) {
    this.address = address;
    this.device = device;
    this.handle = handle;
    this.hasFields =
      address.kind === 'value' && address.element.some((step) => typeof step === 'string');
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
 * Earlier values of a plan that wait for its poll. At the limit the oldest half is dropped and
 * counted: 100,000 of about 150 bytes are 15 MB, and at 1,000 values a second of one group more
 * than a minute and a half.
 */
export const INBOX_MAX = 100_000;

/** A value whose shape the library may have to ask the server for; it waits for the next poll. */
interface Opaque {
  readonly item: Item;
  readonly data: DataValue;
  readonly message: Message;
}

/**
 * What has come for the items of a plan and was not polled yet. A value is decoded when it comes,
 * into its item: what the library made of it is garbage at once, not a second later, when clearing
 * it away would cost more than all that is done here.
 */
export class Inbox {
  /** With a newest value that was not polled; each once. */
  #fresh: Item[] = [];
  /** What came before those; the samples of a place rise in time. */
  #earlier: Sample[] = [];
  opaque: Opaque[] = [];
  /** Of events and conditions: already readings. */
  told: Sample[] = [];
  /** Dropped here, in messages that never came, or by the server's queue; until told. */
  lost = 0;
  readonly #decoded: Decoded = { value: null, quality: GOOD };

  push(item: Item, data: DataValue, message: Message): void {
    if (!item.hasFields) {
      this.#take(item, data, message);
      return;
    }
    this.opaque.push({ item, data, message });
    if (this.opaque.length > INBOX_MAX) this.#drop(this.opaque);
  }

  tell(sample: Sample): void {
    this.told.push(sample);
    if (this.told.length > INBOX_MAX) this.#drop(this.told);
  }

  /** Empty of data afterwards. */
  take(): { readonly fresh: readonly Item[]; readonly earlier: Sample[] } {
    for (const { item, data, message } of this.opaque) this.#take(item, data, message);
    const [fresh, earlier] = [this.#fresh, this.#earlier];
    this.opaque = [];
    this.#fresh = [];
    this.#earlier = [];
    for (const item of fresh) item.isFresh = false;
    return { fresh, earlier };
  }

  #take(item: Item, data: DataValue, message: Message): void {
    const { address } = item;
    if (address.kind !== 'value') return;
    if (item.isFresh) {
      const { at, value, quality, atMonoMs, origin } = item;
      this.#earlier.push({ at, value, quality, atMonoMs, origin });
      if (this.#earlier.length > INBOX_MAX) this.#drop(this.#earlier);
    } else {
      item.isFresh = true;
      this.#fresh.push(item);
    }
    const decoded = this.#decoded;
    decode(data, address.type, address.element, decoded);
    item.value = decoded.value;
    item.quality = decoded.quality;
    const { sourceTimestamp, serverTimestamp } = data;
    const status = data.statusCode.value >>> 0;
    if (hasOverflown(status)) this.lost++;
    const sourceMs = sourceTimestamp ? sourceTimestamp.getTime() : null;
    const serverMs = serverTimestamp ? serverTimestamp.getTime() : null;
    item.origin = { status, sourceMs, serverMs };
    item.atMonoMs = timeOf(item, sourceMs ?? serverMs, message);
  }

  #drop(list: unknown[]): void {
    list.splice(0, INBOX_MAX / 2);
    this.lost += INBOX_MAX / 2;
  }
}

// A server's clock may be wrong, so a value's time is reckoned back from when its message came: as
// long as its source time lies before its publish time, both of the server's clock. It is never
// before the last proof that the value had not changed, never after its message, and rises.
function timeOf(item: Item, sourceMs: number | null, message: Message): number {
  const { publishedMonoMs, publishedMs, floorMonoMs } = message;
  const ageMs = sourceMs === null || publishedMs === null ? 0 : Math.max(0, publishedMs - sourceMs);
  const floorMs = Math.max(floorMonoMs, item.sinceMonoMs, item.atMonoMs);
  return Math.min(publishedMonoMs, Math.max(floorMs, publishedMonoMs - ageMs));
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
