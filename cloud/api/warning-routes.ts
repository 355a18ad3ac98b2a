// Warnings over the API: drafting, releasing by two people, what has left as the documents other
// systems take, and the feed of what is in force. Who releases, drops or changes a draft needs the
// right `control`; a subscriber of the feed has a token with `read`, within its scope.
import { createHash } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Alarm } from '../alarms/alarm.ts';
import type { Actor, AlarmEvent } from '../alarms/occurrences.ts';
import type { CaseTables } from '../cases/tables.ts';
import type { Principal } from '../registry/registry.ts';
import { CAP_TYPE } from '../warnings/cap.ts';
import type { Wording } from '../warnings/compose.ts';
import { warningId } from '../warnings/drafts.ts';
import { EBM_TYPE } from '../warnings/ebm.ts';
import { FEED_TYPE, feedXml } from '../warnings/feed.ts';
import { nationalFields } from '../warnings/national.ts';
import type { Draft, Receipt, Told, Warning } from '../warnings/tables.ts';
import type { Content } from '../warnings/warning.ts';
import { isInForce } from '../warnings/warning.ts';
import type { Warnings } from '../warnings/warnings.ts';
import { approvalObject } from './approval-object.ts';
import type { Call, Document, Route } from './route.ts';
import { checkRevision, route } from './route.ts';
import { iso } from './routes.ts';
import { listOf } from './schemas.ts';
import { withinScope } from './stream.ts';
import * as schemas from './warning-schemas.ts';

/** Of a case's alarms so many are looked through, the newest. */
const CASE_ALARMS_MAX = 200;

export interface WarningSources {
  readonly warnings: Warnings;
  /** The alarm, where the principal sees it; throws Fault `api_not_found`. */
  readonly seeAlarm: (id: string, principal: Principal) => Alarm;
  readonly cases: Pick<CaseTables, 'get' | 'alarms'>;
  /** What an act brought, for the live stream. */
  readonly onEvents: (events: readonly AlarmEvent[]) => void;
}

const optionalIso = (ms: number | null) => (ms === null ? null : iso(ms));

function contentObject({ area, onsetMs, ...content }: Content) {
  const { text, circle, polygon, geocodes } = area;
  return {
    ...{ level: content.level, categories: [...content.categories], event: content.event },
    ...{ responses: [...content.responses], certainty: content.certainty },
    ...{ headline: content.headline, description: content.description },
    ...{ instruction: content.instruction, parameters: [...content.parameters], place: text },
    circle: circle && { ...circle.center, radius_km: circle.radiusKm },
    ...{ polygon: polygon && [...polygon], geocodes: [...geocodes], onset: optionalIso(onsetMs) },
  };
}

function draftObject({ type, by, atMs, occurrence: alarm, note, content }: Draft) {
  return { type, by, at: iso(atMs), alarm, note, content: contentObject(content) };
}

/** A warning as lists, the stream and each act show it. */
export function warningObject(warnings: Warnings, it: Warning, nowMs: number) {
  const { number, revision, state, status, key, area, asset, level, occurrences, draft } = it;
  const waiting = warnings.waiting(it, nowMs);
  const last = draft ?? warnings.tables.messages(number).at(-1)?.message;
  return {
    ...{ id: warningId(it), number, revision, state, in_force: isInForce(state), status, key },
    ...{ area, asset, level, alarms: [...occurrences], messages: it.told },
    headline: last?.content.headline ?? { en: '', zh: '' },
    draft: draft && draftObject(draft),
    waiting: waiting && approvalObject(waiting),
    expires: optionalIso(it.expiresMs),
    changed: { by: it.changedBy, at: iso(it.changedMs) },
  };
}

function toldObject(
  told: Told,
  message: number,
  receipts: readonly Receipt[],
  codes: NonNullable<Warnings['settings']>['national'],
) {
  const { identifier, sender, sentMs, expiresMs, type, status, references } = told.message;
  const { ebdId, ebmId, signedBy, first, second } = told;
  const pair: [string, string] = [first, second];
  return {
    ...{ message, type, status, identifier, sender, sent: iso(sentMs), expires: iso(expiresMs) },
    references: references.map((each) => each.identifier),
    ...{ drafted_by: told.drafter, released_by: pair },
    content: contentObject(told.message.content),
    broadcast: ebdId && ebmId ? { ebd: ebdId, ebm: ebmId, signed_by: signedBy } : null,
    national: codes && nationalFields(told.message, codes),
    receipts: receipts
      .filter(({ position }) => position === message)
      .map(({ receiver, state, note, by, atMs }) => ({ receiver, state, note, by, at: iso(atMs) })),
  };
}

export function warningRoutes(clock: Clock, sources: WarningSources): Route[] {
  const desk = new WarningDesk(clock, sources);
  return [...listRoutes(clock, sources, desk), ...actRoutes(clock, sources, desk), ...desk.files()];
}

