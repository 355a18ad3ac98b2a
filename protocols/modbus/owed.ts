// Answers that may still come. A frame on a line has no transaction id: what tells whose answer it
// is, is the unit, the function, and the length or the echo. So a late answer would be taken for
// one to a later request of the same shape; that it never is, is kept by these rules.
//
// - A request that was given up owes its answer for LATE_REPLY_LINE_MS after its deadline.
// - While a unit owes answers, it is asked only what differs from all of them: another function, or
//   another length, or for a write another echo.
// - A unit answers in the order in which it was asked. So an answer that can belong to one request
//   alone makes all before it void, and one that could belong to several makes void what precedes
//   the first of them, and counts for that first one.
// - Exceptions carry a function and nothing else. While an earlier request of the same function
//   owes its answer, an exception is taken for that one's, and the later one goes on waiting.
// - What must be asked and does not differ waits behind a probe, a read of another shape whose
//   answer makes the rest void. Where no probe can be formed, it waits until nothing is owed.
import {
  BITS_READ_MAX,
  checkResponse,
  encodeRequest,
  MALFORMED,
  REGISTERS_READ_MAX,
  sharesAnswer,
} from './codec.ts';

/**
 * Devices and converters on a line hold an answer back for seconds; what a radio modem or a
 * terminal unit still has after half a minute, it has dropped.
 */
export const LATE_REPLY_LINE_MS = 30_000;
/**
 * More would leave no shape for a probe; a unit that owes so many is not asked until some lapse.
 */
export const OWED_MAX = 16;
/** How many registers, or bytes of bits, more than asked for a probe may read. */
const LONGER_MAX = 4;

interface Debt {
  readonly asked: Uint8Array;
  readonly untilMs: number;
}

/** What a request that nobody asked for may touch. */
export interface ProbeLimits {
  mayRead(code: number, address: number, count: number): boolean;
  /** Whether registers nobody asked for may be read beside those asked for. */
  readonly readAcrossGaps: boolean;
}

type ReadFunction = 1 | 2 | 3 | 4;
const readFunctions: readonly ReadFunction[] = [3, 4, 1, 2];

/** Of one unit. */
export class Owed {
  #debts: Debt[] = [];
  /** Bits by function code of probes that found no answer: tried last. */
  #unanswered = 0;
  #isRefused = false;

  /** As of now; lapsed ones do not count. */
  isEmpty(nowMs: number): boolean {
    if (this.#debts.length > 0) this.#debts = this.#debts.filter(({ untilMs }) => untilMs > nowMs);
    return this.#debts.length === 0;
  }

  get isFull(): boolean {
    return this.#debts.length >= OWED_MAX;
  }

  /** When nothing will be owed any more. */
  get untilMs(): number {
    return this.#debts.at(-1)?.untilMs ?? 0;
  }

  add(asked: Uint8Array, deadlineMs: number): void {
    this.#debts.push({ asked, untilMs: deadlineMs + LATE_REPLY_LINE_MS });
  }

  clear(): void {
    if (this.#debts.length > 0) this.#debts = [];
    this.#isRefused = false;
  }

  /** A probe met an exception that may have been another's: the next is of another function. */
  refused(): void {
    this.#isRefused = true;
  }

  /**
   * What was owed on an earlier connection can come on this one: a converter sends to whom it has.
   */
  inherit(earlier: Owed): void {
    if (earlier === this) return;
    const known = new Set(this.#debts);
    this.#debts.unshift(...earlier.#debts.filter((debt) => !known.has(debt)));
    this.#unanswered |= earlier.#unanswered;
  }

  /** Whether an answer to `asked`, exceptions aside, could be taken for one that is owed. */
  confuses(asked: Uint8Array): boolean {
    return this.#debts.some((debt) => sharesAnswer(debt.asked, asked));
  }

  /** Takes `bytes[start..end)` for the first owed answer that it can be; false when it is none. */
  take(bytes: Uint8Array, start: number, end: number): boolean {
    const fits = ({ asked }: Debt) => checkResponse(asked, bytes, start, end) !== MALFORMED;
    const at = this.#debts.findIndex(fits);
    if (at < 0) return false;
    this.#debts.splice(0, at + 1);
    return true;
  }

  /** A probe of this function found no answer. */
  unanswered(code: number): void {
    this.#unanswered |= 1 << code;
  }

  /**
   * A read that differs from all that is owed, as near to what `asked` would do as can be; null
   * when there is none. Without limits everything may be read.
   */
  probe(asked: Uint8Array, limits?: ProbeLimits): Uint8Array | null {
    if (this.isFull) return null;
    const own = readFunctionFor(asked[0]!);
    const address = asked[0] === 43 ? 0 : (asked[1]! << 8) | asked[2]!;
    const count = asked[0] === own ? (asked[3]! << 8) | asked[4]! : 0;
    const read = (code: ReadFunction, many: number) =>
      encodeRequest({ function: code, address, count: many });
    const mayRead = (code: number, many: number) => limits?.mayRead(code, address, many) ?? true;
    const more = limits?.readAcrossGaps === false ? [] : longer(own, address, count);
    const same = [...shorter(own, count), ...more.filter((many) => mayRead(own, many))].map(
      (many) => read(own, many),
    );
    // An exception to a function that owes nothing is nobody else's.
    const others = readFunctions
      .filter((code) => this.#debts.every((debt) => debt.asked[0] !== code) && mayRead(code, 1))
      .sort((a, b) => this.#isUnanswered(a) - this.#isUnanswered(b))
      .map((code) => read(code, 1));
    // The same function was answered before; but when that did not help once, it may not now.
    const isFirst = this.#debts.length === 1 && !this.#isRefused;
    const all = isFirst ? [...same, ...others] : [...others, ...same];
    return all.find((pdu) => !this.confuses(pdu)) ?? null;
  }

  #isUnanswered(code: number): number {
    return (this.#unanswered >> code) & 1;
  }
}

function readFunctionFor(code: number): ReadFunction {
  if (code >= 1 && code <= 4) return code as ReadFunction;
  return code === 5 || code === 15 ? 1 : 3;
}

const isBits = (code: ReadFunction) => code <= 2;

/** Fewer of the same; two before one, as some devices refuse half of a value of two registers. */
function shorter(code: ReadFunction, count: number): number[] {
  const unit = isBits(code) ? 8 : 1;
  const sizes = Math.ceil(count / unit) - 1;
  const order = Array.from({ length: Math.min(sizes, OWED_MAX) }, (_, at) => at + 1);
  if (order.length >= 2) order.splice(0, 2, 2, 1);
  return order.map((size) => size * unit);
}

function longer(code: ReadFunction, address: number, count: number): number[] {
  const unit = isBits(code) ? 8 : 1;
  const max = Math.min(isBits(code) ? BITS_READ_MAX : REGISTERS_READ_MAX, 0x10000 - address);
  const size = Math.ceil(count / unit);
  return Array.from({ length: LONGER_MAX }, (_, at) => (size + 1 + at) * unit).filter(
    (many) => many <= max,
  );
}
