// The contract a field protocol meets. A driver knows bytes, addresses and devices; it opens no
// socket and no port (a link is handed to it), keeps no schedule, retries nothing and writes no
// log: the loop in edge/collect owns those. It reports once and returns.
//
// A driver MUST answer every point of a plan exactly once a poll, with a value or with quality bad.
// It MUST settle every poll when its link closes, when its signal aborts, and at its deadline.
// It MUST NOT give a late or foreign answer to a later question.
import type { Clock } from '../core/clock.ts';
import type { Fault } from '../core/fault.ts';
import type { Path, Problems } from '../core/problems.ts';
import type { QualityCode } from '../core/quality.ts';
import type { Random } from '../core/random.ts';
import type { Origin, Value } from '../core/reading.ts';

/**
 * How long a character takes on a serial line: start, data, parity and stop bits are all counted.
 */
export interface Pace {
  /** Baud, 300 to 921,600. */
  readonly bitsPerSecond: number;
  /** 10 for 8N1, 11 for 8E1 and 8N2. */
  readonly bitsPerCharacter: number;
}

/** A byte channel to a bus or a socket, opened and owned by edge/links. */
export interface Link {
  /** Of the serial line at its end, also behind a converter; absent where nothing paces bytes. */
  readonly pace?: Pace;
  /** What a device behind it takes to answer until that is known better; absent: by protocol. */
  readonly answerMs?: number;
  /** Queues bytes to be sent in order; silently nothing once closed (onClose has told). */
  send(bytes: Uint8Array): void;
  /**
   * At most one listener each; set before the first byte is sent. The bytes are valid only during
   * the call.
   */
  onBytes: (bytes: Uint8Array) => void;
  /** Called once; the fault says why, null after our own close. */
  onClose: (why: Fault | null) => void;
  close(): void;
}

/** One value beyond those of a poll. */
export interface Sample {
  /** Place in the plan. */
  readonly at: number;
  /** Raw; null where the quality is bad. */
  readonly value: Value;
  readonly quality: QualityCode;
  /** When it was true, by the monotonic clock of the gateway. */
  readonly atMonoMs: number;
  readonly origin: Origin | null;
}

/**
 * What one poll of a plan brought: one place a point of the plan, in its order. The lists are the
 * plan's: whoever polled may change them, and copies what must outlive the plan's next poll.
 */
export interface Answers {
  /** Raw: decoded, not yet scaled; null where the quality is bad. */
  readonly values: Value[];
  readonly qualities: QualityCode[];
  /** Monotonic time at which the answer that carried the value was complete. */
  readonly atMonoMs: number[];
  /** Requests sent, and those that failed as a whole: for metrics and for the loop's back-off. */
  readonly requests: number;
  readonly failures: number;
  /** The first failure of the poll, null when all requests were answered. */
  readonly fault: Fault | null;
  /**
   * How long the line was taken: frames, turnaround, time-outs; several in flight share it. What
   * the poll waited for others on the line is not its own: budgets are kept by this.
   */
  readonly lineMs: number;
  /** What the device said of each value, by place; absent where it says nothing. */
  readonly origins?: readonly (Origin | null)[];
  /**
   * What a device that queues had for the plan before the values above, since the poll before: a
   * place's samples rise in time and come before its value. Absent where nothing is queued.
   */
  readonly more?: readonly Sample[];
  /**
   * Out of the device's own memory, for a time in which it was not heard: good with reason
   * `history`. They count for nothing: what was due then was taken as bad.
   */
  readonly filled?: readonly Sample[];
  /** Readings that the device says it dropped because its queue was full: a gap. */
  readonly lost?: number;
}

/**
 * Who goes first where devices share a line: the lower rank, then the earlier due time. Looked at
 * before each request, so that a poll of many requests lets a more urgent one in between.
 */
export interface Urgency {
  /** 0 life-safety, 1 compliance, 2 trend, 3 a probe of a device that does not answer. */
  readonly rank: number;
  /** By when the poll should have begun. */
  readonly dueMonoMs: number;
  /**
   * Shortens the time-out of each request: what a probe may take. Read when a request is sent, as
   * what the line can spare changes with every poll that comes nearer.
   */
  readonly timeoutMs?: number;
}

/** Which points are read together, already cut into requests. Opaque to all but its driver. */
export interface Plan {
  readonly points: number;
  /** Requests a poll takes. */
  readonly requests: number;
  /**
   * Time a poll takes of the line when all is well, by the pace and the turnaround known so far.
   */
  readonly lineMs: number;
}

/** What became of a single request. */
export interface Sent {
  /** Good, or what a reading would be that depended on it. */
  readonly quality: QualityCode;
  readonly fault: Fault | null;
  readonly lineMs: number;
}

/** What a device says of itself; null for what it does not say. */
export interface DeviceIdentity {
  readonly vendor: string | null;
  readonly product: string | null;
  readonly revision: string | null;
}

