// Follows the frames of an MQTT connection by their headers alone, so that a frame that is too long
// is known by its first five bytes and not when it fills the memory. MQTT 3.1.1, 2.2: one byte of
// type and flags, then the remaining length in one to four bytes of seven bits.
import { MESSAGE_BYTES_MAX } from '../../protocols/uplink/topics.ts';

/** CONNECT: names, a secret of 43 characters and a will of some hundred bytes. */
export const CONNECT_BYTES_MAX = 4_096;
/** A message, its topic (at most 5 parts of 64) and packet id. */
export const FRAME_BYTES_MAX = MESSAGE_BYTES_MAX + 1_024;

const LENGTH_BYTES_MAX = 4;

export class FrameLimit {
  #isFirst = true;
  /** Bytes of the frame's content still to come; -1 in a header. */
  #content = -1;
  #hasType = false;
  #length = 0;
  #lengthBytes = 0;

  /** False as soon as a frame says that it is too long; then the connection must end. */
  accept(chunk: Uint8Array): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.#content > 0) {
        const skipped = Math.min(this.#content, chunk.length - at);
        this.#content -= skipped;
        at += skipped;
      } else if (!this.#hasType) {
        this.#hasType = true;
        at++;
      } else if (!this.#takeLength(chunk[at++]!)) return false;
      if (this.#content === 0) this.#startFrame();
    }
    return true;
  }

  #takeLength(byte: number): boolean {
    if (this.#lengthBytes === LENGTH_BYTES_MAX) return false;
    this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes++;
    if (this.#length > (this.#isFirst ? CONNECT_BYTES_MAX : FRAME_BYTES_MAX)) return false;
    if (byte < 0x80) this.#content = this.#length;
    return true;
  }

  #startFrame(): void {
    this.#isFirst = false;
    this.#content = -1;
    this.#hasType = false;
    this.#length = 0;
    this.#lengthBytes = 0;
  }
}
