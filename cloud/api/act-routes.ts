// What people do with alarms over the API: each act a route, with the right of its own that a token
// must have. What needs two people answers that it waits, and for whom.
import { letterOf } from '../../core/alarm/state.ts';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Act } from '../alarms/acts.ts';
import { SILENCE_MS } from '../alarms/acts.ts';
import type { Alarm } from '../alarms/alarm.ts';
import type { Approval } from '../alarms/approvals.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import { RULE_APPROVAL } from '../alarms/rules.ts';
import type { Watch } from '../alarms/watched.ts';
import { COMMAND_APPROVAL, type CommandApproval } from '../commands/commands.ts';
import { mustHave } from '../commands/refusals.ts';
import type { Act as ActRight, Principal } from '../registry/registry.ts';
import { rights } from '../registry/registry.ts';
import { WARNING_APPROVAL } from '../warnings/drafts.ts';
import type { AlarmSources } from './alarm-routes.ts';
import { alarmObject, removalObject, shelfObject } from './alarm-routes.ts';
import { approvalObject, assetOf } from './approval-object.ts';
import type { Call, Route } from './route.ts';
import { checkAct, checkRevision, route } from './route.ts';
import { iso } from './routes.ts';
import * as schemas from './schemas.ts';
import { withinScope } from './stream.ts';

export interface ActSources extends Pick<AlarmSources, 'notify' | 'onEvents'> {
  readonly alarms: Pick<
    AlarmConsumer,
    'get' | 'act' | 'approve' | 'test' | 'acts' | 'approvals' | 'journal'
  >;
}

const MINUTE_MS = 60_000;

export function actRoutes(clock: Clock, sources: ActSources): Route[] {
  const doer = new Doer(clock, sources);
  const { alarm } = schemas.params;
  const acted = { method: 'POST', right: 'operate', answer: schemas.acted } as const;
  const told = { ...acted, params: alarm, problems: [409, 412] as const };
  const put = { ...acted, problems: [404, 409, 412] as const };
  return [
    route({
      ...told,
      url: '/v1/alarms/:id/reset',
      summary: 'End a latched alarm whose condition is over',
      body: schemas.acknowledgement,
      handle: (call) => {
        const act = { kind: 'reset', note: call.body.note } as const;
        return doer.act(call, call.params.id, act, 'acknowledge');
      },
    }),
    route({
      method: 'POST',
      url: '/v1/alarms/:id/silence',
      right: 'operate',
      summary: 'Stop the sound at your own desk for two minutes; it is in the journal',
      params: alarm,
      answer: schemas.silenced,
      handle: (call) => {
        doer.act(call, call.params.id, { kind: 'silence' }, 'silence');
        return { until: iso(clock.wallMs() + SILENCE_MS) };
      },
    }),
    route({
      ...put,
      url: '/v1/conditions/shelve',
      summary:
        'Put an alarm or a rule aside for a time; level I never, level II with a second person',
      body: schemas.shelving.extend(schemas.onTarget),
      handle: (call) => {
        const { target, minutes, one_shot: isOneShot, reason } = call.body;
        const forMs = minutes * MINUTE_MS;
        return doer.act(call, target, { kind: 'shelve', forMs, isOneShot, reason }, 'shelve');
      },
    }),
    route({
      ...put,
      url: '/v1/conditions/unshelve',
      summary: 'Take it off the shelf: what still holds is an alarm anew',
      body: schemas.conditionTarget,
      handle: (call) => doer.act(call, call.body.target, { kind: 'unshelve' }, 'shelve'),
    }),
    route({
      ...put,
      url: '/v1/conditions/remove',
      summary: 'Take an alarm or a rule out of service, with a work order and an end',
      body: schemas.removing.extend(schemas.onTarget),
      handle: (call) => {
        const { target, minutes, work_order: workOrder, reason } = call.body;
        const forMs = minutes * MINUTE_MS;
        return doer.act(call, target, { kind: 'remove', forMs, workOrder, reason }, 'remove');
      },
    }),
    route({
      ...put,
      url: '/v1/conditions/return',
      summary: 'Return it to service: what still holds is an alarm anew',
      body: schemas.conditionTarget,
      handle: (call) => doer.act(call, call.body.target, { kind: 'return' }, 'remove'),
    }),
    ...listRoutes(doer, sources),
    ...testRoutes(clock, doer, sources),
    ...approvalRoutes(clock, doer, sources),
  ];
}

