// Ingest: a message in, decisions out. Synchronous; the worker gives it messages, time and a way to
// publish, the simulated world does the same.
//
// The way of a record: topic, envelope, body, dictionary, lane; then it waits for the group commit
// (at most GROUP_MS or GROUP_BYTES), and only after the commit its gateway is told what is stored.
// Every record is opened before it is taken, so what the inbox holds can be decoded; what cannot be
// read is refused by its name, kept as a dead letter, counted as a gap, and the rest goes on.
//
// Bounds: the group; records that wait for a dictionary part (held.ts); dead letters a commit; the
// inbox itself. Full inbox or full disk: nothing is stored, nothing acked, credit 0, tried again
// each second until it works. A failed commit drops its group, unacked: the edges have it.
import type { Clock } from '../../core/clock.ts';
import { isFault } from '../../core/fault.ts';
import type { BrokerMessage } from '../../protocols/uplink/broker-link.ts';
import { decodeBirth, decodeStatus, encodeAck } from '../../protocols/uplink/control.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import {
  kinds,
  MESSAGE_BYTES_MAX,
  parseTopic,
  statusKinds,
  type TopicParts,
  topicOf,
} from '../../protocols/uplink/topics.ts';
import type { InboxCore, PutResult } from '../inbox/core.ts';
import { isFull } from '../inbox/file.ts';
import { Births } from './births.ts';
import { HeldRecords } from './held.ts';
import { LaneCheck } from './lane.ts';
import type { Arrived, ForeignParts, Letter, RefusedByBroker } from './opening.ts';
import { foreignLetter, letterOf, openMessage } from './opening.ts';
import { type GatewayPresence, Presences } from './presence.ts';
import { Statement } from './statement.ts';

/** A record waits at most this long for others to share its commit. */
export const GROUP_MS = 10;
export const GROUP_BYTES = 1024 * 1024;
/** What one gateway may have in flight when there is room enough. */
export const CREDIT_BYTES_MAX = 1024 * 1024;
/**
 * What all gateways together may have in flight: at 1 to 2 MB a second it is worked off within the
 * 5 s after which an edge calls a record unanswered. A message each is let through all the same.
 */
export const CREDIT_BYTES_ALL = 4 * 1024 * 1024;
/** A full inbox takes records again when this share of it is free. */
const RESUME_SHARE = 0.1;
/** Dead letters without a name in one commit; more are only counted. */
const LETTERS_A_COMMIT_MAX = 100;
/** Answers for other parts of the cloud in one commit; more are dropped, and repeat themselves. */
const ANSWERS_A_COMMIT_MAX = 1_000;
/** The same alarm about the same gateway is told again after this long. */
const CLONE_AGAIN_MS = 3_600_000;

export interface CloneAlarm {
  readonly area: string;
  readonly gateway: string;
  /** Another record under a stored key, or an epoch that lives on after the next was opened. */
  readonly kind: 'same-key' | 'two-epochs';
  readonly epoch: Epoch;
  readonly sequence: number;
  readonly atMs: number;
}

export interface RefusedMessage {
  /** A refusal of the wire, of the broker, or `foreign_topic`, `wrong_way`, `unknown_gateway`. */
  readonly reason: string;
  readonly area: string;
  readonly gateway: string;
  readonly topic: string;
  readonly epoch: string;
  readonly sequence: number;
  readonly detail: string;
}

export interface IngestEvents {
  onCommitted(lastRow: number): void;
  onPresence(changes: readonly GatewayPresence[]): void;
  onClone(alarm: CloneAlarm): void;
  onRefused(refused: RefusedMessage): void;
  /** `reported` and `reply`: for whoever sent what they answer. */
  onAnswer(answer: GatewayAnswer): void;
}

export interface GatewayAnswer {
  readonly kind: 'reported' | 'reply';
  readonly area: string;
  readonly gateway: string;
  readonly payload: Uint8Array;
}

export interface Outgoing {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  readonly retain: boolean;
}

