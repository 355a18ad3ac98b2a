// Takes the heartbeats of a terminal unit out of what it sends. A unit sends them when it likes:
// alone, glued before or after an answer, cut in two by the network. Pure: bytes in, bytes out.
//
// - A heartbeat is one only where an answer could begin, and the configuration admits only
//   heartbeats with which no answer can begin. So whatever stands inside an answer stays, and what
//   is taken out was never part of one.
// - Bytes are held back only while they may be the beginning of a heartbeat, so never more than its
//   length; everything else passes at once, whole answers and torn ones alike: what the bytes are
//   worth is for the session to say.
// - What is neither answer nor heartbeat (noise, a torn answer) is stepped over one byte at a time
//   until either fits again, and passes too.

/** As `Protocol.answerBytes`, of one link: whole bytes, 0 for more, -1 for none. */
export type AnswerBytes = (bytes: Uint8Array, start: number, end: number) => number;

/** An answer is at most 513 bytes (Modbus ASCII); what is longer is none. */
const PENDING_BYTES_MAX = 1024;

export class HeartbeatFilter {
  readonly #heartbeat: Uint8Array;
  readonly #answerBytes: AnswerBytes;
  /** From the place where something begins; the first #passed of them were handed on already. */
  readonly #pending = new Uint8Array(PENDING_BYTES_MAX);
  #length = 0;
  #passed = 0;
  /** Taken out so far. */
  heartbeats = 0;

  constructor(heartbeat: Uint8Array, answerBytes: AnswerBytes) {
    this.#heartbeat = heartbeat;
    this.#answerBytes = answerBytes;
  }

  /** What of `bytes`, and of what was held back before, is no heartbeat. */
  push(bytes: Uint8Array): Uint8Array {
    const out = new Uint8Array(this.#length - this.#passed + bytes.length);
    let outBytes = 0;
    const pending = this.#pending;
    let from = 0;
    while (from < bytes.length) {
      const part = bytes.subarray(from, from + PENDING_BYTES_MAX - this.#length);
      from += part.length;
      pending.set(part, this.#length);
      this.#length += part.length;
      outBytes = this.#settle(out, outBytes);
    }
    return out.subarray(0, outBytes);
  }

  /** Settles what can be settled; returns where `out` ends now. */
  #settle(out: Uint8Array, at: number): number {
    let outBytes = at;
    let start = 0;
    const pending = this.#pending;
    /** Hands on up to `end`, but for what was handed on before. */
    const pass = (end: number) => {
      const from = Math.max(start, this.#passed);
      if (end <= from) return;
      out.set(pending.subarray(from, end), outBytes);
      outBytes += end - from;
      this.#passed = end;
    };
    while (start < this.#length) {
      const matching = this.#passed > start ? 0 : this.#matching(start);
      if (matching === this.#heartbeat.length) {
        start += matching;
        this.#passed = start;
        this.heartbeats++;
        continue;
      }
      if (start + matching === this.#length) break; // Only the next bytes will tell.
      const answer = this.#answerBytes(pending, start, this.#length);
      if (answer === 0) {
        pass(this.#length);
        break;
      }
      const next = start + Math.max(1, answer);
      pass(next);
      start = next;
    }
    const isFull = start === 0 && this.#length === PENDING_BYTES_MAX;
    if (isFull) start = this.#length;
    pending.copyWithin(0, start, this.#length);
    this.#length -= start;
    this.#passed = Math.max(0, this.#passed - start);
    return outBytes;
  }

  /** How many bytes from `start` are as the heartbeat begins. */
  #matching(start: number): number {
    const { length } = this.#heartbeat;
    let at = 0;
    while (at < length && start + at < this.#length) {
      if (this.#pending[start + at] !== this.#heartbeat[at]) return 0;
      at++;
    }
    return at;
  }
}