function listRoutes(doer: Doer, { alarms }: ActSources): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/conditions',
      right: 'read',
      summary:
        'All that is shelved, suppressed by design or out of service, with or without an alarm',
      answer: schemas.listOf(schemas.hiddenCondition),
      handle: ({ principal }) => ({
        next: null,
        items: alarms.acts
          .hidden()
          .filter(({ watch }) => doer.sees(principal, watch))
          .map(({ target, watch }) => hiddenObject(target, watch)),
      }),
    }),
  ];
}

function hiddenObject(target: string, { condition, suppressedBy }: Watch) {
  const { shelf, removal, occurrence, active } = condition;
  return {
    target,
    letter: letterOf(condition),
    shelf: shelfObject(shelf),
    removal: removalObject(removal),
    suppressed_by: suppressedBy,
    alarm: active ? occurrence : null,
  };
}

function testRoutes(clock: Clock, doer: Doer, { alarms, onEvents }: ActSources): Route[] {
  const running = () =>
    alarms.acts.tests().map(({ device, test: { by, reason, untilMs } }) => ({
      ...{ device, by, reason, until: iso(untilMs) },
    }));
  return [
    route({
      method: 'GET',
      url: '/v1/device-tests',
      right: 'read',
      summary: 'Devices that somebody tests now',
      answer: schemas.listOf(schemas.runningTest),
      handle: ({ principal }) => ({
        next: null,
        items: running().filter(({ device }) => doer.seesDevice(principal, device)),
      }),
    }),
    route({
      method: 'POST',
      url: '/v1/device-tests',
      right: 'operate',
      summary: 'Test a device: for at most an hour its alarms are marked and told to you alone',
      problems: [404],
      body: schemas.deviceTest,
      answer: schemas.runningTest,
      handle: ({ body: { device, minutes, reason }, principal, from }) => {
        checkAct(principal, 'remove');
        doer.mustSeeDevice(principal, device);
        const actor = { name: principal.name, from };
        const test = { forMs: minutes * MINUTE_MS, reason };
        onEvents(alarms.test(device, test, actor, clock.wallMs()));
        return running().find((each) => each.device === device)!;
      },
    }),
    route({
      method: 'POST',
      url: '/v1/device-tests/end',
      right: 'operate',
      summary: 'End a test: what still holds is an alarm for everybody',
      problems: [404, 409],
      body: schemas.endOfTest,
      answer: schemas.endOfTest,
      handle: ({ body, principal, from }) => {
        doer.mustSeeDevice(principal, body.device);
        const test = alarms.acts.tests().find(({ device }) => device === body.device);
        if (test && test.test.by !== principal.name) checkAct(principal, 'remove');
        const actor = { name: principal.name, from };
        onEvents(alarms.test(body.device, null, actor, clock.wallMs()));
        return body;
      },
    }),
  ];
}

function approvalRoutes(clock: Clock, doer: Doer, { alarms, onEvents }: ActSources): Route[] {
  const decide = (verb: 'approve' | 'withdraw', summary: string): Route =>
    route({
      method: 'POST',
      url: `/v1/approvals/:id/${verb}`,
      right: 'operate',
      summary,
      problems: [409],
      params: schemas.params.approval,
      answer: schemas.approval,
      handle: ({ params: { id }, principal, from }) => {
        const approval = alarms.approvals.pending(clock.wallMs()).find((each) => each.id === id);
        const isSeen = approval && withinScope(principal.scope, assetOf(approval, alarms));
        if (!isSeen) throw new Fault('approval_unknown', 'never', String(id));
        // Who asked may take it back.
        if (verb === 'approve' || approval.by !== principal.name)
          doer.mayDecide(principal, approval);
        const actor = { name: principal.name, from };
        onEvents(alarms.approve(id, verb === 'approve', actor, clock.wallMs()));
        return approvalObject(approval, alarms);
      },
    });
  return [
    route({
      method: 'GET',
      url: '/v1/approvals',
      right: 'read',
      summary: 'What waits for a second person, the oldest first',
      answer: schemas.listOf(schemas.approval),
      handle: ({ principal: { scope } }) => ({
        next: null,
        items: alarms.approvals
          .pending(clock.wallMs())
          .filter((approval) => withinScope(scope, assetOf(approval, alarms)))
          .map((approval) => approvalObject(approval, alarms)),
      }),
    }),
    decide('approve', 'The second person says yes: it is done now'),
    decide('withdraw', 'It is not to be done: says who asked, or who could approve it'),
  ];
}