const noCounts = {
  records: 0,
  bytes: 0,
  readings: 0,
  stored: 0,
  duplicates: 0,
  clones: 0,
  /** Records refused by name, and messages that are no record of ours. */
  refused: 0,
  foreign: 0,
  /** Messages without content. */
  empty: 0,
  /** Records not taken because of a bound or a failed commit: unacked, they come again. */
  turnedAway: 0,
  commits: 0,
  failedCommits: 0,
  ignoredStatuses: 0,
};
export type IngestCounts = Readonly<typeof noCounts>;

/** As `/v1/health` says them, `working` as `ok`. */
export const ingestStates = ['working', 'full', 'disk_full'] as const;
export type IngestState = (typeof ingestStates)[number];

interface Group {
  readonly records: Arrived[];
  readonly letters: Letter[];
  readonly answers: GatewayAnswer[];
  /** Highest connection numbers heard. */
  readonly connections: Map<string, { readonly area: string; readonly connection: number }>;
}

export class IngestCore {
  readonly #clock: Clock;
  readonly #inbox: InboxCore;
  readonly #events: IngestEvents;
  readonly #presences = new Presences();
  readonly #births = new Births();
  readonly #lanes: LaneCheck;
  readonly #held = new HeldRecords();
  readonly #clonesToldMs = new Map<string, number>();
  readonly #counts = { ...noCounts };
  #group = emptyGroup();
  #groupBytes = 0;
  #groupSinceMs: number | null = null;
  #statements = new Map<string, Statement>();
  #clones: CloneAlarm[] = [];
  #known: ReadonlyMap<string, string> | null = null;
  #state: IngestState = 'working';

  constructor(clock: Clock, inbox: InboxCore, events: IngestEvents) {
    this.#clock = clock;
    this.#inbox = inbox;
    this.#events = events;
    this.#lanes = new LaneCheck(clock, (gateway, epoch) => inbox.arrivalOffsetOf(gateway, epoch));
    for (const { gateway, area, connection } of inbox.gateways()) {
      this.#presences.restore(gateway, area, connection);
    }
  }

  get state(): IngestState {
    return this.#state;
  }

  get counts(): IngestCounts {
    return this.#counts;
  }

