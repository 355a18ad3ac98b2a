// What the API offers of cases: the list, one with all that belongs to it, each step a route,
// files, and the export. Who comes second learns who was first (412), with If-Match or without.
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Alarm } from '../alarms/alarm.ts';
import type { AlarmEvent } from '../alarms/occurrences.ts';
import type { Attachments } from '../cases/attachments.ts';
import { fileLabel, fileTypes } from '../cases/attachments.ts';
import type { CaseView } from '../cases/book.ts';
import type { CaseAct, Cases } from '../cases/cases.ts';
import { CASE_ENTRIES_MAX } from '../cases/cases.ts';
import type { CaseFolder, StageRow } from '../cases/export.ts';
import { caseCsv, casePage, stageRows } from '../cases/export.ts';
import type { CaseAlarm, CaseEntry, CaseFile, CaseStep } from '../cases/tables.ts';
import type { Pipeline } from '../notify/pipeline.ts';
import type { Principal } from '../registry/registry.ts';
import { approvalObject } from './approval-object.ts';
import * as schemas from './case-schemas.ts';
import type { Call, Route } from './route.ts';
import { checkAct, checkRevision, route } from './route.ts';
import { iso } from './routes.ts';
import { listOf } from './schemas.ts';
import { withinScope } from './stream.ts';

/** Of a case's alarms so many are shown, the newest. */
const MEMBERS_MAX = 200;

export interface CaseSources {
  readonly cases: Cases;
  readonly attachments: Attachments;
  readonly alarmOf: (occurrence: string) => Alarm | null;
  /** Local time less UTC: of the page that is printed. */
  readonly utcOffsetMs: number;
  readonly notify: Pick<Pipeline, 'handled'>;
  /** What an act brought, for the live stream. */
  readonly onEvents: (events: readonly AlarmEvent[]) => void;
}

const optionalIso = (ms: number | null) => (ms === null ? null : iso(ms));

/** A case as the list, the stream and each act show it. */
export function caseObject({ case: it, alarms, active, isOverdue, approval }: CaseView) {
  const { id, number, revision, state, level, title, name, area, gateway, asset } = it;
  const { owner, department, escalation, reason } = it;
  const step = it.endedMs === null ? it.steps.at(-1) : undefined;
  return {
    ...{ id, number, revision, state, level, title, name, area, gateway, asset },
    changed: { by: it.changedBy, at: iso(it.changedMs) },
    ...{ owner, department, escalation, reason, alarms, active },
    opened: iso(it.openedMs),
    due: step ? iso(step.dueMs) : null,
    overdue: isOverdue,
    ended: optionalIso(it.endedMs),
    merged_into: it.mergedInto,
    waiting: approval && approvalObject(approval),
  };
}

function stepObject(step: CaseStep) {
  const { state, by, from, owner, department, escalation } = step;
  const times = { entered: iso(step.enteredMs), due: iso(step.dueMs) };
  const end = { left: optionalIso(step.leftMs), left_by: step.leftBy };
  return { state, by, from, owner, department, escalation, ...times, ...end };
}

function memberObject({ occurrence, joinedMs, raisedMs, endedMs }: CaseAlarm, alarm: Alarm | null) {
  const times = { joined: iso(joinedMs), raised: iso(raisedMs), ended: optionalIso(endedMs) };
  const { state = null, level = null, title = null, value = null } = alarm ?? {};
  const { limit = null, unit = '', acknowledgedBy = null } = alarm ?? {};
  const what = { state, level, title, value, limit, unit, acknowledged_by: acknowledgedBy };
  return { alarm: occurrence, ...times, ...what };
}

const entryObject = ({ atMs, ...entry }: CaseEntry) => ({ ...entry, at: iso(atMs) });

const fileObject = ({ id, name, type, bytes, sha256, by, from, atMs }: CaseFile) => ({
  ...{ id, name, type, bytes, sha256, by, from, at: iso(atMs) },
});

/** Everything of one case, as the API shows it and its export keeps it. */
export function wholeObject(
  view: CaseView,
  { cases: { tables }, alarmOf }: Pick<CaseSources, 'cases' | 'alarmOf'>,
) {
  const { number, steps } = view.case;
  return {
    ...caseObject(view),
    steps: steps.map(stepObject),
    members: tables
      .alarms(number, MEMBERS_MAX)
      .map((member) => memberObject(member, alarmOf(member.occurrence))),
    log: tables.entries(number, 0, CASE_ENTRIES_MAX).map(entryObject),
    files: tables.files(number).map(fileObject),
  };
}

