// The live stream: server-sent events that resume. Events are numbered within one start of the
// cloud; the id `<start>-<number>` lets a reader that comes back say what it saw last. What it
// missed is sent again from a bounded ring; when the ring no longer holds it, or the cloud was
// started anew, the reader is told `reset` and asks the API for the present state: nothing is left
// out silently. That holds too for what was never made because nobody looked at it: which assets it
// was about is remembered.

export const streamTopics = [
  'readings',
  'alarms',
  'incidents',
  'cases',
  'commands',
  'warnings',
  'gateways',
  'supervision',
] as const;
export type StreamTopic = (typeof streamTopics)[number];

export interface StreamEvent {
  readonly topic: StreamTopic;
  /** `alarm.raised`, `readings` ...: the `event:` line. */
  readonly name: string;
  /** One line of JSON. */
  readonly data: string;
  /** Asset paths the event speaks of; a scoped reader gets it only when one is within its scope. */
  readonly assets: readonly (string | null)[];
}

/** A city's alarms of hours, or live readings of seconds: 4,096 events of about 1 KB are 4 MB. */
export const RING_EVENTS_MAX = 4_096;

/** A reader whose socket holds more than this is ended; it comes back and resumes. */
export const READER_BYTES_MAX = 256 * 1024;

export const READERS_MAX = 200;

export interface StreamReader {
  readonly topics: ReadonlySet<StreamTopic>;
  readonly scope: string;
  /** Bytes waiting in the reader's socket. */
  pendingBytes(): number;
  write(text: string): void;
  end(): void;
}

interface Numbered extends StreamEvent {
  readonly number: number;
}

export class EventStream {
  readonly #start: string;
  readonly #ring: Numbered[] = [];
  /** The newest number that left the ring. */
  #dropped = 0;
  /** By asset: the number under which readings of it were last left out. One entry an asset. */
  readonly #leftOut = new Map<string | null, number>();
  readonly #readers = new Set<StreamReader>();
  #number = 0;
  #ended = 0;

  /** `start` names this start of the cloud, so that an id of an earlier one is recognised. */
  constructor(start: string) {
    this.#start = start;
  }

  get readers(): number {
    return this.#readers.size;
  }

  /** Readers ended because they did not read. */
  get readersEnded(): number {
    return this.#ended;
  }

  /**
   * True when somebody listens who may see it. Readings that nobody wants need not be made into an
   * event; whoever leaves them out says so with `leaveOut`.
   */
  wantsReadings(asset: string | null): boolean {
    for (const { topics, scope } of this.#readers) {
      if (topics.has('readings') && withinScope(scope, asset)) return true;
    }
    return false;
  }

  /** Readings of the asset were not published: who comes back for them is told `reset`. */
  leaveOut(asset: string | null): void {
    this.#leftOut.set(asset, ++this.#number);
  }

  publish(event: StreamEvent): void {
    const numbered: Numbered = { ...event, number: ++this.#number };
    this.#ring.push(numbered);
    if (this.#ring.length > RING_EVENTS_MAX) this.#dropped = this.#ring.shift()!.number;
    for (const reader of this.#readers) this.#send(reader, numbered);
  }

  /** Adds a reader, after what it missed since `lastId`; false when there are too many. */
  add(reader: StreamReader, lastId: string | null): boolean {
    if (this.#readers.size >= READERS_MAX) return false;
    this.#readers.add(reader);
    if (lastId === null) {
      reader.write(`event: hello\nid: ${this.#start}-${this.#number}\ndata: {}\n\n`);
      return true;
    }
    const seen = this.#seenBy(lastId);
    if (seen === null || this.#hasLeftOut(reader, seen)) {
      reader.write(`event: reset\nid: ${this.#start}-${this.#number}\ndata: {}\n\n`);
      return true;
    }
    for (const event of this.#ring) if (event.number > seen) this.#send(reader, event);
    return true;
  }

  remove(reader: StreamReader): void {
    this.#readers.delete(reader);
  }

  /** A comment line each few seconds, so that both sides notice a dead connection. */
  heartbeat(text: string): void {
    for (const reader of this.#readers) reader.write(`: ${text}\n\n`);
  }

  close(): void {
    for (const reader of this.#readers) reader.end();
    this.#readers.clear();
  }

  // The number the reader saw last, or null when the ring cannot continue from there.
  #seenBy(lastId: string): number | null {
    const match = /^(.*)-(\d{1,15})$/.exec(lastId);
    if (!match || match[1] !== this.#start) return null;
    const seen = Number(match[2]);
    return seen <= this.#number && seen >= this.#dropped ? seen : null;
  }

  #hasLeftOut({ topics, scope }: StreamReader, seen: number): boolean {
    if (!topics.has('readings')) return false;
    for (const [asset, number] of this.#leftOut) {
      if (number > seen && withinScope(scope, asset)) return true;
    }
    return false;
  }

  #send(reader: StreamReader, event: Numbered): void {
    if (!reader.topics.has(event.topic) || !isInScope(reader.scope, event.assets)) return;
    if (reader.pendingBytes() > READER_BYTES_MAX) {
      this.#ended++;
      this.#readers.delete(reader);
      reader.end();
      return;
    }
    reader.write(
      `event: ${event.name}\nid: ${this.#start}-${event.number}\ndata: ${event.data}\n\n`,
    );
  }
}

function isInScope(scope: string, assets: readonly (string | null)[]): boolean {
  return scope === '' || assets.some((asset) => withinScope(scope, asset));
}

/** Whether an asset path lies within a principal's scope: whole segments, '' is everything. */
export function withinScope(scope: string, asset: string | null): boolean {
  return scope === '' || asset === scope || (asset?.startsWith(`${scope}/`) ?? false);
}
