// Cases are folders of files: a rule, what comes in, and what must come out. A case that differs
// only in data is a new folder, nothing else. Columns of readings.csv: `from` since when polled
// without a break, `until` the time of a sample or the end of coverage, `wall` its label where it
// is not the same.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { GOOD, qualityCode } from '../quality.ts';
import { occurrenceName } from './digest.ts';
import type { Evaluation, Input, Subject, Transition } from './evaluate.ts';
import { FRESH, isStill, NO_VERDICT, rejudge, step } from './evaluate.ts';
import type { LimitRule, NoDataRule, Rule, StateRule } from './rule.ts';

const folder = join(import.meta.dirname, 'cases');
const rowsOf = (name: string, file: string) =>
  readFileSync(join(folder, name, file), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','));

const BAD = qualityCode('bad', 'timeout');
const NOT_IN_SERVICE = qualityCode('bad', 'not_in_service');

function inputOf([kind, epoch, from, until, value, wall]: readonly string[]): Input {
  const atMs = Number(wall || until);
  const times = { epoch: epoch!, fromMonoMs: Number(from), atMs };
  if (kind === 'sample') {
    const quality = value === 'bad' ? BAD : value === 'out' ? NOT_IN_SERVICE : GOOD;
    const number = /^(bad|out|text)$/.test(value!) ? null : Number(value);
    return { kind, ...times, monoMs: Number(until), value: number, quality };
  }
  if (kind === 'covered') return { kind, ...times, untilMonoMs: Number(until) };
  if (kind !== 'passed') throw new Error(`no input ${kind}`);
  return { kind, epoch: epoch!, sinceMonoMs: Number(from), untilMonoMs: Number(until), atMs };
}

function run(subject: Subject, inputs: readonly Input[], start: Evaluation = FRESH) {
  let state = start;
  const found: Transition[] = [];
  for (const input of inputs) {
    const [after, transitions] = step(subject, state, input);
    state = JSON.parse(JSON.stringify(after)) as Evaluation; // A restart between any two inputs.
    expect(state).toEqual(after);
    found.push(...transitions);
  }
  return { state, found };
}

for (const name of readdirSync(folder)) {
  test(`case ${name}`, () => {
    const { periodMs, ...rule } = parse(readFileSync(join(folder, name, 'rule.yaml'), 'utf8')) as {
      periodMs: number;
    } & Rule;
    const subject: Subject = { key: 'gw/device/point', periodMs, rule };
    const { found } = run(subject, rowsOf(name, 'readings.csv').map(inputOf));
    const lines = found.map(({ kind, monoMs, atMs, value, first }) =>
      [kind, monoMs, atMs, value ?? '', first.monoMs].join(','),
    );
    expect(lines).toEqual(rowsOf(name, 'events.csv').map((row) => row.join(',')));
    for (const { occurrence, first } of found) {
      expect(occurrence).toBe(occurrenceName(subject.key, rule.id, first.epoch, first.monoMs));
    }
  });
}

const common = { level: 2, title: { en: 'x', zh: 'x' }, action: null } as const;
const limitRule = (onDelayMs: number, offDelayMs: number): LimitRule => ({
  ...common,
  id: 'high',
  kind: 'limit',
  side: 'high',
  limit: 10,
  deadband: 2,
  onDelayMs,
  offDelayMs,
});
const noDataRule = (silentMs: number): NoDataRule => ({
  ...common,
  id: 'no-data',
  kind: 'no-data',
  silentMs,
  onDelayMs: 0,
  offDelayMs: 0,
});
const stateRule = (onDelayMs: number, offDelayMs: number): StateRule => ({
  ...common,
  id: 'not-in-service',
  kind: 'state',
  states: [7, 10],
  onDelayMs,
  offDelayMs,
});
const ruleArbitrary = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 8 }))
    .chain(([on, off]) =>
      fc.constantFrom<Rule>(limitRule(on * 1000, off * 1000), stateRule(on * 1000, off * 1000)),
    ),
  fc.integer({ min: 1, max: 8 }).map((seconds) => noDataRule(seconds * 1000)),
);

// One poll a second, each answered by a value, a bad reading (null), or not at all (undefined).
const pollsArbitrary = fc.array(
  fc.option(fc.option(fc.integer({ min: 6, max: 12 }), { freq: 6 }), { nil: undefined, freq: 12 }),
  { minLength: 1, maxLength: 60 },
);
type Polls = readonly (number | null | undefined)[];

/** What the edge sends: records cut at `cuts`, values that did not change left out. */
function recordsOf(polls: Polls, cuts: ReadonlySet<number>): Input[] {
  const inputs: Input[] = [];
  let reported: number | null | undefined;
  let pending: Input[] = [];
  let fromMonoMs: number | null = null;
  let untilMonoMs = 0;
  const seal = () => {
    if (fromMonoMs === null) return;
    const from = fromMonoMs;
    inputs.push(...pending.map((input) => ({ ...input, fromMonoMs: from })));
    inputs.push({
      kind: 'covered',
      epoch: '1-a',
      fromMonoMs: from,
      untilMonoMs,
      atMs: untilMonoMs,
    });
    pending = [];
    fromMonoMs = null;
  };
  polls.forEach((value, at) => {
    const monoMs = at * 1000;
    if (value === undefined) {
      seal(); // A break in polling is a break in the coverage.
      return;
    }
    fromMonoMs ??= monoMs;
    untilMonoMs = monoMs;
    if (value !== reported) {
      const quality = value === null ? BAD : GOOD;
      const times = { epoch: '1-a', monoMs, atMs: monoMs, fromMonoMs: monoMs };
      pending.push({ kind: 'sample', ...times, value, quality });
      reported = value;
    }
    if (cuts.has(at)) seal();
  });
  seal();
  return inputs;
}

