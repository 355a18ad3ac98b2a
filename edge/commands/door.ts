// The door: every command to a device of this gateway goes through here, from the cloud, from a
// person at the gateway, and from the gateway itself when it reverses.
//
// Promises
// - No command is carried out twice, and none after its time: an id is durable before anything is
//   done about it, that it was begun before the first byte leaves, and its outcome before anybody
//   is told. What was begun when the gateway stopped is uncertain and never begun again.
// - A repeat of an id gets the recorded outcome; the same id with other content is refused.
// - One command at a time a device; devices do not wait for each other.
// - Whether it may be done is asked when it comes, when its turn comes, and once more right before
//   its first byte leaves (decide.ts). Time is that of the monotonic clock of the gateway: it does
//   not count what the machine sleeps, and gateways do not.
//
// Limits, and what happens at them: INTAKE_MAX messages wait to be looked at, more are dropped and
// counted (the cloud asks again); OPEN_MAX commands wait or are under way, more are refused as
// `full`; where the disk is full, too, before anything is sent. A refusal that cannot be recorded
// is remembered (UNRECORDED_MAX) until no copy of its command can be in time any more; when there
// are more of them, commands are dropped until then: one id never gets two outcomes.
import { equalBytes } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import type { CommandReason, Interlock, Outcome } from '../../core/command.ts';
import { isFault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import { foreign } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { PointDefinition } from '../../core/point.ts';
import type { ProfileCommand } from '../../device-profiles/profile.ts';
import type { Command, Reply } from '../../protocols/uplink/control.ts';
import {
  decodeCommand,
  decodeReply,
  encodeCommand,
  encodeReply,
} from '../../protocols/uplink/control.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import { openingOf } from '../outbox/folder.ts';
import type { SealTimes } from '../seal-times.ts';
import { TIME_TO_LIVE_MAX_MS } from '../seal-times.ts';
import type { Asking, Known, Newest, Refusal } from './decide.ts';
import { decide, decideAgain, offerOf } from './decide.ts';
import type { CommandedDevice, Deed } from './deed.ts';
import { carryOut } from './deed.ts';
import type { Opened, Place, Row, Standing, StandingChange } from './ledger.ts';
import { isUpTo, keyOf } from './ledger.ts';
import { CommandRecord } from './record.ts';
import type { Ledger } from './thread.ts';

export const INTAKE_MAX = 256;
export const OPEN_MAX = 64;
export const UNRECORDED_MAX = 1_024;
/** An outcome that finds no room on the disk is tried again so often. */
export const RECORD_AGAIN_MS = 1_000;
/** Told again after each connect: 320 replies of some 300 bytes. */
export const OWN_TOLD_AGAIN = 256;
export const OTHERS_TOLD_AGAIN = 64;

export interface DoorParts {
  readonly epoch: Epoch;
  /** Clock.monoMs() at which the times of the epoch begin. */
  readonly openedMonoMs: number;
  readonly times: Pick<SealTimes, 'of' | 'last'>;
  /** All of the gateway: those without offers are known by name. */
  readonly points: readonly PointDefinition[];
  /** By `device/point`: how what is offered is done. */
  readonly how: ReadonlyMap<string, readonly ProfileCommand[]>;
  readonly interlocks: readonly Interlock[];
  newest(point: string): Newest | undefined;
  device(id: string): CommandedDevice | undefined;
  openLedger(): Promise<Ledger>;
  /** May be lost: it is said again after each connect. */
  reply(payload: Uint8Array): void;
  /** An outcome is recorded. */
  settled?(command: Command, reply: Reply, asking: Asking): void;
  /** An effect began or ceased to stand. */
  stands(key: string, standing: Standing | null): void;
}

type PointName = Pick<Command, 'device' | 'point'>;

/** A command on its way through the door. */
interface Asked {
  readonly command: Command;
  readonly bytes: Uint8Array;
  readonly place: Place;
  readonly isOwn: boolean;
  readonly asking: Asking;
  /** Whoever waits for the outcome. */
  readonly settled: ((reply: Reply) => void) | null;
}

export interface LastOutcome {
  readonly id: string;
  readonly point: string;
  readonly command: string;
  readonly outcome: Outcome;
  readonly reason: CommandReason;
  readonly detail: string;
}

export class Door {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #parts: DoorParts;
  readonly #record: CommandRecord;
  #tail: Promise<void> = Promise.resolve();
  #intake = 0;
  /** Received and not settled, by id. */
  readonly #open = new Map<string, Asked>();
  readonly #lines = new Map<string, Promise<void>>();
  readonly #unrecorded = new Map<string, { asked: Asked; reply: Reply; untilMonoMs: number }>();
  /** When a point was last commanded, by `device/point`. */
  readonly #commanded = new Map<string, number>();
  /** Of which the ledger knows every command. */
  #epochs: ReadonlySet<Epoch> = new Set();
  readonly #closing = new AbortController();
  readonly #ending = new AbortController();
  #isConnected = false;
  #last: LastOutcome | null = null;

  constructor(clock: Clock, log: Log, metrics: Metrics, parts: DoorParts) {
    this.#clock = clock;
    this.#log = log;
    this.#metrics = metrics;
    this.#parts = parts;
    const { epoch, times, openLedger } = parts;
    this.#record = new CommandRecord(clock, log, metrics, {
      open: openLedger,
      onOpened: (opened) => this.#opened(opened),
      lastPlace: () => ({ opening: openingOf(epoch), sequence: times.last }),
    });
    const help = 'Commands received and not settled';
    metrics.observe('edge_commands_open', help, {}, () => this.#open.size);
  }

  get status() {
    const { size } = this.#open;
    return { open: size, ledger: this.#record.state, last: this.#last };
  }

  /** Resolves when the ledger was opened, or could not be for now. */
  async start(): Promise<void> {
    await this.#record.start();
  }

  #opened({ commanded, epochs, interrupted, standing }: Opened): void {
    this.#epochs = new Set(epochs);
    const now = this.#clock.monoMs();
    for (const key of commanded) this.#commanded.set(key, now);
    for (const { id, outcome, reason } of interrupted.map((bytes) => decodeReply(bytes))) {
      this.#log.warn('command_interrupted', { id: foreign(id), outcome, reason });
      this.#counted(outcome);
    }
    for (const one of standing) if (this.#pointOf(one)) this.#parts.stands(keyOf(one), one);
    if (this.#isConnected) this.connected();
  }

  /** What the cloud sent. What cannot be read is counted. */
  take(payload: Uint8Array): void {
    let command: Command;
    try {
      command = decodeCommand(payload);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#count('unreadable', 'Commands that could not be read');
      return;
    }
    this.#enter({ ...askedOf(command), isOwn: false, asking: 'somebody', settled: null });
  }

  /** What was asked at the gateway, or by it. */
  give(command: Command, asking: Asking): Promise<Reply> {
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.#enter({ ...askedOf(command), isOwn: true, asking, settled: resolve });
    return promise;
  }

  /** What would speak against it now; nothing is recorded. */
  against(command: Command, asking: Asking): Refusal | null {
    return decide(command, this.#known(command, asking));
  }

  /** What is recorded of a command of this or an earlier run; null for nothing, or for now. */
  async recorded(id: string): Promise<Reply | null> {
    const found = await this.#record.find(id);
    return found?.row?.reply ? decodeReply(found.row.reply) : null;
  }

  /** The uplink is connected: the cloud may not have heard the last replies. */
  connected(): void {
    this.#isConnected = true;
    this.#tail = this.#tail.then(() => this.#tellAgain());
  }

  async recent(count: number): Promise<readonly Reply[]> {
    const kept = await this.#record.recent(count, count);
    return kept.slice(-count).map(({ command, reply }) => {
      return { ...decodeReply(reply), issued: decodeCommand(command) };
    });
  }

  /** An attempt to reverse has failed; that is not lost, and nothing waits for it. */
  async keepStanding(standing: Standing): Promise<void> {
    await this.#record.keepStanding(standing);
  }

  /**
   * Nothing is taken any more; what waits is given up; what is under way gets `graceMs`, and is
   * ended uncertain after it.
   */
  async close(graceMs: number): Promise<void> {
    this.#closing.abort();
    await this.#tail;
    const lines = Promise.all(this.#lines.values());
    const waiting = new AbortController();
    const grace = this.#clock.sleep(graceMs, waiting.signal);
    await Promise.race([lines, grace]);
    waiting.abort();
    this.#ending.abort();
    await lines;
    await this.#tail;
    await this.#record.close();
  }

  // --- Coming in ---

  #enter(asked: Asked): void {
    if (this.#intake >= INTAKE_MAX || this.#closing.signal.aborted) {
      this.#drop(asked);
      return;
    }
    this.#intake++;
    this.#tail = this.#tail.then(async () => {
      await this.#admit(asked);
      this.#intake--;
    });
  }

  async #admit(asked: Asked): Promise<void> {
    const { id } = asked.command;
    const open = this.#open.get(id);
    if (open) {
      // It will be answered when it is settled.
      if (!equalBytes(open.bytes, asked.bytes)) this.#refuseReplay(asked);
      return;
    }
    this.#forgetUnrecorded();
    const unrecorded = this.#unrecorded.get(id);
    if (unrecorded) {
      if (equalBytes(unrecorded.asked.bytes, asked.bytes)) this.#tell(asked, unrecorded.reply);
      else this.#refuseReplay(asked);
      return;
    }
    const found = await this.#record.find(id);
    if (found?.row) {
      const { command, reply } = found.row;
      if (equalBytes(command, asked.bytes)) this.#tell(asked, decodeReply(reply!));
      else this.#refuseReplay(asked);
      return;
    }
    // Perhaps the ledger knows what became of it, and cannot be read now.
    const isOfThisEpoch = asked.command.epoch === this.#parts.epoch;
    if (!found && (this.#record.state === 'open' || !isOfThisEpoch)) {
      this.#drop(asked);
      return;
    }
    const refusal = this.#atTheDoor(asked, found?.mark ?? null);
    if (refusal) await this.#settle(asked, refusal, 'once');
    else if (!(await this.#record.put(rowOf(asked, 'received'), null))) {
      this.#remember(asked, this.#replyTo(asked, refusedAs('full')));
    } else {
      this.#open.set(id, asked);
      this.#queue(asked);
    }
  }

  #atTheDoor(asked: Asked, mark: Place | null): Refusal | null {
    const { command, isOwn, asking, place } = asked;
    if (!mark) return refusedAs('full');
    // Forgotten, in a ledger that was lost, or on another card: it may have been done.
    if (!isOwn && (!this.#epochs.has(command.epoch) || isUpTo(place, mark))) {
      return { outcome: 'uncertain', reason: 'interrupted', detail: '' };
    }
    const refusal = decide(command, this.#known(command, asking));
    return refusal ?? (this.#open.size >= OPEN_MAX ? refusedAs('full') : null);
  }

  /** Nobody is told but who waits here: the cloud asks again. */
  #drop(asked: Asked): void {
    this.#count('dropped', 'Commands dropped before they were looked at');
    asked.settled?.(this.#replyTo(asked, refusedAs('full')));
  }

  /** The record stays what it is: only this copy is refused. */
  #refuseReplay(asked: Asked): void {
    this.#count('replayed', 'Commands with the id of another one');
    this.#log.warn('command_replayed', { id: foreign(asked.command.id) });
    this.#tell(asked, this.#replyTo(asked, refusedAs('replayed')));
  }

  // --- One at a time a device ---

  #queue(asked: Asked): void {
    const { device } = asked.command;
    const before = this.#lines.get(device) ?? Promise.resolve();
    const line = before.then(() => this.#run(asked));
    this.#lines.set(device, line);
    void line.then(() => {
      if (this.#lines.get(device) === line) this.#lines.delete(device);
    });
  }

  async #run(asked: Asked): Promise<void> {
    const { command, asking } = asked;
    const known = () => this.#known(command, asking);
    const definition = this.#pointOf(command)!;
    const offer = offerOf(definition, command.command)!;
    const key = keyOf(command);
    const how = this.#parts.how.get(key)?.find((one) => one.offer.id === command.command);
    const device = this.#parts.device(command.device);
    const value = command.value ?? offer.fixed;
    const refusal = this.#closing.signal.aborted
      ? ({ outcome: 'expired', reason: 'other_epoch', detail: '' } as const)
      : decide(command, known());
    if (refusal) return await this.#settle(asked, refusal, 'until kept');
    if (!how || !device || value === null) {
      return await this.#settle(asked, refusedAs('not_offered'), 'until kept');
    }
    // What the gateway does by itself it also ends by itself.
    const hasReversal = offer.revert !== null && asking === 'somebody';
    const row = { ...rowOf(asked, 'started'), hasReversal };
    if (!(await this.#record.put(row, null))) {
      return await this.#settle(asked, refusedAs('full'), 'until kept');
    }
    const beganMonoMs = this.#clock.monoMs();
    const forbidden = () => decideAgain(command, known());
    const order = { definition, how, value, forbidden };
    const deed = await carryOut(this.#clock, device, order, this.#ending.signal);
    if (deed.wasSent) this.#commanded.set(key, beganMonoMs);
    const isCut = this.#ending.signal.aborted && deed.outcome === 'uncertain';
    const told = isCut ? { ...deed, reason: 'interrupted' as const } : deed;
    await this.#settle(asked, told, 'until kept', hasReversal);
  }

  #known(command: Command, asking: Asking): Known {
    const { epoch, openedMonoMs, times, interlocks } = this.#parts;
    const sealed = times.of(command.sequence);
    return {
      asking,
      nowMonoMs: this.#clock.monoMs(),
      epoch,
      sealedMonoMs: typeof sealed === 'number' ? sealed + openedMonoMs : sealed,
      point: this.#pointOf(command),
      interlocks,
      newest: (point) => this.#parts.newest(point),
      commandedMonoMs: this.#commanded.get(keyOf(command)) ?? null,
    };
  }

  #pointOf({ device, point }: PointName): PointDefinition | undefined {
    return this.#parts.points.find((one) => one.device === device && one.point === point);
  }

  // --- What came of it ---

  /** Records the outcome, then tells it. `once`: what finds no room is remembered instead. */
  async #settle(
    asked: Asked,
    deed: Refusal & Partial<Deed>,
    how: 'once' | 'until kept',
    hasReversal = false,
  ): Promise<void> {
    const reply = this.#replyTo(asked, deed);
    const row = { ...rowOf(asked, 'settled'), reply: encodeReply(reply), hasReversal };
    const standing = standingAfter(asked, deed, hasReversal);
    let isKept = await this.#record.put(row, standing);
    const { signal } = this.#ending;
    while (!isKept && how === 'until kept' && !signal.aborted) {
      await this.#clock.sleep(RECORD_AGAIN_MS, signal);
      isKept = await this.#record.put(row, standing);
    }
    if (!isKept) {
      // At the end of a run: the next one finds it begun, and says that it is uncertain.
      if (how === 'once') this.#remember(asked, reply);
      else this.#log.error('command_outcome_lost', { id: foreign(reply.id) });
      return;
    }
    this.#open.delete(reply.id);
    this.#note(asked, reply);
    this.#parts.settled?.(asked.command, reply, asked.asking);
    if (standing) {
      this.#parts.stands(keyOf(asked.command), standing === 'ended' ? null : standing);
    }
    this.#tell(asked, reply);
  }

  #replyTo({ command, isOwn }: Asked, deed: Refusal & Partial<Deed>): Reply {
    const { epoch, openedMonoMs } = this.#parts;
    const { outcome, reason, detail, readBack = null } = deed;
    const monoMs = Math.max(0, Math.round(this.#clock.monoMs() - openedMonoMs));
    const issued = isOwn ? command : null;
    return { id: command.id, outcome, reason, detail, epoch, monoMs, readBack, issued };
  }

  #remember(asked: Asked, reply: Reply): void {
    if (this.#unrecorded.size >= UNRECORDED_MAX) {
      this.#drop(asked);
      return;
    }
    const untilMonoMs = this.#clock.monoMs() + TIME_TO_LIVE_MAX_MS;
    this.#unrecorded.set(reply.id, { asked, reply, untilMonoMs });
    this.#note(asked, reply);
    this.#tell(asked, reply);
  }

  /** In the order they came: after this time any copy of it is too late by itself. */
  #forgetUnrecorded(): void {
    for (const [id, { untilMonoMs }] of this.#unrecorded) {
      if (untilMonoMs > this.#clock.monoMs()) return;
      this.#unrecorded.delete(id);
    }
  }

  #note({ command }: Asked, { id, outcome, reason, detail, readBack }: Reply): void {
    const point = keyOf(command);
    this.#last = { id, point, command: command.command, outcome, reason, detail };
    this.#counted(outcome);
    this.#log[outcome === 'done' ? 'info' : 'warn']('command_settled', {
      id: foreign(id),
      point,
      command: command.command,
      value: command.value === null ? null : foreign(`${command.value}`),
      by: foreign(command.issuer),
      outcome,
      reason,
      detail,
      shown: readBack === null ? null : foreign(`${readBack}`),
    });
  }

  #tell(asked: Asked, reply: Reply): void {
    this.#parts.reply(encodeReply(reply));
    asked.settled?.(reply);
  }

  async #tellAgain(): Promise<void> {
    const kept = await this.#record.recent(OWN_TOLD_AGAIN, OTHERS_TOLD_AGAIN);
    for (const { reply } of kept) this.#parts.reply(reply);
  }

  #counted(outcome: Outcome): void {
    const help = 'Commands by what became of them';
    this.#metrics.counter('edge_commands_total', help, { outcome }).add();
  }

  #count(what: 'unreadable' | 'dropped' | 'replayed', help: string): void {
    this.#metrics.counter(`edge_commands_${what}_total`, help).add();
  }
}

