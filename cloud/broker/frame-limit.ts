// Follows the frames of an MQTT connection by their headers alone, so that a frame that is too long
// is known by its first five bytes and not when it fills the memory. MQTT 3.1.1, 2.2: one byte of
// type and flags, then the remaining length in one to four bytes of seven bits.
import { MESSAGE_BYTES_MAX } from '../../protocols/uplink/topics.ts';

/** CONNECT: names, a secret of 43 characters and a will of some hundred bytes. */
export const CONNECT_BYTES_MAX = 4_096;
/** A message, its topic (at most 5 parts of 64) and packet id. */
export const FRAME_BYTES_MAX = MESSAGE_BYTES_MAX + 1_024;

const LENGTH_BYTES_MAX = 4;
const PUBLISH = 3;
/** Of a PUBLISH that is too long: its topic and 4 KB of what it carries. */
const HEAD_BYTES_MAX = 5_120;

export class FrameLimit {
  #isFirst = true;
  /** Bytes of the frame's content still to come; -1 in a header. */
  #content = -1;
  #hasType = false;
  #length = 0;
  #lengthBytes = 0;
  #type = 0;
  #head: FrameHead | null = null;

  /** What is known of the frame that was too long; null unless `accept` said no to a PUBLISH. */
  get head(): FrameHead | null {
    return this.#head;
  }

  /** False when a header says that its frame is too long; then the connection must end. */
  accept(chunk: Uint8Array): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#content > 0) {
        const skipped = Math.min(this.#content, chunk.length - at);
        this.#content -= skipped;
        at += skipped;
      } else if (!this.#hasType) {
        this.#hasType = true;
        this.#type = chunk[at++]!;
      } else if (!this.#takeLength(chunk[at++]!)) {
        this.#startHead(chunk.subarray(at));
        return false;
      }
      if (this.#content === 0) this.#startFrame();
    }
    return true;
  }

  #takeLength(byte: number): boolean {
    if (this.#lengthBytes === LENGTH_BYTES_MAX) return false;
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes++;
    if (byte >= 0x80) return true;
    if (this.#length > this.#bytesMax) return false;
    this.#content = this.#length;
    return true;
  }

  get #bytesMax(): number {
    return this.#isFirst ? CONNECT_BYTES_MAX : FRAME_BYTES_MAX;
  }

  // Not of a length that is none: there the length so far is within the limit, or goes on.
  #startHead(rest: Uint8Array): void {
    if (this.#type >> 4 !== PUBLISH || this.#length <= this.#bytesMax) return;
    this.#head = new FrameHead(this.#type, this.#length);
    this.#head.add(rest);
  }

  #startFrame(): void {
    this.#isFirst = false;
    this.#content = -1;
    this.#hasType = false;
    this.#length = 0;
    this.#lengthBytes = 0;
  }
}

/** The beginning of a PUBLISH that is too long: what a dead letter tells of it. */
export class FrameHead {
  readonly #hasPacketId: boolean;
  readonly #bytes: number;
  #taken: Uint8Array = new Uint8Array(0);

  /** `bytes` is the remaining length as the header says it. */
  constructor(type: number, bytes: number) {
    this.#hasPacketId = (type & 0b0110) !== 0;
    this.#bytes = bytes;
  }

  add(chunk: Uint8Array): void {
    const room = Math.min(HEAD_BYTES_MAX, this.#bytes) - this.#taken.length;
    this.#taken = Buffer.concat([this.#taken, chunk.subarray(0, room)]);
  }

  get isComplete(): boolean {
    return this.#taken.length >= Math.min(HEAD_BYTES_MAX, this.#bytes);
  }

  /** MQTT 3.1.1, 3.3: the topic behind its length of two bytes, a packet id with QoS 1 and 2. */
  get publication(): { topic: string; payload: Uint8Array; size: number } {
    const taken = this.#taken;
    const topicBytes = taken.length < 2 ? 0 : (taken[0]! << 8) | taken[1]!;
    const topic = new TextDecoder().decode(taken.subarray(2, 2 + topicBytes));
    const from = 2 + topicBytes + (this.#hasPacketId ? 2 : 0);
    return { topic, payload: taken.subarray(from), size: Math.max(0, this.#bytes - from) };
  }
}
