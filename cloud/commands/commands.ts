// The commands: who asked a gateway for what and why, who released it, and its one outcome.
//
// Promises. A command is asked for once under its id: the same call again finds it, another under
// the same id is refused. It is on disk, with its journal entry, before the first byte of it is
// published, so a cloud that dies sends it again under the same id and never another. It names the
// present epoch of its gateway and the newest sequence received of it, from which the edge tells
// the time it has left. It has exactly one outcome, recorded in the transaction of the journal
// entry that tells it, and no reply, no clock and no person changes it afterwards. Nobody settles a
// command but its own gateway; a person only before it was sent, and the cloud itself only when the
// second person did not come in time, or when no word came for REPLY_WITHIN_MS: `uncertain`.
//
// The checks here are for whoever asks, who is told at once. The edge checks everything again.
//
// In memory is nothing but when the clock is next to look, the list of what is to be sent, and
// events not yet told.
import type { DatabaseSync } from 'node:sqlite';
import { hex } from '../../core/bytes.ts';
import type { CommandOffer } from '../../core/command.ts';
import { assert, Fault } from '../../core/fault.ts';
import type { Random } from '../../core/random.ts';
import type { Value } from '../../core/reading.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Reply } from '../../protocols/uplink/control.ts';
import { encodeCommand } from '../../protocols/uplink/control.ts';
import type { Approval } from '../alarms/approvals.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import type { Actor, AlarmFollower } from '../alarms/occurrences.ts';
import { machine } from '../alarms/occurrences.ts';
import { withinScope } from '../api/stream.ts';
import type { SeriesEntry } from '../inbox/decoded.ts';
import type { Principal } from '../registry/registry.ts';
import type { Commanded, CommandWish, Settlement, Target } from './command.ts';
import {
  COMMANDS_OPEN_MAX,
  isSame,
  moveOf,
  phaseOf,
  plainValue,
  RELEASE_WITHIN_MS,
  settlementOf,
  targetOf,
  valueFor,
  wireOf,
} from './command.ts';
import { mustHave, offersKnown, repeated, timeToLiveOf, unfitFault } from './refusals.ts';
import { CommandTables } from './tables.ts';

/** The kind under which a command waits for the second person. */
export const COMMAND_APPROVAL = 'command';
/** Ended by the clock in one tick, some 5 ms. */
const ENDS_A_TICK = 50;
/** Of what a gateway says was commanded at it; one an hour and a half is much. Beyond: counted. */
export const LOCAL_A_DAY_MAX = 1_000;
const DAY_MS = 24 * 3_600_000;

export interface Offered {
  readonly entry: SeriesEntry;
  readonly offer: CommandOffer;
}

export interface CommandEvent {
  readonly kind: 'asked' | 'issued' | 'settled' | 'late';
  readonly command: Commanded;
}

/** What a reply turned out to be. `local`: commanded at the gateway itself. */
export type Heard = 'settled' | 'duplicate' | 'late' | 'stranger' | 'local' | 'turned-away';

/** What waits, for whoever decides about it. */
export interface CommandApproval {
  readonly asset: string | null;
  readonly right: CommandOffer['right'];
  readonly target: string;
  readonly title: Commanded['title'];
  readonly value: Exclude<Value, bigint>;
  readonly unit: string;
}

export interface CommandOptions {
  readonly alarms: Pick<AlarmConsumer, 'approvals' | 'follow' | 'newest' | 'tables' | 'together'>;
  readonly gateways: () => readonly string[];
  /** Its points by its newest dictionary; none before one came. */
  readonly pointsOf: (gateway: string) => readonly SeriesEntry[];
  readonly isOnline: (gateway: string) => boolean;
}

export class Commands implements AlarmFollower {
  readonly tables: CommandTables;
  readonly #random: Random;
  readonly #options: CommandOptions;
  /** When the next one ends by itself; undefined: to be asked of the tables. */
  #nextMs: number | null | undefined = undefined;
  #issued: readonly Commanded[] | null = null;
  #untold: { readonly kind: CommandEvent['kind']; readonly id: string }[] = [];
  #local = new Map<string, { readonly sinceMs: number; readonly count: number }>();