export function caseRoutes(clock: Clock, sources: CaseSources): Route[] {
  const { cases } = sources;
  const doer = new CaseDoer(clock, sources);
  return [
    route({
      method: 'GET',
      url: '/v1/cases',
      right: 'read',
      summary: 'Cases, the newest first; open ones unless asked otherwise',
      query: schemas.caseQuery,
      answer: listOf(schemas.caseObject),
      handle: ({ query, principal }) => {
        const { state, owner, level, overdue, limit, after } = query;
        const nowMs = clock.wallMs();
        const filter = {
          ...{ state, limit },
          ...(owner !== undefined && { owner }),
          ...(level !== undefined && { level }),
          ...(overdue === 'true' && { overdueAtMs: nowMs }),
          ...(after !== undefined && { before: Number(after) }),
        };
        const found = cases.list(filter, nowMs);
        const seen = found.filter((view) => withinScope(principal.scope, view.case.asset));
        const last = found.at(-1);
        const next = last && found.length === limit ? String(last.case.number) : null;
        return { next, items: seen.map(caseObject) };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/cases/:id',
      right: 'read',
      summary: 'One case whole: its steps, alarms, log and files',
      params: schemas.params,
      answer: schemas.wholeCase,
      handle: ({ params, principal }) => wholeObject(doer.find(params.id, principal), sources),
    }),
    ...stepRoutes(doer),
    ...deskRoutes(doer),
    ...fileRoutes(clock, sources, doer),
    exportRoute(clock, sources, doer),
  ];
}

const posted = {
  method: 'POST',
  right: 'operate',
  problems: [409, 412],
  params: schemas.params,
  answer: schemas.caseObject,
} as const;

// The way of a case, step by step.
function stepRoutes(doer: CaseDoer): Route[] {
  const step = (verb: 'acknowledge' | 'verify' | 'arrive' | 'contain', summary: string): Route =>
    route({
      ...posted,
      url: `/v1/cases/:id/${verb}`,
      summary,
      body: schemas.noted,
      handle: (call) => doer.act(call, { kind: verb, note: call.body.note }),
    });
  return [
    step('acknowledge', 'Take a new case, and its alarms with it'),
    step('verify', 'Begin to verify that it is real'),
    route({
      ...posted,
      url: '/v1/cases/:id/dispatch',
      summary: 'Send a crew, or one more',
      body: schemas.dispatch,
      handle: (call) => doer.act(call, { kind: 'dispatch', ...call.body }),
    }),
    step('arrive', 'The crew is on site'),
    step('contain', 'It is contained'),
    route({
      ...posted,
      url: '/v1/cases/:id/close',
      summary: 'Close it; while an alarm is active this waits for a second person',
      body: schemas.close,
      handle: (call) => doer.act(call, { kind: 'close', reason: call.body.reason }),
    }),
    route({
      ...posted,
      url: '/v1/cases/:id/false-alarm',
      summary: 'End it as false alarm, test or drill; while active, with a second person',
      body: schemas.falseAlarm,
      handle: (call) => doer.act(call, { kind: call.body.as, reason: call.body.reason }),
    }),
  ];
}

function deskRoutes(doer: CaseDoer): Route[] {
  return [
    route({
      ...posted,
      url: '/v1/cases/:id/assign',
      summary: 'Hand it over to somebody, or to a department',
      body: schemas.assign,
      handle: (call) => {
        const { owner = null, department = null, note } = call.body;
        return doer.act(call, { kind: 'assign', owner, department, note });
      },
    }),
    route({
      ...posted,
      url: '/v1/cases/:id/note',
      summary: 'Add a note; no revision is needed, none is lost',
      body: schemas.note,
      handle: (call) => doer.act({ ...call, ifMatch: null }, { kind: 'note', ...call.body }),
    }),
    route({
      ...posted,
      url: '/v1/cases/:id/merge',
      summary: 'It is part of another open case, which takes its alarms',
      body: schemas.merge,
      handle: (call) => {
        doer.find(call.body.into, call.principal);
        return doer.act(call, { kind: 'merge', ...call.body });
      },
    }),
  ];
}

function fileRoutes(
  clock: Clock,
  { cases, attachments, onEvents }: CaseSources,
  doer: CaseDoer,
): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/cases/:id/attachments',
      right: 'operate',
      summary: 'Attach a photo or file: the body is its bytes, image, PDF, text or CSV, up to 8 MB',
      problems: [409, 503],
      params: schemas.params,
      query: schemas.upload,
      answer: schemas.attached,
      uploads: fileTypes,
      handle: async ({ params: { id }, query, principal, from, upload }) => {
        doer.find(id, principal);
        cases.checkRoom(id);
        const { type, bytes } = upload!;
        const received = await attachments.receive(bytes, type, query.sha256 ?? null);
        const file = { ...received, type, name: fileLabel(query.name) };
        const actor = { name: principal.name, from };
        const added = cases.attach(id, file, actor, clock.wallMs());
        onEvents([]);
        return fileObject(added);
      },
    }),
    route({
      method: 'GET',
      url: '/v1/cases/:id/attachments/:file',
      right: 'read',
      summary: 'The bytes of a file, checked against its hash',
      params: schemas.fileParams,
      answer: schemas.document,
      documents: fileTypes,
      handle: async ({ params: { id, file }, principal }) => {
        const { number } = doer.find(id, principal).case;
        const found = cases.tables.file(number, file);
        if (!found) {
          throw new Fault('api_not_found', 'never', bilingual('case-no-file', { id, file }));
        }
        const { name, type, sha256 } = found;
        return { name, type, body: await attachments.read(sha256) };
      },
    }),
  ];
}