function listRoutes(clock: Clock, { warnings }: WarningSources, desk: WarningDesk): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/warnings',
      right: 'read',
      summary: 'Warnings, drafts among them, the newest first',
      query: schemas.warningQuery,
      answer: listOf(schemas.warning),
      handle: ({ query: { state, limit, after }, principal }) => {
        const found = warnings.tables.list(state, cursorOf(after), limit);
        const next = found.length === limit ? String(found.at(-1)!.number) : null;
        const seen = found.filter(({ asset }) => withinScope(principal.scope, asset));
        return { next, items: seen.map((it) => desk.shown(it)) };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/warnings/:id',
      right: 'read',
      summary: 'One warning, each message that has left, and what its receivers report',
      params: schemas.params,
      answer: schemas.whole,
      handle: ({ params: { id }, principal }) => {
        const found = desk.find(id, principal);
        const { tables, settings } = warnings;
        const receipts = tables.receipts(found.number);
        const told = tables
          .messages(found.number)
          .map((each, at) => toldObject(each, at + 1, receipts, settings?.national ?? null));
        return { ...warningObject(warnings, found, clock.wallMs()), told };
      },
    }),
  ];
}

function actRoutes(clock: Clock, { warnings }: WarningSources, desk: WarningDesk): Route[] {
  const acted = { method: 'POST', right: 'control', answer: schemas.warning } as const;
  const onOne = { ...acted, params: schemas.params, problems: [409, 412] as const };
  return [
    route({
      ...acted,
      url: '/v1/warnings',
      summary: 'Draft a warning of an alarm or of the worst alarm of a case',
      problems: [404, 409],
      body: schemas.wish,
      answer: schemas.warning,
      handle: (call) => {
        const { alarm, case: id, ...wording } = call.body;
        const { occurrence } = desk.alarm(alarm, id, call.principal);
        return desk.done(warnings.draft(occurrence, given(wording), by(call), clock.wallMs()));
      },
    }),
    route({
      ...onOne,
      url: '/v1/warnings/:id/draft',
      summary: 'Draft its next message in other words: of the Alert, an Update or a Cancel',
      body: schemas.revision,
      handle: (call) => {
        const { type, note = null, ...wording } = call.body;
        const found = desk.mine(call);
        const next = type ?? (found.told === 0 ? 'Alert' : 'Update');
        const said = { wording: given(wording), note };
        return desk.done(warnings.revise(call.params.id, next, said, by(call), clock.wallMs()));
      },
    }),
    route({
      ...onOne,
      url: '/v1/warnings/:id/release',
      summary: 'The first person asks, the second releases: then it has left',
      body: schemas.release,
      handle: (call) => {
        desk.mine(call);
        const { reason } = call.body;
        return desk.done(
          warnings.release(call.params.id, reason, by(call), clock.wallMs()).warning,
        );
      },
    }),
    route({
      ...onOne,
      url: '/v1/warnings/:id/drop',
      summary: 'The draft is not to leave; what has left stays as it is',
      body: schemas.drop,
      handle: (call) => {
        desk.mine(call);
        const { reason } = call.body;
        return desk.done(warnings.drop(call.params.id, reason, by(call), clock.wallMs()));
      },
    }),
    receiptRoute(clock, warnings, desk),
  ];
}

function receiptRoute(clock: Clock, warnings: Warnings, desk: WarningDesk): Route {
  return route({
    method: 'POST',
    url: '/v1/warnings/:id/receipts',
    right: 'operate',
    summary: 'What a receiver reports of a message, for the record',
    params: schemas.params,
    body: schemas.receipt,
    answer: schemas.noted,
    handle: (call) => {
      desk.mine(call);
      const { message: position, receiver, state, note } = call.body;
      const actor = by(call);
      const told = { position, receiver, state, note, by: actor.name, atMs: clock.wallMs() };
      return { noted: warnings.receipt(call.params.id, told, actor) };
    },
  });
}

type AnyCall = Pick<Call<{ readonly id: string }, unknown, unknown>, 'principal' | 'from'>;
const by = ({ principal, from }: AnyCall): Actor => ({ name: principal.name, from });