  /** Follows the alarms from now on, and issues what a second person releases. */
  constructor(random: Random, database: DatabaseSync, options: CommandOptions) {
    this.#random = random;
    this.#options = options;
    const { alarms } = options;
    this.tables = new CommandTables(database);
    const { handlers, withdrawals, lastsMs } = alarms.approvals;
    handlers.set(COMMAND_APPROVAL, (approval, approver, nowMs) =>
      this.#release(approval, approver, nowMs),
    );
    withdrawals.set(COMMAND_APPROVAL, ({ what }, actor, nowMs) => {
      this.#settle(this.find(what), 'withdraw', unreleased('refused', actor, nowMs), actor);
    });
    lastsMs.set(COMMAND_APPROVAL, RELEASE_WITHIN_MS);
    alarms.follow(this);
  }

  /** Throws Fault `command_unknown`. */
  find(id: string): Commanded {
    const found = this.tables.get(id);
    if (!found) throw new Fault('command_unknown', 'never', bilingual('command-none', { id }));
    return found;
  }

  /** What the principal sees that may be commanded, by gateway and in the order of its points. */
  offers({ scope }: Principal, gateway?: string): Offered[] {
    const gateways = gateway === undefined ? this.#options.gateways() : [gateway];
    return gateways.flatMap((name) =>
      this.#options
        .pointsOf(name)
        .filter(({ definition }) => withinScope(scope, definition.asset))
        .flatMap((entry) =>
          (entry.definition.commands ?? []).map((offer): Offered => ({ entry, offer })),
        ),
    );
  }

  /**
   * Asks for a command; it is issued, or waits for a second person. Throws a Fault for what would
   * be refused: `command_point_unknown`, `command_not_offered`, `command_not_allowed`,
   * `command_value_unfit`, `command_out_of_range`, `command_time_to_live`, `gateway_offline`,
   * `command_too_soon`, `command_full`, `command_id_taken`.
   */
  ask(wish: CommandWish, principal: Principal, from: string, nowMs: number): Commanded {
    const known = wish.id === null ? null : this.tables.get(wish.id);
    if (known) return repeated(known, wish, principal.name);
    const offered = this.#offered(wish, principal);
    const { entry, offer } = offered;
    mustHave(principal, offer);
    const value = this.#value(offered, wish.value);
    const timeToLiveMs = timeToLiveOf(wish.timeToLiveMs, offer);
    const { area } = this.#place(wish.gateway);
    this.#mustBeFree(offered, nowMs);
    this.#mustHaveRoom(wish.gateway);
    const { gateway, device, point, why } = wish;
    const { name, unit, asset } = entry.definition;
    const actor = { name: principal.name, from };
    const asked: Omit<Commanded, 'number'> = {
      ...{ id: wish.id ?? hex(this.#random.bytes(16)), area, gateway, device, point },
      ...{ command: offer.id, name, title: offer.title, unit, asset, value },
      ...{ isFixed: offer.fixed !== null, right: offer.right, why, by: actor.name, from },
      ...{ second: '', timeToLiveMs, state: 'waiting', askedMs: nowMs },
      lapsesMs: offer.twoPeople ? nowMs + RELEASE_WITHIN_MS : null,
      ...{ issued: null, settlement: null, late: null },
    };
    this.#options.alarms.together(() => {
      const kept = this.tables.insert(asked);
      this.#changed();
      this.#journal('command-asked', kept, actor, null, asking(kept), nowMs);
      this.#tell('asked', kept);
      if (!offer.twoPeople) this.#issue(kept, actor, nowMs);
      else this.#askSecond(kept, actor, nowMs);
    });
    return this.find(asked.id);
  }