function askedOf(command: Command): Pick<Asked, 'command' | 'bytes' | 'place'> {
  const place = { opening: openingOf(command.epoch), sequence: command.sequence };
  return { command, bytes: encodeCommand(command), place };
}

function rowOf({ command, bytes, place, isOwn }: Asked, state: Row['state']): Row {
  return { id: command.id, state, place, command: bytes, reply: null, isOwn, hasReversal: false };
}

/**
 * A reversal that may have been done is over. Another command that may have been done stands for
 * what was before it where it has a reversal of its own, and ends it where it surely was done.
 */
function standingAfter(
  { command, asking }: Asked,
  { outcome, reason }: Refusal,
  hasReversal: boolean,
): StandingChange {
  const mayBeDone = outcome === 'done' || outcome === 'uncertain' || reason === 'read_back_differs';
  if (!mayBeDone) return null;
  if (asking === 'reversal') return outcome === 'failed' ? null : 'ended';
  if (asking === 'fallback') return 'ended';
  if (hasReversal) {
    const { device, point, id } = command;
    return { device, point, command: command.command, id, attempts: 0 };
  }
  return outcome === 'done' ? 'ended' : null;
}

function refusedAs(reason: CommandReason): Refusal {
  return { outcome: 'refused', reason, detail: '' };
}
