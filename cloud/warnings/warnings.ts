// The warnings: drafted by people or by alarms, released by two people, never by one and never by
// the machine; kept as they left.
//
// Promises. Nothing leaves unless one person asked for its release and another gave it, both for
// the same words: whatever changes a draft takes the asking back. What leaves is, with its journal
// entry and its identifier, one transaction; its bytes are stored and are what everybody is given.
// An Update or a Cancel names every message before it. Of a point one warning is open at a time.
// What is hidden from people here is not told to others; what is a drill leaves as an exercise,
// what is tested as a test, a path test not at all.
//
// By itself the machine drafts, where the file says so, an Alert for alarms of the world from a
// level on; an Update when level, place or advice of what is in force has changed, and when it
// would expire while the condition holds; a Cancel when it is over. It drops its own draft when
// that has lost its reason, and never touches one that a person wrote.
//
// In memory is nothing but which points have an open warning and when the clock is next to look.
import type { DatabaseSync } from 'node:sqlite';
import { Fault } from '../../core/fault.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Alarm } from '../alarms/alarm.ts';
import type { Approval } from '../alarms/approvals.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import type { Actor, AlarmEvent, AlarmFollower } from '../alarms/occurrences.ts';
import { machine } from '../alarms/occurrences.ts';
import { capXml, isSaid } from './cap.ts';
import type { Wording } from './compose.ts';
import { contentOf, isOfTheWorld, statusOf, worded } from './compose.ts';
import {
  alertOf,
  askedOf,
  cancelOf,
  drafted,
  identifierOf,
  isActive,
  MESSAGES_MAX,
  messageOf,
  mustBeAlone,
  mustBeAsAsked,
  mustBeReleasable,
  mustBeTellable,
  mustHaveDraft,
  mustTake,
  packageOf,
  WARNING_APPROVAL,
  type WarningApproval,
  warningId,
} from './drafts.ts';
import type { Signer } from './ebm.ts';
import type { WarningSettings } from './settings.ts';
import type { Draft, Receipt, Told, Warning } from './tables.ts';
import { RENEW_BEFORE_MS, WarningTables } from './tables.ts';
import type { MessageType } from './warning.ts';
import { released, wholeSecond } from './warning.ts';

/** The second person is in the house; what is older than this is looked at anew. */
export const RELEASE_WITHIN_MS = 3_600_000;
/** Drafts of the machine at once: nobody reads more. Beyond it one journal entry says so. */
export const DRAFTS_MAX = 100;
/** Alarms of one point that a warning remembers, the newest. */
const OCCURRENCES_MAX = 16;

export interface WarningOptions {
  readonly alarms: Pick<
    AlarmConsumer,
    'approvals' | 'approve' | 'follow' | 'get' | 'tables' | 'together'
  >;
  /** Null: the cloud's file says nothing of warnings. */
  readonly settings: WarningSettings | null;
  /** The site's cryptographic device; null: packages of emergency broadcasting are unsigned. */
  readonly signer: Signer | null;
  /** In which local time messages are written. */
  readonly utcOffsetMs: number;
  /** The case an alarm belongs to. */
  readonly caseOf: (occurrence: string) => string | null;
}

/** What a release brought: it has left, or it waits for the second person. */
export interface Release {
  readonly warning: Warning;
  readonly waiting: Approval | null;
}

/** By these an alarm of which nobody here was told before comes before people. */
const rises: ReadonlySet<string> = new Set(['raised', 'unshelved', 'unsuppressed', 'returned']);

const renewedNote = bilingual('warning-renewed');
const isCancel = ({ type }: Draft) => type === 'Cancel';

export class Warnings implements AlarmFollower {
  readonly tables: WarningTables;
  readonly #options: WarningOptions;
  #open = new Map<string, number>();
  #nextMs: number | null | undefined = undefined;
  #isFull = false;
  #untold = new Set<number>();

  /** Follows the alarms from now on, and sends out what a second person releases. */
  constructor(database: DatabaseSync, options: WarningOptions) {
    this.#options = options;
    this.tables = new WarningTables(database);
    const { alarms } = options;
    alarms.approvals.handlers.set(WARNING_APPROVAL, (approval, approver, nowMs) =>
      this.#release(approval, approver, nowMs),
    );
    alarms.approvals.lastsMs.set(WARNING_APPROVAL, RELEASE_WITHIN_MS);
    this.load();
    alarms.follow(this);
  }