  /** Records and bytes that wait for a dictionary part. */
  get held(): { readonly count: number; readonly bytes: number } {
    return { count: this.#held.count, bytes: this.#held.bytes };
  }

  /** Gateways and their areas; others are refused. Null, the default, leaves that to the broker. */
  setGateways(known: ReadonlyMap<string, string> | null): void {
    this.#known = known;
  }

  /** Milliseconds until `commit` is due; null when nothing waits. */
  get dueMs(): number | null {
    if (this.#groupSinceMs === null) return null;
    if (this.#groupBytes >= GROUP_BYTES) return 0;
    return Math.max(0, this.#groupSinceMs + GROUP_MS - this.#clock.monoMs());
  }

  /** `broker` is the place of the one it came from, among those the cloud listens at. */
  receive(message: BrokerMessage, broker = 0): void {
    this.#groupSinceMs ??= this.#clock.monoMs();
    this.#groupBytes += message.payload.length;
    const { topic, payload } = message;
    const parts = parseTopic(topic);
    const wrong = this.#wrongWith(parts);
    if (!parts || wrong) {
      this.#foreign(wrong ?? 'foreign_topic', topic, payload, parts ?? {});
      return;
    }
    // A retained message was cleared, or rights were checked (cloud/broker/check.ts): nothing is
    // said.
    if (payload.length === 0) {
      this.#counts.empty++;
      return;
    }
    try {
      this.#receiveKnown(message, parts, broker);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#foreign('malformed', topic, payload, { ...parts, detail: error.message });
    }
  }

  /** The cloud's own connection to a broker came about or ended. */
  broker(broker: number, state: 'up' | 'down'): void {
    const nowMs = this.#clock.wallMs();
    if (state === 'up') this.#presences.brokerBack(broker, nowMs);
    else this.#presences.brokerAway(broker, nowMs);
  }

  /** Keeps what the broker refused, so that all dead letters are in one place. */
  keepRefused({ reason, topic, payload, size, name }: RefusedByBroker): void {
    this.#groupSinceMs ??= this.#clock.monoMs();
    this.#foreign(reason, topic, payload, { gateway: name, size });
  }

  /** The group commit. Returns what to publish now: after it, and because of it. */
  commit(): Outgoing[] {
    const group = this.#takeGroup();
    const lastRow = this.#inbox.lastRow;
    try {
      this.#inbox.begin();
      this.#apply(group);
      this.#inbox.commit();
    } catch (error) {
      this.#fail(error, group);
      return this.#speak();
    }
    this.#counts.commits++;
    this.#turnByFill();
    if (this.#inbox.lastRow > lastRow) this.#events.onCommitted(this.#inbox.lastRow);
    for (const alarm of this.#clones.splice(0)) this.#events.onClone(alarm);
    for (const answer of group.answers) this.#events.onAnswer(answer);
    if (this.#presences.hasTurned) this.#events.onPresence(this.#presences.takeChanges());
    return this.#speak();
  }

  /** Once a second: questions after a birth, rows that may leave, a disk that has room again. */
  tick(): Outgoing[] {
    this.#counts.turnedAway += this.#held.expire(this.#clock.monoMs());
    const changes = this.#presences.takeChanges();
    if (changes.length > 0) this.#events.onPresence(changes);
    const isIdle = this.#births.size === 0 && !this.#inbox.hasPassed && this.#state === 'working';
    return isIdle && this.#groupSinceMs === null ? [] : this.commit();
  }

  #wrongWith(parts: TopicParts | undefined): string | null {
    if (!parts) return 'foreign_topic';
    if (kinds[parts.kind].way !== 'up') return 'wrong_way';
    const isKnown = !this.#known || this.#known.get(parts.gateway) === parts.area;
    return isKnown ? null : 'unknown_gateway';
  }

  #receiveKnown(message: BrokerMessage, parts: TopicParts, broker: number): void {
    const { topic, payload, retained } = message;
    const { area, gateway, kind } = parts;
    const nowMs = this.#clock.wallMs();
    const path = statusKinds.indexOf(kind);
    if (path >= 0) {
      const status = decodeStatus(payload);
      const heard = { status, path, broker, nowMs, retained };
      // Of the first path only: of the second an old one after a restart is put right by the next.
      if (!this.#presences.status(gateway, area, heard)) this.#counts.ignoredStatuses++;
      else if (path === 0) {
        this.#group.connections.set(gateway, { area, connection: status.connection });
      }
      return;
    }
    if (!retained) this.#presences.heard(gateway, area, nowMs);
    if (kind === 'birth') {
      const birth = decodeBirth(payload);
      this.#presences.birth(gateway, area, birth);
      this.#births.add(gateway, area, birth, this.#clock.monoMs());
      const statement = this.#statement(area, gateway);
      for (const { epoch } of birth.epochs) statement.touch(epoch);
    } else if (kind === 'reported' || kind === 'reply') {
      if (this.#group.answers.length >= ANSWERS_A_COMMIT_MAX) this.#counts.turnedAway++;
      else this.#group.answers.push({ kind, area, gateway, payload });
    } else this.#receiveRecord(topic, payload, parts);
  }

  #receiveRecord(topic: string, payload: Uint8Array, parts: TopicParts): void {
    this.#counts.records++;
    this.#counts.bytes += payload.length;
    const opened = openMessage(topic, parts, payload, this.#clock.wallMs());
    if (opened.kind === 'letter') {
      this.#group.letters.push(opened.letter);
      return;
    }
    const { area, gateway, kind } = parts;
    const { envelope } = opened.record;
    const { epoch, sequence } = envelope;
    this.#counts.readings += envelope.readings;
    const sentAs = kind === 'live' || kind === 'event' ? kind : 'backfill';
    const { lane, isTwin } = this.#lanes.check(gateway, sentAs, envelope, opened.hasTimes);
    if (isTwin) this.#alarm({ area, gateway, kind: 'two-epochs', epoch, sequence });
    this.#group.records.push({ ...opened.record, lane });
  }

  #apply(group: Group): void {
    for (const [gateway, { area, connection }] of group.connections) {
      if (connection > this.#inbox.connectionOf(gateway)) {
        this.#inbox.keepConnection(gateway, area, connection);
      }
    }
    let letters = 0;
    for (const letter of group.letters) {
      if (letter.envelope || letters++ < LETTERS_A_COMMIT_MAX) this.#applyLetter(letter);
      else this.#counts.foreign++;
    }
    let hasPart = false;
    for (const record of group.records) {
      this.#put(record);
      hasPart ||= record.part !== null;
    }
    if (hasPart) {
      const held = this.#held.takeAll(this.#clock.monoMs(), this.#clock.wallMs());
      for (const record of held) this.#put(record);
    }
    if (this.#state === 'working') this.#applyBirths();
  }

  #put(record: Arrived): void {
    const { area, gateway, envelope } = record;
    const { epoch, sequence } = envelope;
    const statement = this.#statement(area, gateway);
    statement.touch(epoch, sequence);
    const result: PutResult = this.#state === 'full' ? { kind: 'full' } : this.#inbox.put(record);
    switch (result.kind) {
      case 'stored': {
        this.#counts.stored++;
        const offsetMs = this.#lanes.offsetMs(gateway, epoch);
        if (offsetMs !== null) this.#inbox.setArrivalOffset(gateway, epoch, offsetMs);
        break;
      }
      case 'duplicate':
        this.#counts.duplicates++;
        break;
      case 'clone':
        this.#counts.clones++;
        this.#alarm({ area, gateway, kind: 'same-key', epoch, sequence });
        this.#applyLetter(letterOf(record, 'clone', ''));
        break;
      case 'malformed':
        this.#applyLetter(letterOf(record, 'malformed', result.detail));
        break;
      case 'refused':
        this.#applyLetter(letterOf(record, result.reason, 'refused before'));
        break;
      case 'needs':
        statement.need(result.hashes);
        if (!this.#held.add(record, this.#clock.monoMs())) this.#counts.turnedAway++;
        break;
      default:
        // Full or scattered: unacked, but the gateway hears the state and the credit in it.
        this.#counts.turnedAway++;
    }
  }

  #applyLetter(letter: Letter): void {
    const { envelope, refusal, area, gateway } = letter;
    const { reason, topic, epoch, sequence, detail } = letter;
    this.#counts[refusal ? 'refused' : 'foreign']++;
    this.#events.onRefused({ reason, area, gateway, topic, epoch, sequence, detail });
    if (!envelope || !refusal) {
      this.#inbox.keepLetter(letter);
      return;
    }
    // A later reader may be able to: nothing is closed and nothing kept, the edge has it.
    if (refusal === 'later' || this.#inbox.refuse(letter, envelope, refusal)) {
      this.#statement(area, gateway).refuse(envelope.epoch, envelope.sequence, refusal);
    }
  }

  #applyBirths(): void {
    const ledgerOf = (gateway: string, epoch: Epoch) => this.#inbox.ledgerOf(gateway, epoch);
    for (const finding of this.#births.due(this.#clock.monoMs(), ledgerOf)) {
      const { area, gateway, epoch, wanted, lost } = finding;
      if (lost.length > 0) this.#inbox.lose(area, gateway, epoch, lost, this.#clock.wallMs());
      else this.#statement(area, gateway).want(epoch, wanted);
    }
  }

  // A disk or file without room passes. Anything else is a damaged file or a mistake: the thread
  // ends and starts again from what is on disk.
  #fail(error: unknown, group: Group): void {
    if (!isFull(error)) throw error;
    this.#inbox.rollback();
    this.#counts.failedCommits++;
    this.#counts.turnedAway += group.records.length;
    for (const { gateway, kind } of this.#clones.splice(0)) {
      this.#clonesToldMs.delete(`${gateway}/${kind}`);
    }
    // Connection numbers are not repeated by the gateways; they go with the next commit.
    for (const [gateway, connection] of group.connections) {
      if (!this.#group.connections.has(gateway)) this.#group.connections.set(gateway, connection);
    }
    // What was decided in the transaction is undone; what remains to be said is the state.
    for (const [gateway, { area }] of this.#statements) {
      const statement = new Statement(area, gateway);
      for (const { envelope, gateway: of } of group.records) {
        if (of === gateway) statement.touch(envelope.epoch);
      }
      this.#statements.set(gateway, statement);
    }
    this.#turn('disk_full');
  }

  #turnByFill(): void {
    const { heldBytes, bytesMax } = this.#inbox;
    if (heldBytes >= bytesMax) this.#turn('full');
    else if (this.#state === 'full' && heldBytes <= bytesMax * (1 - RESUME_SHARE)) {
      this.#turn('working');
    } else if (this.#state === 'disk_full' && this.#inbox.hasRoom()) this.#turn('working');
  }

  // Everybody hears of it: who was told credit 0 waits for more.
  #turn(state: IngestState): void {
    if (state === this.#state) return;
    this.#state = state;
    for (const { area, gateway } of this.#presences.online) this.#statement(area, gateway);
  }

  #speak(): Outgoing[] {
    const out: Outgoing[] = [];
    const credit = this.#creditBytes();
    for (const statement of this.#statements.values()) {
      const { area, gateway } = statement;
      const ledgerOf = (epoch: Epoch) => this.#inbox.ledgerOf(gateway, epoch);
      for (const ack of statement.acks(this.#inbox.storeId, credit, ledgerOf)) {
        const topic = topicOf(area, gateway, 'ack');
        out.push({ topic, payload: encodeAck(ack), qos: kinds.ack.qos, retain: kinds.ack.retain });
      }
    }
    this.#statements.clear();
    return out;
  }

  // Half of the free room is promised: what is in flight is not in the inbox yet.
  #creditBytes(): number {
    if (this.#state !== 'working') return 0;
    const freeBytes = this.#inbox.bytesMax - this.#inbox.heldBytes;
    const bytes = Math.min(freeBytes / 2, CREDIT_BYTES_ALL);
    const share = Math.floor(bytes / Math.max(1, this.#presences.onlineCount));
    return Math.max(MESSAGE_BYTES_MAX, Math.min(CREDIT_BYTES_MAX, share));
  }

  #alarm(alarm: Omit<CloneAlarm, 'atMs'>): void {
    const nowMs = this.#clock.monoMs();
    const key = `${alarm.gateway}/${alarm.kind}`;
    const toldMs = this.#clonesToldMs.get(key);
    if (toldMs !== undefined && nowMs - toldMs < CLONE_AGAIN_MS) return;
    this.#clonesToldMs.set(key, nowMs);
    this.#clones.push({ ...alarm, atMs: this.#clock.wallMs() });
  }

  #foreign(reason: string, topic: string, payload: Uint8Array, more: ForeignParts): void {
    const letter = foreignLetter(reason, topic, payload, this.#clock.wallMs(), more);
    this.#group.letters.push(letter);
  }

  #statement(area: string, gateway: string): Statement {
    let statement = this.#statements.get(gateway);
    if (!statement) {
      statement = new Statement(area, gateway);
      this.#statements.set(gateway, statement);
    }
    return statement;
  }

  #takeGroup(): Group {
    const group = this.#group;
    this.#group = emptyGroup();
    this.#groupBytes = 0;
    this.#groupSinceMs = null;
    return group;
  }
}

function emptyGroup(): Group {
  return { records: [], letters: [], answers: [], connections: new Map() };
}