function exportRoute(
  clock: Clock,
  { cases, alarmOf, utcOffsetMs }: CaseSources,
  doer: CaseDoer,
): Route {
  return route({
    method: 'GET',
    url: '/v1/cases/:id/export',
    right: 'read',
    summary: 'One case as JSON, as a table or as a page to print, by the steps of GB/T 30428',
    params: schemas.params,
    query: schemas.exportQuery,
    answer: schemas.document,
    documents: ['application/json', 'text/csv', 'text/html'],
    handle: ({ params: { id }, query: { format }, principal }) => {
      const view = doer.find(id, principal);
      const { tables } = cases;
      const nowMs = clock.wallMs();
      const { number } = view.case;
      const folder: CaseFolder = {
        case: view.case,
        alarms: tables
          .alarms(number, MEMBERS_MAX)
          .map((member) => ({ ...member, alarm: alarmOf(member.occurrence) })),
        log: tables.entries(number, 0, CASE_ENTRIES_MAX),
        files: tables.files(number),
        utcOffsetMs,
      };
      switch (format) {
        case 'csv':
          return { type: 'text/csv', name: `case-${id}.csv`, body: caseCsv(folder, nowMs) };
        case 'html':
          return { type: 'text/html', name: `case-${id}.html`, body: casePage(folder, nowMs) };
        case 'json': {
          const stages = stageRows(view.case, folder.log, nowMs).map(stageObject);
          const whole = { version: 1, ...wholeObject(view, { cases, alarmOf }), stages };
          const body = JSON.stringify(whole, null, 2);
          return { type: 'application/json', name: `case-${id}.json`, body };
        }
      }
    },
  });
}

function stageObject({ stage, fromMs, toMs, tookMs, limitMs, isOverdue, ...who }: StageRow) {
  const times = { from: optionalIso(fromMs), to: optionalIso(toMs) };
  return { stage, ...times, took_ms: tookMs, limit_ms: limitMs, overdue: isOverdue, ...who };
}

/** Checks who asks, and does it. */
class CaseDoer {
  readonly #clock: Clock;
  readonly #sources: CaseSources;

  constructor(clock: Clock, sources: CaseSources) {
    this.#clock = clock;
    this.#sources = sources;
  }

  /** Throws Fault `api_not_found` where there is none, or none in the scope of the principal. */
  find(id: string, { scope }: Principal): CaseView {
    const { cases } = this.#sources;
    const found = cases.get(id);
    if (found && withinScope(scope, found.asset)) return cases.view(id, this.#clock.wallMs());
    throw new Fault('api_not_found', 'never', bilingual('case-none', { id }));
  }

  act(call: Call<{ readonly id: string }, unknown, unknown>, act: CaseAct) {
    const { cases, notify, onEvents } = this.#sources;
    const { params, principal, from, ifMatch } = call;
    const {
      revision,
      changedBy: by,
      changedMs: atMs,
      number,
    } = this.find(params.id, principal).case;
    // It acknowledges the alarms too.
    if (act.kind === 'acknowledge') checkAct(principal, 'acknowledge');
    checkRevision(ifMatch, { revision, by, atMs });
    const actor = { name: principal.name, from };
    const members = cases.tables.alarms(number, MEMBERS_MAX);
    onEvents(cases.act(params.id, act, actor, this.#clock.wallMs()));
    // Somebody has it: what is still to be told of it, or of a step before, is told no more.
    if (act.kind !== 'note' && act.kind !== 'assign') {
      for (const { occurrence } of members) notify.handled(occurrence, principal.name);
    }
    return caseObject(cases.view(params.id, this.#clock.wallMs()));
  }
}