  get settings(): WarningSettings | null {
    return this.#options.settings;
  }

  /** Throws Fault `warning_unknown`. */
  find(id: string): Warning {
    const [, number] = /^wrn-(\d{1,15})$/.exec(id) ?? [];
    const found = number === undefined ? null : this.tables.get(Number(number));
    if (!found) throw new Fault('warning_unknown', 'never', bilingual('warning-none', { id }));
    return found;
  }

  /** The asking that waits for a second person. */
  waiting(warning: Warning, nowMs: number): Approval | null {
    const what = warningId(warning);
    return (
      this.#options.alarms.approvals
        .pending(nowMs)
        .find((each) => each.kind === WARNING_APPROVAL && each.what === what) ?? null
    );
  }

  /** Drafts an Alert of an alarm. Throws Fault `warning_off`, `alarm_unknown`, `warning_refused`. */
  draft(occurrence: string, wording: Wording, actor: Actor, nowMs: number): Warning {
    const settings = this.#mustBeOn();
    const alarm = this.#options.alarms.get(occurrence);
    if (!alarm) throw new Fault('alarm_unknown', 'never', occurrence);
    mustBeTellable(alarm);
    const open = this.#open.get(alarm.key);
    mustBeAlone(alarm.key, open);
    let made: Warning | null = null;
    this.#options.alarms.together(() => {
      made = this.#begin(alarm, wording, settings, actor, nowMs);
    });
    return made!;
  }

  /**
   * Drafts the next message otherwise: the Alert while nothing has left, then an Update or a
   * Cancel. Throws Fault `warning_off`, `warning_refused`, `warning_full`.
   */
  revise(
    id: string,
    type: MessageType,
    { wording, note }: { readonly wording: Wording; readonly note: Bilingual | null },
    actor: Actor,
    nowMs: number,
  ): Warning {
    const settings = this.#mustBeOn();
    const found = this.find(id);
    mustTake(found, type);
    const last = this.tables.messages(found.number).at(-1);
    const before = found.draft ?? last!;
    const alarm = this.#worst(found) ?? this.#options.alarms.get(before.occurrence);
    const occurrence = alarm?.occurrence ?? before.occurrence;
    const said = { note, by: actor.name, atMs: nowMs, occurrence };
    const whole = { ...before.wording, ...wording };
    const base = alarm ? contentOf(alarm, settings) : before.base;
    const content = alarm ? contentOf(alarm, settings, whole) : worded(before.base, whole);
    const { validForMs } = settings;
    const draft =
      type === 'Cancel'
        ? cancelOf(last!, wording, said)
        : { ...said, type, base, wording: whole, content, validForMs };
    this.#options.alarms.together(() => this.#setDraft(found, draft, actor, nowMs));
    return this.find(id);
  }

  /**
   * The first person asks, the second releases: the same call. Throws Fault `warning_refused`,
   * `warning_full`, `approvals_full`; the same person again changes nothing.
   */
  release(id: string, reason: string, actor: Actor, nowMs: number): Release {
    this.#mustBeOn();
    const found = this.find(id);
    const draft = mustHaveDraft(found);
    this.#mustBeReleasable(found, draft);
    const { alarms } = this.#options;
    const waiting = this.waiting(found, nowMs);
    if (waiting && waiting.by !== actor.name) {
      alarms.approve(waiting.id, true, actor, nowMs);
      return { warning: this.find(id), waiting: null };
    }
    const wish = askedOf(found, draft);
    alarms.together(() => {
      alarms.approvals.ask(WARNING_APPROVAL, id, wish, actor, reason, nowMs);
    });
    return { warning: found, waiting: this.waiting(found, nowMs) };
  }

  /** The draft is not to leave; what has left stays in force. Throws Fault `warning_refused`. */
  drop(id: string, reason: string, actor: Actor, nowMs: number): Warning {
    const found = this.find(id);
    mustHaveDraft(found);
    this.#options.alarms.together(() => this.#drop(found, reason, actor, nowMs));
    return this.find(id);
  }

  /** What a receiver reports of a message; false: it was known, or there are too many. */
  receipt(id: string, receipt: Receipt, actor: Actor): boolean {
    const found = this.find(id);
    if (receipt.position < 1 || receipt.position > found.told) {
      throw new Fault('warning_unknown', 'never', bilingual('warning-no-document', { id }));
    }
    let isNews = false;
    this.#options.alarms.together(() => {
      isNews = this.tables.addReceipt(found.number, receipt);
      if (isNews) this.#journal('warning-receipt', found, actor, null, receipt, receipt.atMs);
    });
    return isNews;
  }

  /** The draft as it would leave, for who decides: its status says that it is none. */
  preview(warning: Warning, nowMs: number): string | null {
    const { draft } = warning;
    if (!draft || !this.#options.settings) return null;
    const told = this.tables.messages(warning.number);
    const message = this.#message(warning, draft, told, 'draft', nowMs);
    return capXml({ ...message, status: 'Draft' }, this.#options.utcOffsetMs);
  }

  /** What has changed since the last call, for the live stream; after each transaction. */
  drain(): Warning[] {
    const changed = [...this.#untold].flatMap((number) => this.tables.get(number) ?? []);
    this.#untold.clear();
    return changed;
  }

  // Followed alarms -------------------------------------------------------------------------------

  take(events: readonly AlarmEvent[], nowMs: number): void {
    const { settings } = this.#options;
    if (!settings) return;
    const touched = new Set<number>();
    for (const { kind, alarm } of events) {
      if (alarm.purpose === 'path-test' || alarm.isHistorical) continue;
      const open = this.#open.get(alarm.key);
      if (open !== undefined) {
        this.#remember(open, alarm);
        touched.add(open);
      } else if (rises.has(kind) && this.#isDrafted(alarm, settings)) {
        this.#begin(alarm, {}, settings, machine, nowMs);
      }
    }
    for (const number of touched) this.#reconcile(this.tables.get(number)!, settings, nowMs);
  }

  isDue(nowMs: number): boolean {
    if (!this.#options.settings) return false;
    if (this.#nextMs === undefined) this.#nextMs = this.tables.nextEndMs(nowMs);
    return this.#nextMs !== null && this.#nextMs <= nowMs;
  }

  tick(nowMs: number): void {
    const { settings } = this.#options;
    if (!settings) return;
    for (const found of this.tables.expired(nowMs)) this.#expire(found, settings, nowMs);
    const untilMs = nowMs + RENEW_BEFORE_MS;
    for (const found of this.tables.ending(untilMs)) {
      const alarm = found.renewed < found.told ? this.#worst(found) : null;
      if (alarm && found.told < MESSAGES_MAX - 1) this.#renew(found, alarm, settings, nowMs);
    }
    // What nobody wants renewed is looked at again when it ends.
    this.#nextMs = this.tables.nextEndMs(untilMs);
  }

  load(): void {
    this.#open = this.tables.open();
    this.#nextMs = undefined;
    this.#untold.clear();
  }

  /** Whether the machine drafts an Alert of it. */
  #isDrafted(alarm: Alarm, { draftFrom }: WarningSettings): boolean {
    if (draftFrom === null || alarm.level > draftFrom) return false;
    if (!isOfTheWorld(alarm) || !isActive(alarm)) return false;
    if (this.tables.countDrafted() < DRAFTS_MAX) {
      this.#isFull = false;
      return true;
    }
    if (!this.#isFull) {
      this.#isFull = true;
      const { journal } = this.#options.alarms.tables;
      const after = { max: DRAFTS_MAX, first: alarm.occurrence };
      journal.note('warning-drafts-full', machine, 'warnings', null, after, alarm.raisedReceivedMs);
    }
    return false;
  }

  #remember(number: number, alarm: Alarm): void {
    const found = this.tables.get(number)!;
    const { occurrence } = alarm;
    if (found.occurrences.includes(occurrence) || statusOf(alarm) !== found.status) return;
    const occurrences = [...found.occurrences, occurrence].slice(-OCCURRENCES_MAX);
    // Nobody sees it: no revision of its own.
    this.tables.update({ ...found, occurrences });
  }

  /** Of its alarms that people see, the worst, of these the newest. */
  #worst({ occurrences, status }: Warning): Alarm | null {
    const active = occurrences
      .map((occurrence) => this.#options.alarms.get(occurrence))
      .filter((it) => it !== null && isActive(it) && statusOf(it) === status) as Alarm[];
    const [worst = null] = active.toSorted((a, b) => a.level - b.level || b.number - a.number);
    return worst;
  }

  /** Whether the condition of one of its alarms holds, also where people do not see it. */
  #holds({ occurrences }: Warning): boolean {
    return occurrences.some((occurrence) => {
      const alarm = this.#options.alarms.get(occurrence);
      return alarm !== null && alarm.clearedMs === null && alarm.supersededBy === null;
    });
  }

  // What the machine would draft now, in place of its own draft.
  #reconcile(found: Warning, settings: WarningSettings, nowMs: number): void {
    const { draft, state } = found;
    if (draft && draft.by !== machine.name) return;
    const worst = this.#worst(found);
    if (state === 'drafted') {
      if (!worst) this.#drop(found, this.#holds(found) ? 'hidden' : 'over', machine, nowMs);
      else if (!isSaid(draft!.base, contentOf(worst, settings))) {
        this.#setDraft(found, alertOf(worst, {}, settings, machine, nowMs), machine, nowMs);
      }
      return;
    }
    const last = this.tables.messages(found.number).at(-1)!;
    const base = worst && contentOf(worst, settings);
    if (base && isSaid(last.base, base)) {
      if (draft && draft.note?.en !== renewedNote.en) this.#drop(found, 'as-told', machine, nowMs);
      return;
    }
    if (draft && (base ? draft.type === 'Update' && isSaid(draft.base, base) : isCancel(draft)))
      return;
    if (!worst || !base) {
      // What is put aside is not over: people decide what to tell of it.
      if (this.#holds(found)) return;
      const note = bilingual('warning-back-to-normal');
      const { occurrence } = last;
      const cancel = cancelOf(last, {}, { note, by: machine.name, atMs: nowMs, occurrence });
      this.#setDraft(found, cancel, machine, nowMs);
      return;
    }
    if (found.told >= MESSAGES_MAX - 1) return;
    const { level: _, headline: __, description: ___, ...wording } = last.wording;
    const alert = alertOf(worst, wording, settings, machine, nowMs);
    const update = { ...alert, type: 'Update', note: bilingual('warning-changed') } as const;
    this.#setDraft(found, update, machine, nowMs);
  }

  #renew(found: Warning, alarm: Alarm, settings: WarningSettings, nowMs: number): void {
    const last = this.tables.messages(found.number).at(-1)!;
    const alert = alertOf(alarm, last.wording, settings, machine, nowMs);
    const update = { ...alert, type: 'Update', note: renewedNote } as const;
    this.#setDraft({ ...found, renewed: found.told }, update, machine, nowMs);
  }

  // It has ended by itself: by its own words nobody goes by it any more.
  #expire(found: Warning, settings: WarningSettings, nowMs: number): void {
    const what = warningId(found);
    this.#options.alarms.approvals.drop(WARNING_APPROVAL, what);
    const before = found.draft && drafted(found.draft);
    this.#journal('warning-expired', found, machine, before, {}, nowMs);
    this.#keep({ ...found, draft: null, state: 'expired' }, machine, nowMs);
    this.#open.delete(found.key);
    const worst = this.#worst(found);
    if (worst && this.#isDrafted(worst, settings)) this.#begin(worst, {}, settings, machine, nowMs);
  }

  // Drafts ----------------------------------------------------------------------------------------

  #begin(
    alarm: Alarm,
    wording: Wording,
    settings: WarningSettings,
    actor: Actor,
    nowMs: number,
  ): Warning {
    const { key, asset, area, level, occurrence } = alarm;
    const draft = alertOf(alarm, wording, settings, actor, nowMs);
    const made = this.tables.insert({
      ...{ revision: 1, state: 'drafted', status: statusOf(alarm), key, asset, area, level, draft },
      ...{ occurrences: [occurrence], told: 0, expiresMs: null, renewed: 0 },
      ...{ changedBy: actor.name, changedMs: nowMs },
    });
    this.#open.set(key, made.number);
    this.#untold.add(made.number);
    this.#journal('warning-drafted', made, actor, null, drafted(draft), nowMs);
    return made;
  }

  #setDraft(found: Warning, draft: Draft, actor: Actor, nowMs: number): void {
    this.#options.alarms.approvals.drop(WARNING_APPROVAL, warningId(found));
    const before = found.draft && drafted(found.draft);
    this.#journal('warning-drafted', found, actor, before, drafted(draft), nowMs);
    this.#keep({ ...found, draft }, actor, nowMs);
  }

  #drop(found: Warning, reason: string, actor: Actor, nowMs: number): void {
    this.#options.alarms.approvals.drop(WARNING_APPROVAL, warningId(found));
    const before = found.draft && drafted(found.draft);
    this.#journal('warning-dropped', found, actor, before, { reason }, nowMs);
    const state = found.state === 'drafted' ? 'dropped' : found.state;
    this.#keep({ ...found, draft: null, state }, actor, nowMs);
    if (state === 'dropped') this.#open.delete(found.key);
  }

  // Release ---------------------------------------------------------------------------------------

  // The second person has said yes, maybe an hour later: everything is looked at again.
  #release(approval: Approval, approver: Actor, nowMs: number): void {
    const settings = this.#mustBeOn();
    const { what: id, by: first } = approval;
    const found = this.find(id);
    const draft = mustHaveDraft(found);
    mustBeAsAsked(found, (approval.document as WarningApproval).revision);
    this.#mustBeReleasable(found, draft);
    const before = this.tables.messages(found.number);
    const atMs = Math.max(nowMs, before.at(-1)?.message.sentMs ?? 0);
    const { tables } = this;
    const isTaken = (name: string) => tables.isTaken(name);
    const identifier = identifierOf(found, settings, wholeSecond(atMs), isTaken);
    const message = this.#message(found, draft, before, identifier, atMs);
    const takeNumber = () => tables.takePackage();
    const made = packageOf(message, before, settings, this.#options.signer, takeNumber);
    const cap = capXml(message, this.#options.utcOffsetMs);
    const { base, wording, occurrence, by: drafter } = draft;
    const { ebdId = null, ebmId = null, signedBy = null } = made ?? {};
    const told: Told = {
      ...{ message, base, wording, occurrence, drafter, first, second: approver.name },
      ...{ ebdId, ebmId, signedBy },
    };
    const position = found.told + 1;
    this.tables.addMessage(found.number, position, told, { cap, ebm: made?.tar ?? null });
    const state = released(found.state, draft.type)!;
    const { level } = message.content;
    const kept = { ...found, draft: null, state, told: position, level };
    this.#keep({ ...kept, expiresMs: message.expiresMs }, approver, nowMs);
    const { type, status } = message;
    const after = { identifier, type, status, level, first, ebdId, signedBy };
    this.#journal('warning-released', found, approver, null, after, nowMs);
    if (state === 'cancelled') this.#open.delete(found.key);
    // What the alarms have done since the draft was written.
    else this.#reconcile(this.tables.get(found.number)!, settings, nowMs);
  }

  #message(found: Warning, draft: Draft, before: readonly Told[], name: string, atMs: number) {
    const incident = this.#options.caseOf(draft.occurrence);
    const { sender, scope, name: senderName, contact, web } = this.#mustBeOn();
    const own = { identifier: name, sender, scope, senderName, contact, web, incident };
    return messageOf(found, draft, before, own, atMs);
  }

  #mustBeOn(): WarningSettings {
    const { settings } = this.#options;
    if (settings) return settings;
    throw new Fault('warning_off', 'never', bilingual('warning-off'));
  }

  #mustBeReleasable(found: Warning, draft: Draft): void {
    mustBeReleasable(found, draft, this.#options.alarms.get(draft.occurrence));
  }

  // Kept ------------------------------------------------------------------------------------------

  #keep(warning: Warning, { name }: Actor, nowMs: number): void {
    const revision = warning.revision + 1;
    this.tables.update({ ...warning, revision, changedBy: name, changedMs: nowMs });
    this.#untold.add(warning.number);
    this.#nextMs = undefined;
  }

  #journal(
    kind: string,
    warning: Warning,
    actor: Actor,
    before: object | null,
    after: object,
    nowMs: number,
  ): void {
    const { journal } = this.#options.alarms.tables;
    journal.note(kind, actor, warningId(warning), before, after, nowMs);
  }
}
