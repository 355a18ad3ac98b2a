// Drills over the API: starting one, and its report, which says of each step who was told when.
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { Problems } from '../../core/problems.ts';
import { bilingual } from '../../core/text/text.ts';
import type { AlarmEvent } from '../alarms/occurrences.ts';
import type { Drill, Drills, StepFacts } from '../drills/drills.ts';
import { DRILLS_LIST_MAX, stateOf } from '../drills/drills.ts';
import { scenarioForm, scenarioOf } from '../drills/scenario.ts';
import type { Principal } from '../registry/registry.ts';
import { deliveryObject } from './alarm-routes.ts';
import type { Route } from './route.ts';
import { route } from './route.ts';
import { iso } from './routes.ts';
import * as schemas from './schemas.ts';

const instant = z.iso.datetime({ offset: true }).describe('RFC 3339');
const optionalIso = (ms: number | null | undefined) =>
  ms === null || ms === undefined ? null : iso(ms);

const drillSummary = z.object({
  number: z.number().int(),
  title: z.object({ en: z.string(), zh: z.string() }),
  by: z.string(),
  why: z.string(),
  started: instant,
  ended: instant.nullable(),
  ended_by: z.string().nullable().describe('who ended it before its time'),
  steps: z.number().int(),
  as_expected: z.number().int().describe('steps that went as the scenario says, so far'),
});

const stepReport = z.object({
  gateway: z.string(),
  level: z.number().int(),
  at_ms: z.number().describe('after the beginning'),
  hold_ms: z.number(),
  asked: instant.nullable().describe('when its command was asked for'),
  refused: z.string().nullable().describe('the code of why it could not be asked for'),
  sent: instant.nullable().describe('when the command was first sent to the gateway'),
  outcome: z.string().nullable().describe('what the gateway said of the command'),
  answered: instant.nullable(),
  alarm: z.string().nullable(),
  began: instant.nullable().describe('the point rose, by the clock of the gateway'),
  received: instant.nullable().describe('the cloud had the record, and raised the alarm'),
  cleared: instant.nullable(),
  deliveries: z.array(schemas.delivery).describe('who was told, the first first'),
  confirmed: instant.nullable(),
  confirmed_by: z.string().nullable(),
  took_ms: z.number().nullable().describe('from the gateway’s seeing it to the confirmation'),
  confirm_within_ms: z.number(),
  untold: z.array(z.string()).readonly().describe('of those who had to be told, who was not'),
  as_expected: z.boolean(),
});

const drillReport = drillSummary.extend({ steps: z.array(stepReport) });

const starting = z.object({
  scenario: scenarioForm,
  why: z.string().trim().min(1).max(300).describe('for the record'),
});
const params = z.object({ number: z.coerce.number().int().min(1) });

export interface DrillSources {
  readonly drills: Drills;
  /** What was commanded is sent. */
  readonly onEvents: (events: readonly AlarmEvent[]) => void;
}

export function drillRoutes(clock: Clock, { drills, onEvents }: DrillSources): Route[] {
  const report = (drill: Drill) => {
    const facts = drills.facts(drill);
    return { ...summaryOf(drill, facts), steps: facts.map(stepObject) };
  };
  return [
    route({
      method: 'POST',
      url: '/v1/drills',
      right: 'operate',
      summary: 'Start a drill: marked alarms from the gateways’ own points to the people',
      problems: [409],
      body: starting,
      answer: drillReport,
      handle: ({ body: { scenario: source, why }, principal, from }) => {
        unscoped(principal);
        const problems = new Problems('scenario');
        const scenario = scenarioOf(source, problems);
        problems.throwIfAny();
        const drill = drills.start(scenario, why, principal, from, clock.wallMs());
        onEvents([]);
        return report(drill);
      },
    }),
    route({
      method: 'GET',
      url: '/v1/drills',
      right: 'read',
      summary: 'Drills, the newest first',
      query: z.object({ limit: z.coerce.number().int().min(1).max(DRILLS_LIST_MAX).default(50) }),
      answer: z.object({ items: z.array(drillSummary) }),
      handle: ({ query: { limit }, principal }) => {
        unscoped(principal);
        const found = drills.list(limit);
        return { items: found.map((drill) => summaryOf(drill, drills.facts(drill))) };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/drills/:number',
      right: 'read',
      summary: 'The report of a drill: each step’s times, and who confirmed',
      problems: [404],
      params,
      answer: drillReport,
      handle: ({ params: { number }, principal }) => {
        unscoped(principal);
        return report(drills.get(number));
      },
    }),
    route({
      method: 'POST',
      url: '/v1/drills/:number/end',
      right: 'operate',
      summary: 'End a drill before its time: what is up is taken back',
      problems: [404, 409],
      params,
      answer: drillReport,
      handle: ({ params: { number }, principal, from }) => {
        unscoped(principal);
        const drill = drills.end(number, { name: principal.name, from }, clock.wallMs());
        onEvents([]);
        return report(drill);
      },
    }),
  ];
}

// A drill goes over the gateways of a city.
function unscoped({ scope }: Principal): void {
  if (scope !== '') throw new Fault('api_forbidden', 'never', bilingual('api-drill-scope'));
}

function summaryOf(drill: Drill, facts: readonly StepFacts[]) {
  const { number, title, by, why, startedMs, endedMs, endedBy, steps } = drill;
  return {
    ...{ number, title, by, why, started: iso(startedMs), ended: optionalIso(endedMs) },
    ...{ ended_by: endedBy, steps: steps.length },
    as_expected: facts.filter((each) => stateOf(each).isAsExpected).length,
  };
}

function stepObject(facts: StepFacts) {
  const { step, command, alarm, deliveries } = facts;
  const { confirmedMs, confirmedBy, tookMs, untold, isAsExpected } = stateOf(facts);
  return {
    ...{ gateway: step.gateway, level: step.level, at_ms: step.atMs, hold_ms: step.holdMs },
    ...{ asked: optionalIso(step.beganMs), refused: step.refused },
    ...{ sent: optionalIso(command?.issued?.atMs), outcome: command?.settlement?.outcome ?? null },
    ...{ answered: optionalIso(command?.settlement?.atMs), alarm: alarm?.occurrence ?? null },
    ...{ began: optionalIso(alarm?.beganMs), received: optionalIso(alarm?.raisedReceivedMs) },
    ...{ cleared: optionalIso(alarm?.clearedMs), deliveries: deliveries.map(deliveryObject) },
    ...{ confirmed: optionalIso(confirmedMs), confirmed_by: confirmedBy, took_ms: tookMs },
    ...{ confirm_within_ms: step.confirmWithinMs, untold, as_expected: isAsExpected },
  };
}