/** Who decides about a life-safety rule, or what others are told, must answer for it. */
function mayControl({ right }: Principal, why: Bilingual): void {
  if (rights.indexOf(right) >= rights.indexOf('control')) return;
  throw new Fault('api_forbidden', 'never', why);
}

/** Checks who asks, and does it. */
class Doer {
  readonly #clock: Clock;
  readonly #sources: ActSources;

  constructor(clock: Clock, sources: ActSources) {
    this.#clock = clock;
    this.#sources = sources;
  }

  act(call: Call<unknown, unknown, unknown>, target: string, act: Act, right: ActRight) {
    const { alarms, notify, onEvents } = this.#sources;
    const { principal, from, ifMatch } = call;
    checkAct(principal, right);
    const watch = alarms.acts.watchOf(target);
    const newest = () => alarms.get(watch?.condition.occurrence ?? target);
    const before = newest();
    const asset = watch ? watch.watched.row.asset : (before?.asset ?? null);
    if (!withinScope(principal.scope, asset)) {
      throw new Fault('api_not_found', 'never', bilingual('api-no-alarm', { id: target }));
    }
    if (before && ifMatch !== null) checkRevision(ifMatch, this.#revised(before));
    const actor = { name: principal.name, from };
    const { events, approval } = alarms.act(target, act, actor, this.#clock.wallMs());
    onEvents(events);
    const alarm = newest();
    // Whoever put it aside has seen it: nobody further is called.
    const isSeen = act.kind === 'shelve' || act.kind === 'remove';
    if (alarm && isSeen && !approval) notify.handled(alarm.occurrence, principal.name);
    return {
      waiting: approval && approvalObject(approval, alarms),
      alarm: alarm && alarmObject(alarm),
    };
  }

  /** Who decides must have the right that the act itself needs. */
  mayDecide(principal: Principal, { kind, document }: Approval): void {
    if (kind === 'shelve') checkAct(principal, 'shelve');
    if (kind === RULE_APPROVAL) mayControl(principal, bilingual('rule-approver'));
    if (kind === WARNING_APPROVAL) mayControl(principal, bilingual('warning-approver'));
    if (kind === COMMAND_APPROVAL) {
      const { right, target } = document as CommandApproval;
      mustHave(principal, { id: target, right });
    }
  }

  sees({ scope }: Principal, { watched }: Watch): boolean {
    return withinScope(scope, watched.row.asset);
  }

  seesDevice(principal: Principal, device: string): boolean {
    const watches = this.#sources.alarms.acts.watchOf(device, 'device');
    return principal.scope === '' || (watches !== null && this.sees(principal, watches));
  }

  mustSeeDevice(principal: Principal, device: string): void {
    const known = this.#sources.alarms.acts.watchOf(device, 'device');
    if (known && this.seesDevice(principal, device)) return;
    throw new Fault('api_not_found', 'never', bilingual('act-no-device', { device }));
  }

  // Who made the present revision is in the journal.
  #revised({ occurrence, revision, raisedReceivedMs }: Alarm) {
    const last = this.#sources.alarms.journal(0, 1_000, occurrence).at(-1);
    return { revision, by: last?.who ?? '', atMs: last?.atMs ?? raisedReceivedMs };
  }
}
