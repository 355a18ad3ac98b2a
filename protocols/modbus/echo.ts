// Two-wire adapters hear what they send. On a line that is known to give it back, the first bytes
// after a frame are that frame and no answer; where they differ, somebody else spoke at the same
// time.
const nothing = new Uint8Array(0);

export class Echo {
  #sent: Uint8Array | null = null;
  #echoed = 0;
  /** Of the bytes last taken off: all came, it goes on, or one differs. */
  state: 'none' | 'whole' | 'begun' | 'differs' = 'none';

  get isAwaited(): boolean {
    return this.#sent !== null;
  }

  expect(sent: Uint8Array): void {
    this.#sent = sent;
    this.#echoed = 0;
    this.state = 'begun';
  }

  expectNothing(): void {
    this.#sent = null;
    this.state = 'none';
  }

  /** What of `bytes` is no echo; all of the echo so far where it turns out to be none. */
  without(bytes: Uint8Array): Uint8Array {
    const sent = this.#sent;
    if (!sent) return bytes;
    let at = 0;
    while (at < bytes.length && this.#echoed < sent.length && bytes[at] === sent[this.#echoed]) {
      at++;
      this.#echoed++;
    }
    if (this.#echoed === sent.length) {
      this.#sent = null;
      this.state = 'whole';
      return bytes.subarray(at);
    }
    if (at === bytes.length) return nothing;
    this.#sent = null;
    this.state = 'differs';
    const before = this.#echoed - at;
    const all = new Uint8Array(before + bytes.length);
    all.set(sent.subarray(0, before));
    all.set(bytes, before);
    return all;
  }
}
