// Between publishers and subscribers inside the broker; takes the place of the library's own
// emitter.
//
// Why: that one lets a fixed number of messages through at a time and keeps a slot until every
// subscriber took its message, so one that stops reading holds up all the others; and it walks its
// queue by recursion, so that letting go of some thousand messages nobody subscribes to any more
// ends the process. Here nothing is queued: a message goes to its subscribers at once. Its
// publisher goes on when those with a wildcard (the cloud) took it, which is the back pressure of a
// slow cloud on the gateways; subscribers by exact topic (gateways) are not waited for, since the
// guard closes the one that lets bytes pile up.

/** What the broker library hands over: `done` is called when the subscriber took it. */
export type Deliver = (packet: ExchangePacket, done: () => void) => void;

export interface ExchangePacket {
  readonly topic: string;
}

/** Topics whose subscribers are remembered; beyond it they are looked up anew. */
const MATCHES_CACHED_MAX = 100_000;

interface Match {
  readonly exact: readonly Deliver[];
  readonly wildcard: readonly Deliver[];
}

export class Exchange {
  readonly #exact = new Map<string, Deliver[]>();
  readonly #wildcard: { readonly parts: readonly string[]; readonly deliver: Deliver }[] = [];
  readonly #matches = new Map<string, Match>();
  #isClosed = false;

  on(filter: string, deliver: Deliver, done?: () => void): this {
    if (filter.includes('+')) this.#wildcard.push({ parts: filter.split('/'), deliver });
    else this.#exact.set(filter, [...(this.#exact.get(filter) ?? []), deliver]);
    this.#matches.clear();
    if (done) setImmediate(done);
    return this;
  }

  removeListener(filter: string, deliver: Deliver, done?: () => void): this {
    const left = this.#exact.get(filter)?.filter((other) => other !== deliver) ?? [];
    if (left.length > 0) this.#exact.set(filter, left);
    else this.#exact.delete(filter);
    const at = this.#wildcard.findIndex((other) => other.deliver === deliver);
    if (at >= 0) this.#wildcard.splice(at, 1);
    this.#matches.clear();
    if (done) setImmediate(done);
    return this;
  }

  emit(packet: ExchangePacket, done: () => void = ignore): this {
    if (this.#isClosed) {
      done();
      return this;
    }
    const { exact, wildcard } = this.#match(packet.topic);
    for (const deliver of exact) deliver(packet, ignore);
    let waiting = wildcard.length;
    if (waiting === 0) setImmediate(done);
    const took = () => {
      if (--waiting === 0) done();
    };
    for (const deliver of wildcard) deliver(packet, took);
    return this;
  }

  close(done: () => void): void {
    this.#isClosed = true;
    setImmediate(done);
  }

  #match(topic: string): Match {
    const known = this.#matches.get(topic);
    if (known) return known;
    const parts = topic.split('/');
    const match: Match = {
      exact: this.#exact.get(topic) ?? [],
      wildcard: this.#wildcard
        .filter((filter) => fits(filter.parts, parts))
        .map(({ deliver }) => deliver),
    };
    if (this.#matches.size >= MATCHES_CACHED_MAX) this.#matches.clear();
    this.#matches.set(topic, match);
    return match;
  }
}

function fits(filter: readonly string[], parts: readonly string[]): boolean {
  return (
    filter.length === parts.length && filter.every((part, at) => part === '+' || part === parts[at])
  );
}

function ignore(): void {
  // The subscriber is not waited for.
}