/** What became of a write. */
export interface Written {
  /**
   * Null when the device confirmed it. After a time-out it may have been done all the same; whether
   * the value took effect, the caller reads back.
   */
  readonly fault: Fault | null;
  readonly lineMs: number;
  /**
   * What is sure where there is a fault: nothing was sent, or the device said that it will not.
   * Absent: it may have been done, whatever the fault is called.
   */
  readonly sure?: 'unsent' | 'refused';
}

/** Everything a device says of itself, by the number its protocol gives it. */
export interface Identified {
  /** What was told before the fault, too. */
  readonly objects: ReadonlyMap<number, string>;
  readonly fault: Fault | null;
}

/** One device as seen through a session; several devices may share the session's link. */
export interface DeviceHandle<Address> {
  /** `before` is the plan of an earlier session for the same addresses: its lessons are kept. */
  plan(addresses: readonly Address[], before?: Plan): Plan;
  poll(plan: Plan, signal: AbortSignal, urgency?: Urgency): Promise<Answers>;
  /**
   * Sends one step of a profile, as the protocol parsed it: what the device must be told before or
   * after it measures. Absent where the protocol knows no steps.
   */
  send?(step: unknown, signal: AbortSignal, urgency?: Urgency): Promise<Sent>;
  /** Null when the device does not tell. Only reads. Absent where the protocol cannot ask. */
  identity?(signal: AbortSignal, urgency?: Urgency): Promise<DeviceIdentity | null>;
  /**
   * Writes a raw value (not scaled; whole where the type is whole), in one piece and at once: it
   * goes ahead of what is polled. Never sends twice what may have been done. `mayGo` is asked right
   * before the first byte leaves, after every wait: when it says no, nothing is sent. Absent where
   * the protocol writes nothing.
   */
  write?(
    address: Address,
    value: Value,
    signal: AbortSignal,
    mayGo?: () => boolean,
  ): Promise<Written>;
  /** More than `identity`, for a person who commissions. Absent where the protocol cannot ask. */
  identify?(signal: AbortSignal): Promise<Identified>;
}

export interface Session<Address, DeviceOptions> {
  /**
   * What came and was dropped since it was opened, by kind; only ever goes up. The kinds are the
   * same for each session of a protocol, and few: they are labels. Absent where nothing is counted.
   */
  readonly counts?: Readonly<Record<string, number>>;
  device(options: DeviceOptions): DeviceHandle<Address>;
  /** Settles everything under way as failed with `no_connection` and closes the link. */
  close(): void;
}

/** A session whose library owns its socket. */
export interface OwnSession<Address, DeviceOptions> extends Session<Address, DeviceOptions> {
  /** Called once; the fault says why, null after our own close. */
  onClose: (why: Fault | null) => void;
}

export interface Protocol<Address = unknown, DeviceOptions = unknown, LineOptions = unknown> {
  readonly name: string;
  /** Profile address -> typed address; adds problems and returns undefined when it is wrong. */
  parseAddress(raw: unknown, path: Path, problems: Problems): Address | undefined;
  /** Profile and site settings of a device (unit id, time-out, limits) -> typed options. */
  parseDevice(raw: unknown, path: Path, problems: Problems): DeviceOptions | undefined;
  /**
   * Settings of the link that the protocol reads: framing, echo. Typed, or undefined and problems.
   */
  parseLine(raw: unknown, path: Path, problems: Problems): LineOptions | undefined;
  /**
   * For links that must know where answers end, because other bytes stand between them. How many of
   * `bytes[start..end)` are one whole answer of one of `units` (checksum included), 0 when they may
   * become one, -1 when none begins so.
   */
  answerBytes?(
    line: LineOptions,
    units: readonly number[],
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number;
  /** Without `line`, as the link needs it: for Modbus, frames of Modbus TCP. */
  open(clock: Clock, link: Link, line?: LineOptions): Session<Address, DeviceOptions>;
  /**
   * In place of `open`, where a library owns the socket: one attempt, no retry. `place` is what the
   * link of the gateway file says of where and as whom. `before` is the session of this place that
   * ended last: what it left at the other end is used again. Rejects with a fault.
   */
  connect?(
    clock: Clock,
    random: Random,
    place: unknown,
    signal: AbortSignal,
    before?: OwnSession<Address, DeviceOptions>,
  ): Promise<OwnSession<Address, DeviceOptions>>;
  /**
   * Whether a reading of the address is something that happened, not what is: each is reported, and
   * none is taken for still true. Absent: none is.
   */
  isEvent?(address: Address): boolean;
  /**
   * What a named command of a profile writes to or calls, as an address that `write` takes. Absent
   * where commands only write points.
   */
  parseCommand?(raw: unknown, path: Path, problems: Problems): Address | undefined;
}
