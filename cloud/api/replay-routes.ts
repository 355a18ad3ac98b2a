// What if: a rule file against what is stored. One replay at a time, in slices; it changes nothing.
import type { z } from 'zod';
import type { KnownRules, RuleOfPoint } from '../../core/alarm/rule-file.ts';
import { readRuleFile } from '../../core/alarm/rule-file.ts';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { pointId } from '../../core/point.ts';
import { bilingual } from '../../core/text/text.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import type { Replayed, ReplayedAlarm, ReplayedRule, ReplayJob } from '../alarms/replay.ts';
import {
  REPLAY_RULES_MAX,
  REPLAY_SPAN_MAX_MS,
  REPLAYED_LISTED_MAX,
  replay,
} from '../alarms/replay.ts';
import type { RuleRow } from '../alarms/tables.ts';
import type { SeriesEntry } from '../inbox/decoded.ts';
import type { Principal } from '../registry/registry.ts';
import type { Span, Store } from '../store/store.ts';
import * as schemas from './replay-schemas.ts';
import type { Route } from './route.ts';
import { route } from './route.ts';
import { iso } from './routes.ts';
import { withinScope } from './stream.ts';

/** Alarms looked through for those that were raised: the newest; a page takes some 10 ms. */
const RAISED_SCAN_MAX = 100_000;
const RAISED_PAGE = 1_000;
const DAY_MS = 86_400_000;

export interface ReplaySources {
  readonly alarms: Pick<AlarmConsumer, 'list' | 'rules'>;
  readonly store: Pick<Store, 'history'>;
  readonly series: ReadonlyMap<number, SeriesEntry>;
}

export function replayRoutes(clock: Clock, sources: ReplaySources): Route[] {
  let isRunning = false;
  return [
    route({
      method: 'POST',
      url: '/v1/alarms/replay',
      right: 'operate',
      summary: 'Which alarms changed rules would have raised on stored data; changes nothing',
      problems: [503],
      body: schemas.replayBody,
      answer: schemas.replayAnswer,
      handle: async ({ body, principal }) => {
        if (isRunning) throw new Fault('replay_busy', 'later', bilingual('replay-one-at-a-time'));
        isRunning = true;
        try {
          return await run(clock, sources, body, principal);
        } finally {
          isRunning = false;
        }
      },
    }),
  ];
}

const nothing = { rules: [], left: [], steps: 0, unreadable: false };

async function run(
  clock: Clock,
  sources: ReplaySources,
  body: z.output<typeof schemas.replayBody>,
  { scope }: Principal,
) {
  const span = spanOf(body);
  const known = seen(sources, scope);
  const { rules, problems } = readRuleFile(body.rules, body.file, known);
  const { beyond, failed } = problems;
  const findings = problems.findings.map((finding) => ({ ...finding, path: [...finding.path] }));
  const when = { from: iso(span.fromMs), to: iso(span.toMs) };
  if (failed) return { findings, beyond, ...when, ...nothing };
  if (rules.length > REPLAY_RULES_MAX) {
    const values = { count: rules.length, max: REPLAY_RULES_MAX };
    throw new Fault('api_bad_request', 'never', bilingual('replay-rules-max', values));
  }
  const never = new AbortController().signal;
  const turn = () => clock.sleep(0, never);
  const result = await replay(sources.store, rules.map(known.jobOf), span, turn);
  const raised = await raisedIn(sources, span, turn);
  return {
    ...{ findings, beyond, ...when, steps: result.steps, unreadable: result.unreadable },
    rules: result.rules.map((each) => ruleObject(each, raised)),
    left: result.left.map(({ job, why }) => ({ point: job.key, rule: job.rule.id, why })),
  };
}

function spanOf({ from, to }: { readonly from: string; readonly to: string }): Span {
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)];
  if (fromMs < toMs && toMs - fromMs <= REPLAY_SPAN_MAX_MS) return { fromMs, toMs };
  const detail = bilingual('replay-span', { days: REPLAY_SPAN_MAX_MS / DAY_MS });
  throw new Fault('api_bad_request', 'never', detail);
}

/** The points in the scope, and the rules in force on them. */
function seen({ alarms, series }: ReplaySources, scope: string) {
  const entries = new Map<string, SeriesEntry>();
  for (const entry of series.values()) {
    const { device, point, asset } = entry.definition;
    if (withinScope(scope, asset)) entries.set(pointId(entry.gateway, device, point), entry);
  }
  const inForce = new Map<number, RuleRow[]>();
  for (const row of alarms.rules()) {
    if (row.retired) continue;
    const rows = inForce.get(row.series);
    if (rows) rows.push(row);
    else inForce.set(row.series, [row]);
  }
  const rowsOf = (key: string) => inForce.get(entries.get(key)?.series ?? 0) ?? [];
  const rules: KnownRules = {
    points: [...entries.values()].map(({ gateway, definition }) => ({ ...definition, gateway })),
    inForce: (key) => rowsOf(key).map(({ rule }) => rule),
  };
  const jobOf = ({ key, rule }: RuleOfPoint): ReplayJob => {
    const { series: number, definition } = entries.get(key)!;
    const present = rowsOf(key).find((row) => row.rule.id === rule.id)?.rule ?? null;
    return { series: number, key, periodMs: definition.periodMs, rule, present };
  };
  return { ...rules, jobOf };
}

/** By `point/rule`, of the newest alarms. */
async function raisedIn(
  { alarms }: ReplaySources,
  { fromMs, toMs }: Span,
  turn: () => Promise<void>,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  let before: number | undefined;
  for (let looked = 0; looked < RAISED_SCAN_MAX; looked += RAISED_PAGE) {
    const cursor = before === undefined ? {} : { before };
    const page = alarms.list({ state: 'all', limit: RAISED_PAGE, ...cursor });
    for (const { key, rule, raisedMs } of page) {
      if (raisedMs < fromMs || raisedMs >= toMs) continue;
      counts.set(`${key}/${rule}`, (counts.get(`${key}/${rule}`) ?? 0) + 1);
    }
    before = page.at(-1)?.number;
    if (page.length < RAISED_PAGE) break;
    await turn();
  }
  return counts;
}

function ruleObject(
  { job, changed, present, added, gone }: ReplayedRule,
  raised: ReadonlyMap<string, number>,
) {
  const { key, rule } = job;
  return {
    ...{ point: key, rule: rule.id, kind: rule.kind, level: rule.level },
    changed: replayedObject(changed),
    present: present && replayedObject(present),
    raised: raised.get(`${key}/${rule.id}`) ?? 0,
    ...{ added: listed(added), added_count: added.length },
    ...{ gone: listed(gone), gone_count: gone.length },
  };
}

function replayedObject({ count, share, alarms }: Replayed) {
  return { count, share, alarms: listed(alarms) };
}

function listed(alarms: readonly ReplayedAlarm[]) {
  return alarms.slice(0, REPLAYED_LISTED_MAX).map(({ beganMs, raisedMs, clearedMs, peak }) => ({
    ...{ began: iso(beganMs), raised: iso(raisedMs), peak },
    cleared: clearedMs === null ? null : iso(clearedMs),
  }));
}