  /** What a gateway says of a command: recorded once, whoever repeats it. */
  heard(gateway: string, area: string, reply: Reply, nowMs: number): Heard {
    const known = this.tables.get(reply.id);
    if (!known) {
      const isLocal = reply.issued !== null && reply.issued.id === reply.id;
      return isLocal
        ? this.#commandedThere(gateway, area, reply, nowMs)
        : this.#stranger(gateway, reply, 'never-sent', nowMs);
    }
    if (known.gateway !== gateway) return this.#stranger(gateway, reply, 'other-gateway', nowMs);
    const said = settlementOf(reply, known, nowMs, this.#happenedMs(gateway, reply));
    const move = moveOf(known, 'reply');
    if (move === 'stranger') return this.#stranger(gateway, reply, 'not-released', nowMs);
    if (move === 'settle') {
      const actor = actorOf(gateway);
      this.#options.alarms.together(() => this.#settle(known, 'reply', said, actor, reply));
      return 'settled';
    }
    if (known.late || isSame(known.settlement!, said)) return 'duplicate';
    this.#options.alarms.together(() => {
      this.#keep({ ...known, late: said });
      this.#journal('command-late', known, actorOf(gateway), known.settlement, said, nowMs, reply);
      this.#tell('late', known);
    });
    return 'late';
  }

  /** Sent, or to be sent, and without an outcome; the oldest first. */
  issued(): readonly Commanded[] {
    this.#issued ??= this.tables.issued();
    return this.#issued;
  }

  /** What happened since the last call, for the live stream; after each transaction. */
  drain(): CommandEvent[] {
    if (this.#untold.length === 0) return [];
    const untold = this.#untold;
    this.#untold = [];
    return untold.map(({ kind, id }) => ({ kind, command: this.find(id) }));
  }

  take(): void {
    // Alarms change no command.
  }

  isDue(nowMs: number): boolean {
    if (this.#nextMs === undefined) this.#nextMs = this.tables.nextEndMs();
    return this.#nextMs !== null && this.#nextMs <= nowMs;
  }

  tick(nowMs: number): void {
    for (const ended of this.tables.ended(nowMs, ENDS_A_TICK)) {
      if (phaseOf(ended) === 'waiting') {
        this.#options.alarms.approvals.drop(COMMAND_APPROVAL, ended.id);
        this.#settle(ended, 'lapse', unreleased('expired', machine, nowMs), machine);
      } else {
        const nothing = { detail: '', readBack: null, by: machine.name, happenedMs: null };
        const unknown = { outcome: 'uncertain', reason: 'no_answer' } as const;
        this.#settle(ended, 'abandon', { ...unknown, ...nothing, atMs: nowMs }, machine);
      }
    }
    this.#nextMs = undefined;
  }

  /** What is only in memory is read back, or was never so. */
  load(): void {
    this.#nextMs = undefined;
    this.#issued = null;
    this.#untold = [];
  }

  // From asking to issuing ------------------------------------------------------------------------

  #offered({ gateway, device, point, command }: Target, { scope }: Principal): Offered {
    const key = `${gateway}/${device}/${point}`;
    const entry = this.#options
      .pointsOf(gateway)
      .find(({ definition: it }) => it.device === device && it.point === point);
    if (!entry || !withinScope(scope, entry.definition.asset)) {
      const detail = bilingual('command-no-point', { point: key });
      throw new Fault('command_point_unknown', 'never', detail);
    }
    const offers = entry.definition.commands ?? [];
    const offer = offers.find(({ id }) => id === command);
    if (offer) return { entry, offer };
    throw new Fault('command_not_offered', 'never', offersKnown(key, command, offers));
  }

  #value({ entry, offer }: Offered, given: Value): Value {
    const { type, unit } = entry.definition;
    const found = valueFor(offer, type, given);
    if ('value' in found) return found.value;
    throw unfitFault(found.unfit, offer, given, unit);
  }

  // The present epoch and the newest sequence: from these the edge knows until when it holds.
  #place(gateway: string) {
    if (!this.#options.isOnline(gateway)) {
      throw new Fault('gateway_offline', 'later', bilingual('command-offline', { gateway }));
    }
    const place = this.#options.alarms.newest(gateway);
    if (place) return place;
    throw new Fault('gateway_offline', 'later', bilingual('command-unheard', { gateway }));
  }

  #mustBeFree({ entry: { gateway, definition }, offer }: Offered, nowMs: number): void {
    const { device, point } = definition;
    const lastMs = this.tables.lastIssuedMs(gateway, device, point);
    const sinceMs = lastMs === null ? Number.POSITIVE_INFINITY : nowMs - lastMs;
    // A clock that was set back says nothing of how long it was; the edge counts by its own.
    if (sinceMs >= 0 && sinceMs < offer.everyMs) {
      const seconds = (ms: number) => String(Math.round(ms / 100) / 10);
      const values = { since: seconds(sinceMs), every: seconds(offer.everyMs) };
      const detail = bilingual('command-soon', {
        point: `${gateway}/${device}/${point}`,
        ...values,
      });
      throw new Fault('command_too_soon', 'later', detail);
    }
  }

  #mustHaveRoom(gateway: string): void {
    if (this.tables.countOpen(gateway) < COMMANDS_OPEN_MAX) return;
    const detail = bilingual('command-open-beyond', { gateway, max: COMMANDS_OPEN_MAX });
    throw new Fault('command_full', 'later', detail);
  }

  #askSecond(command: Commanded, actor: Actor, nowMs: number): void {
    const { id, asset, right, title, value, unit, why } = command;
    const target = targetOf(command);
    const wish: CommandApproval = { asset, right, target, title, value: plainValue(value), unit };
    this.#options.alarms.approvals.ask(COMMAND_APPROVAL, id, wish, actor, why, nowMs);
  }

  // The second person has said yes, minutes later: everything is looked at again.
  #release({ what: id }: Approval, approver: Actor, nowMs: number): void {
    const found = this.find(id);
    if (moveOf(found, 'release') !== 'issue') {
      const detail = bilingual('command-not-waiting', { id, state: found.state });
      throw new Fault('command_changed', 'never', detail);
    }
    const everything: Principal = { name: approver.name, right: 'administer', scope: '' };
    const offered = this.#offered(found, everything);
    const { fixed, right } = offered.offer;
    const value = this.#value(offered, found.isFixed ? null : found.value);
    if (right !== found.right || (fixed !== null) !== found.isFixed || value !== found.value) {
      const target = { point: `${found.gateway}/${found.device}/${found.point}` };
      const detail = bilingual('command-not-as-asked', { ...target, command: found.command });
      throw new Fault('command_changed', 'never', detail);
    }
    this.#mustBeFree(offered, nowMs);
    const released = { ...found, second: approver.name };
    this.#journal('command-released', released, approver, null, asking(released), nowMs);
    this.#issue(released, approver, nowMs);
  }

  #issue(command: Commanded, actor: Actor, nowMs: number): void {
    const { area, epoch, sequence } = this.#place(command.gateway);
    const issued = { atMs: nowMs, epoch, sequence };
    const after: Commanded = { ...command, area, state: 'issued', lapsesMs: null, issued };
    // What no message can carry must not be on disk as sent.
    encodeCommand(wireOf(after));
    this.#keep(after);
    const how = { epoch, sequence, time_to_live_ms: command.timeToLiveMs, second: command.second };
    this.#journal('command-issued', after, actor, null, how, nowMs);
    this.#tell('issued', after);
  }

  // The outcome -----------------------------------------------------------------------------------

  #settle(
    command: Commanded,
    event: 'reply' | 'withdraw' | 'lapse' | 'abandon',
    settlement: Settlement,
    actor: Actor,
    reply?: Reply,
  ): void {
    assert(moveOf(command, event) === 'settle', 'a command has one outcome');
    const { state: before, id } = command;
    const after: Commanded = { ...command, state: settlement.outcome, settlement, lapsesMs: null };
    this.#keep(after);
    const { atMs } = settlement;
    this.#journal('command-outcome', after, actor, { state: before }, settlement, atMs, reply);
    this.#tell('settled', { id });
  }

  #happenedMs(gateway: string, { epoch, monoMs }: Reply): number | null {
    const place = this.#options.alarms.newest(gateway);
    return place?.epoch === epoch && place.offsetMs !== 0 ? place.offsetMs + monoMs : null;
  }

  // Nobody here asked for it: the people at the gateway did, while it was alone perhaps.
  #commandedThere(gateway: string, area: string, reply: Reply, nowMs: number): Heard {
    const { id, issuer, device, point, command, value, why, second } = reply.issued!;
    const { epoch, sequence, timeToLiveMs } = reply.issued!;
    if (!this.#hasRoomForLocal(gateway, nowMs)) return 'turned-away';
    const entry = this.#options
      .pointsOf(gateway)
      .find(({ definition: it }) => it.device === device && it.point === point);
    const offer = entry?.definition.commands?.find((each) => each.id === command);
    const unknown = { name: { en: point, zh: point }, unit: '1', asset: null };
    const { name, unit, asset } = entry?.definition ?? unknown;
    const title = offer?.title ?? { en: command, zh: command };
    const happenedMs = this.#happenedMs(gateway, reply);
    const by = issuer.startsWith('gateway:') ? issuer : `gateway:${issuer}`;
    const from = `gateway ${gateway}`;
    const issued = { atMs: happenedMs ?? nowMs, epoch, sequence };
    const settlement = settlementOf(reply, { gateway, issued: null }, nowMs, happenedMs);
    const local: Omit<Commanded, 'number'> = {
      ...{ id, area, gateway, device, point, command, name, title, unit, asset },
      ...{ value: value ?? offer?.fixed ?? null, isFixed: value === null, why, by, from, second },
      ...{ right: offer?.right ?? 'operate', timeToLiveMs, state: settlement.outcome },
      ...{ askedMs: issued.atMs, lapsesMs: null, issued, settlement, late: null },
    };
    this.#options.alarms.together(() => {
      const kept = this.tables.insert(local);
      this.#changed();
      const actor = { name: by, from };
      this.#journal('command-asked', kept, actor, null, asking(kept), nowMs);
      const own = actorOf(gateway);
      this.#journal('command-outcome', kept, own, null, settlement, nowMs, reply);
      this.#tell('settled', kept);
    });
    return 'local';
  }

  #hasRoomForLocal(gateway: string, nowMs: number): boolean {
    const known = this.#local.get(gateway);
    const isNew = !known || Math.abs(nowMs - known.sinceMs) > DAY_MS;
    const { sinceMs, count } = isNew ? { sinceMs: nowMs, count: 0 } : known;
    if (count >= LOCAL_A_DAY_MAX) return false;
    this.#local.set(gateway, { sinceMs, count: count + 1 });
    return true;
  }

  #stranger(
    gateway: string,
    reply: Reply,
    why: 'never-sent' | 'not-released' | 'other-gateway',
    nowMs: number,
  ): Heard {
    const { id, outcome, reason, detail } = reply;
    if (!this.tables.isNewStranger(gateway, id)) return 'stranger';
    this.#options.alarms.together(() => {
      this.tables.noteStranger(gateway, id);
      const after = { why, outcome, reason, detail };
      const { journal } = this.#options.alarms.tables;
      journal.note('command-stranger', actorOf(gateway), id, null, after, nowMs);
    });
    return 'stranger';
  }

  // Kept and told ---------------------------------------------------------------------------------

  #keep(command: Commanded): void {
    this.tables.update(command);
    this.#changed();
  }

  #changed(): void {
    this.#nextMs = undefined;
    this.#issued = null;
  }

  #tell(kind: CommandEvent['kind'], { id }: Pick<Commanded, 'id'>): void {
    this.#untold.push({ kind, id });
  }

  #journal(
    kind: string,
    command: Commanded,
    actor: Actor,
    before: object | null,
    after: object,
    nowMs: number,
    reply?: Reply,
  ): void {
    const said = reply && { epoch: reply.epoch, mono_ms: reply.monoMs };
    const whole = { target: targetOf(command), ...plain(after), ...said };
    const { journal } = this.#options.alarms.tables;
    journal.note(kind, actor, command.id, before && plain(before), whole, nowMs);
  }
}

function actorOf(gateway: string): Actor {
  return { name: `gateway ${gateway}`, from: `gateway ${gateway}` };
}

function plain(fields: object): object {
  const entries = Object.entries(fields).map(([name, value]) => [name, plainValue(value)]);
  return Object.fromEntries(entries);
}

/** What the journal keeps of what was asked. */
function asking({ value, why, timeToLiveMs, right, lapsesMs, second }: Commanded) {
  const twoPeople = lapsesMs !== null || second !== '';
  return { value, why, time_to_live_ms: timeToLiveMs, right, two_people: twoPeople };
}

function unreleased(outcome: 'refused' | 'expired', { name: by }: Actor, atMs: number): Settlement {
  const detail = outcome === 'refused' ? 'withdrawn' : 'lapsed';
  const nothing = { readBack: null, happenedMs: null };
  return { outcome, reason: 'needs_second', detail, by, atMs, ...nothing };
}