test('any batching gives the same intervals under the same names', () => {
  fc.assert(
    fc.property(
      ruleArbitrary,
      pollsArbitrary,
      fc.uniqueArray(fc.integer({ min: 0, max: 60 })),
      (rule, polls, cuts) => {
        const subject: Subject = { key: 'gw/device/point', periodMs: 1000, rule };
        const one = run(subject, recordsOf(polls, new Set())).found;
        const other = run(subject, recordsOf(polls, new Set(cuts))).found;
        expect(other).toEqual(one);
      },
    ),
    { numRuns: 1000 },
  );
});

test('beginnings and ends alternate, each pair under one name, in order of time', () => {
  fc.assert(
    fc.property(ruleArbitrary, pollsArbitrary, (rule, polls) => {
      const subject: Subject = { key: 'gw/device/point', periodMs: 1000, rule };
      const { found } = run(subject, recordsOf(polls, new Set()));
      found.forEach(({ kind, occurrence, monoMs }, at) => {
        expect(kind).toBe(at % 2 === 0 ? 'begins' : 'ends');
        const before = found[at - 1];
        if (!before) return;
        expect(monoMs).toBeGreaterThanOrEqual(before.monoMs);
        expect(occurrence === before.occurrence).toBe(kind === 'ends');
      });
    }),
  );
});

// Written down a second time as simply as can be: every poll in turn, nothing left out, no holes.
function plainly(rule: LimitRule, polls: readonly number[]) {
  const found: [string, number][] = [];
  let active = false;
  let sinceMs: number | null = null;
  polls.forEach((value, at) => {
    const monoMs = at * 1000;
    const delayMs = active ? rule.offDelayMs : rule.onDelayMs;
    // The delay may have ended between the last poll and this one.
    if (sinceMs !== null && sinceMs + delayMs < monoMs) {
      found.push([active ? 'ends' : 'begins', sinceMs + delayMs]);
      active = !active;
      sinceMs = null;
    }
    const turns = active ? value < rule.limit - rule.deadband : value >= rule.limit;
    if (!turns) sinceMs = null;
    else sinceMs ??= monoMs;
    const nowMs = active ? rule.offDelayMs : rule.onDelayMs;
    if (sinceMs !== null && sinceMs + nowMs <= monoMs) {
      found.push([active ? 'ends' : 'begins', sinceMs + nowMs]);
      active = !active;
      sinceMs = null;
    }
  });
  return found;
}

test('the kernel finds what a plain poll by poll reading finds', () => {
  const delays = fc.tuple(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 8 }));
  const values = fc.array(fc.integer({ min: 6, max: 12 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(delays, values, ([on, off], polls) => {
      const rule = limitRule(on * 1000, off * 1000);
      const subject: Subject = { key: 'gw/device/point', periodMs: 1000, rule };
      const { found } = run(subject, recordsOf(polls, new Set([5, 20])));
      expect(found.map(({ kind, monoMs }) => [kind, monoMs])).toEqual(plainly(rule, polls));
    }),
  );
});

test('the shortcut for still series never hides a transition or a new state', () => {
  const values = fc.option(fc.integer({ min: 6, max: 12 }));
  fc.assert(
    fc.property(ruleArbitrary, pollsArbitrary, values, (rule, polls, value) => {
      const subject: Subject = { key: 'gw/device/point', periodMs: 1000, rule };
      const { state } = run(subject, recordsOf(polls, new Set()));
      const monoMs = state.track.markMonoMs + 1000;
      const usable = value !== null;
      if (!isStill(rule, state.verdict.phase, value ?? Number.NaN, usable)) return;
      const times = { epoch: '1-a', monoMs, atMs: monoMs, fromMonoMs: monoMs };
      const sample = { kind: 'sample', ...times, value, quality: usable ? GOOD : BAD } as const;
      const [after, transitions] = step(subject, state, sample);
      expect(transitions).toEqual([]);
      expect(after.verdict).toEqual(state.verdict);
    }),
  );
});

test('a changed rule is judged with the newest value at once', () => {
  const subject: Subject = { key: 'gw/device/point', periodMs: 1000, rule: limitRule(0, 0) };
  const sample = { kind: 'sample', epoch: '1-a', monoMs: 5, atMs: 5, fromMonoMs: 5 } as const;
  const { state } = run(subject, [{ ...sample, value: 9, quality: GOOD }]);
  const lower: Subject = { ...subject, rule: { ...limitRule(0, 0), limit: 8 } };
  const [active, began] = rejudge(lower, state, 5);
  expect(began.map(({ kind }) => kind)).toEqual(['begins']);
  const [back, ended] = rejudge({ ...subject, rule: { ...limitRule(0, 0), limit: 20 } }, active, 5);
  expect(ended.map(({ kind }) => kind)).toEqual(['ends']);
  expect(back.verdict).toEqual(NO_VERDICT);
  expect(rejudge(subject, FRESH, 0)).toEqual([FRESH, []]);
});