/** What is left out of a call is not said otherwise. */
function given(wording: { readonly [Key in keyof Wording]: Wording[Key] | undefined }): Wording {
  const entries = Object.entries(wording).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

function cursorOf(after: string | undefined): number | null {
  if (after === undefined) return null;
  const number = Number(after);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Fault('api_bad_request', 'never', bilingual('api-no-cursor', { after }));
}

/** Finds what the principal sees, and the documents of it. */
class WarningDesk {
  readonly #clock: Clock;
  readonly #sources: WarningSources;

  constructor(clock: Clock, sources: WarningSources) {
    this.#clock = clock;
    this.#sources = sources;
  }

  /** Throws Fault `warning_unknown` also for what is beyond the scope of the principal. */
  find(id: string, { scope }: Principal): Warning {
    const found = this.#sources.warnings.find(id);
    if (withinScope(scope, found.asset)) return found;
    throw new Fault('warning_unknown', 'never', bilingual('warning-none', { id }));
  }

  /** Of a call that changes it: as it was read. */
  mine({ params: { id }, principal, ifMatch }: Call<{ readonly id: string }, unknown, unknown>) {
    const found = this.find(id, principal);
    const { revision, changedBy, changedMs } = found;
    checkRevision(ifMatch, { revision, by: changedBy, atMs: changedMs });
    return found;
  }

  shown(it: Warning) {
    return warningObject(this.#sources.warnings, it, this.#clock.wallMs());
  }

  done(it: Warning) {
    this.#sources.onEvents([]);
    return this.shown(it);
  }

  alarm(occurrence: string | undefined, id: string | undefined, principal: Principal): Alarm {
    const { seeAlarm, cases } = this.#sources;
    if (occurrence !== undefined && id === undefined) return seeAlarm(occurrence, principal);
    if (id === undefined || occurrence !== undefined) {
      throw new Fault('api_bad_request', 'never', bilingual('warning-of-what'));
    }
    const found = cases.get(id);
    const isSeen = found && withinScope(principal.scope, found.asset);
    const members = isSeen ? cases.alarms(found.number, CASE_ALARMS_MAX) : [];
    const [worst] = members
      .map((member) => seeAlarm(member.occurrence, principal))
      .toSorted(
        (a, b) => Number(a.clearedMs !== null) - Number(b.clearedMs !== null) || a.level - b.level,
      );
    if (worst) return worst;
    throw new Fault('api_not_found', 'never', bilingual('case-none', { id }));
  }

  files(): Route[] {
    const file = { method: 'GET', right: 'read', answer: schemas.document } as const;
    const ofOne = { ...file, params: schemas.params, query: schemas.documentQuery };
    return [
      route({
        ...file,
        url: '/v1/warnings/feed',
        summary: 'Atom feed of the messages in force, each with its CAP document; has an ETag',
        documents: [FEED_TYPE],
        isConditional: true,
        handle: ({ principal }) => this.#feed(principal),
      }),
      route({
        ...ofOne,
        url: '/v1/warnings/:id.cap',
        summary: 'A message as CAP 1.2; of a draft with the status Draft',
        documents: [CAP_TYPE],
        handle: ({ params: { id }, query: { message }, principal }) => {
          const found = this.find(id, principal);
          const position = message ?? (found.told > 0 ? found.told : 'draft');
          const { warnings } = this.#sources;
          const body =
            position === 'draft'
              ? warnings.preview(found, this.#clock.wallMs())
              : warnings.tables.documents(found.number, position)?.cap;
          if (!body) throw noDocument(id);
          return { type: CAP_TYPE, name: `${id}-${position}.cap.xml`, body };
        },
      }),
      route({
        ...ofOne,
        url: '/v1/warnings/:id.ebm',
        summary: 'A message as a package of emergency broadcasting, where the site makes them',
        documents: [EBM_TYPE],
        handle: ({ params: { id }, query: { message }, principal }) => {
          const found = this.find(id, principal);
          const position = message ?? found.told;
          const { tables } = this.#sources.warnings;
          const told = position === 'draft' ? null : tables.documents(found.number, position);
          if (!told?.ebm) throw noDocument(id);
          const ebdId = tables.messages(found.number)[Number(position) - 1]!.ebdId;
          return { type: EBM_TYPE, name: `EBDT_${ebdId}.tar`, body: told.ebm };
        },
      }),
    ];
  }

  #feed({ scope }: Principal): Document {
    const { warnings } = this.#sources;
    const nowMs = this.#clock.wallMs();
    const shown = warnings.tables
      .inForce(nowMs)
      .filter(({ warning }) => withinScope(scope, warning.asset));
    const { zh = '', en = '' } = warnings.settings?.name ?? {};
    const updatedMs = warnings.tables.changedMs(nowMs);
    const body = feedXml({
      ...{ title: `${zh} ${en}`, author: zh, href: '/v1/warnings/feed', updatedMs },
      entries: shown.map(({ warning, position, told, cap }) => ({
        ...{ message: told.message, xml: cap },
        href: `/v1/warnings/${warningId(warning)}.cap?message=${position}`,
      })),
    });
    const tag = createHash('sha256').update(body).digest('base64url').slice(0, 22);
    return { type: FEED_TYPE, name: 'warnings.atom', body, version: { tag, changedMs: updatedMs } };
  }
}

function noDocument(id: string): Fault {
  return new Fault('warning_unknown', 'never', bilingual('warning-no-document', { id }));
}
