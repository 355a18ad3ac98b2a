// A drill as a file: which gateways raise which level when, how long it stays, and what is expected
// of the people and of the path. Nothing in it can make a real alarm: it names gateways and levels,
// and only the gateway's own drill points are set (core/point.ts).
import { z } from 'zod';
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import { readDocument } from '../../core/document.ts';
import { durationMs } from '../../core/duration.ts';
import type { Problems } from '../../core/problems.ts';
import { alarmLevelForm, bilingualForm, durationForm, idForm } from '../../core/schema.ts';
import type { Bilingual } from '../../core/text/text.ts';

/** A whole day's exercise; the report of each step is some 2 KB. */
export const STEPS_MAX = 200;
const AT_MAX_MS = 24 * 3_600_000;
/** After this a gateway ends it by itself (edge/self/driver.ts). */
const HOLD_MAX_MS = 30 * 60_000;
const HOLD_MIN_MS = 2_000;
const HOLD_DEFAULT = '60s';
const CONFIRM_DEFAULT = '90s';

export const stepForm = z.strictObject({
  gateway: idForm,
  level: alarmLevelForm,
  at: durationForm.optional().describe('after the beginning; default 0s'),
  hold: durationForm.optional().describe('how long it stays, 2s to 30m; default 60s'),
  told: z
    .array(idForm)
    .max(20)
    .optional()
    .describe('receivers or people each of whom must be told; none asked for by default'),
  confirmed_within: durationForm
    .optional()
    .describe('after the gateway saw it somebody must have it; default 90s'),
});

export const scenarioForm = z
  .strictObject({
    version: z.literal(1),
    drill: z.strictObject({
      title: bilingualForm,
      steps: z.array(stepForm).min(1).max(STEPS_MAX),
    }),
  })
  .describe('A drill: alarms that are marked, end to end');

export type ScenarioSource = z.output<typeof scenarioForm>;

export interface Step {
  readonly gateway: string;
  readonly level: AlarmLevel;
  readonly atMs: number;
  readonly holdMs: number;
  readonly told: readonly string[];
  readonly confirmWithinMs: number;
}

export interface Scenario {
  readonly title: Bilingual;
  readonly steps: readonly Step[];
}

/** Throws InvalidInput with everything that is wrong with the file. */
export function readScenario(text: string, file: string): ScenarioSource {
  const { value, problems } = readDocument(text, file, scenarioForm);
  if (value) scenarioOf(value, problems);
  problems.throwIfAny();
  return value!;
}

/** What the source says, checked where a form cannot; findings go into `problems`. */
export function scenarioOf({ drill }: ScenarioSource, problems: Problems): Scenario {
  const steps = drill.steps.map((step, at): Step => {
    const path = ['drill', 'steps', at];
    const atMs = durationMs(step.at ?? '0s');
    const holdMs = durationMs(step.hold ?? HOLD_DEFAULT);
    if (atMs > AT_MAX_MS) problems.add([...path, 'at'], 'drill-at', { found: step.at ?? '' });
    if (holdMs < HOLD_MIN_MS || holdMs > HOLD_MAX_MS) {
      problems.add([...path, 'hold'], 'drill-hold', { found: step.hold ?? '' });
    }
    const { gateway, level, told = [], confirmed_within: within = CONFIRM_DEFAULT } = step;
    return { gateway, level, atMs, holdMs, told, confirmWithinMs: durationMs(within) };
  });
  // One point a gateway and level: while it is up, it cannot rise.
  steps.forEach((step, at) => {
    const other = steps.findIndex((it, place) => place < at && isOverlapping(it, step));
    if (other < 0) return;
    const values = { gateway: step.gateway, level: step.level, other: other + 1 };
    problems.add(['drill', 'steps', at], 'drill-overlap', values);
  });
  return { title: drill.title, steps };
}

/** Between the end of one and the beginning of the next the gateway must have seen it down. */
const APART_MS = 5_000;

function isOverlapping(one: Step, other: Step): boolean {
  if (one.gateway !== other.gateway || one.level !== other.level) return false;
  const [first, second] = one.atMs <= other.atMs ? [one, other] : [other, one];
  return second.atMs < first.atMs + first.holdMs + APART_MS;
}
