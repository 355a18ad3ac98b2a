// Rules with a memory: an example of each kind that can be checked by hand, a second writing of the
// windows as plain as can be, and what must hold of every kind however inputs are cut.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GOOD, qualityCode } from '../quality.ts';
import type { Evaluation, Input, Sample, Subject, Transition } from './evaluate.ts';
import { FRESH, rejudge, step } from './evaluate.ts';
import type {
  ComparisonRule,
  CusumRule,
  DeviationRule,
  DurationRule,
  FrozenRule,
  NightFlowRule,
  RateRule,
  Rule,
  StatisticRule,
} from './rule.ts';
import { describeSignal } from './signalled.ts';

const BAD = qualityCode('bad', 'timeout');
const HOUR_MS = 3_600_000;
const common = {
  id: 'r',
  level: 2,
  title: { en: 'x', zh: 'x' },
  action: null,
  onDelayMs: 0,
  offDelayMs: 0,
} as const;
const high = { side: 'high', limit: 10, deadband: 0 } as const;
const statistic = (changes: Partial<StatisticRule> = {}): StatisticRule => ({
  ...common,
  ...high,
  kind: 'statistic',
  statistic: 'mean',
  windowMs: 10_000,
  ...changes,
});
const rate = (changes: Partial<RateRule> = {}): RateRule => ({
  ...common,
  ...high,
  kind: 'rate',
  overMs: 3000,
  ...changes,
});
const duration = (changes: Partial<DurationRule> = {}): DurationRule => ({
  ...common,
  ...high,
  kind: 'duration',
  totalMs: 4000,
  windowMs: 20_000,
  ...changes,
});
const frozen = (changes: Partial<FrozenRule> = {}): FrozenRule => ({
  ...common,
  kind: 'frozen',
  band: 1,
  forMs: 5000,
  ...changes,
});
const cusum = (changes: Partial<CusumRule> = {}): CusumRule => ({
  ...common,
  ...high,
  limit: 3,
  kind: 'cusum',
  target: 10,
  slack: 0.5,
  everyMs: 1000,
  ...changes,
});
const night = (changes: Partial<NightFlowRule> = {}): NightFlowRule => ({
  ...common,
  ...high,
  kind: 'night-flow',
  fromMin: 120,
  untilMin: 240,
  utcOffsetMin: 480,
  ...changes,
});
const deviation = (changes: Partial<DeviationRule> = {}): DeviationRule => ({
  ...common,
  ...high,
  kind: 'deviation',
  baseline: Array.from({ length: 168 }, (_, hour) => hour),
  utcOffsetMin: 480,
  ...changes,
});
const comparison = (changes: Partial<ComparisonRule> = {}): ComparisonRule => ({
  ...common,
  ...high,
  kind: 'comparison',
  other: 'd/q',
  by: 'difference',
  ...changes,
});

type Value = number | null;
const subjectOf = (rule: Rule, periodMs = 1000): Subject => ({ key: 'gw/d/p', periodMs, rule });
function sample(monoMs: number, value: Value, atMs = monoMs, fromMonoMs = monoMs): Sample {
  const quality = value === null ? BAD : GOOD;
  return { kind: 'sample', epoch: '1-a', monoMs, atMs, fromMonoMs, value, quality };
}
const covered = (fromMonoMs: number, untilMonoMs: number, atMs = untilMonoMs): Input => ({
  kind: 'covered',
  epoch: '1-a',
  fromMonoMs,
  untilMonoMs,
  atMs,
});

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
const brief = (found: readonly Transition[]) =>
  found.map(({ kind, monoMs, value }) => [kind, monoMs, value]);

test('mean: 4 s of 20 after 6 s of 5 is 11 over ten seconds', () => {
  const inputs = [sample(0, 5), covered(0, 5000), sample(6000, 20), covered(6000, 12_000)];
  const { found, state } = run(subjectOf(statistic()), inputs);
  // Over [0, 9 s): (6 x 5 + 3 x 20) / 9 = 10: in alarm, at the limit.
  expect(brief(found)).toEqual([['begins', 9000, 10]]);
  // Over [2, 12 s): (4 x 5 + 6 x 20) / 10.
  expect(describeSignal(statistic(), state)).toBe(14);
});

test('max, min and root mean square of the same ten seconds', () => {
  const inputs = [sample(0, 3), covered(0, 4500), sample(5000, -4), covered(5000, 10_000)];
  const of = (which: StatisticRule['statistic']) => {
    const rule = statistic({ statistic: which, limit: 100 });
    return describeSignal(rule, run(subjectOf(rule), inputs).state);
  };
  expect([of('max'), of('min'), of('mean')]).toEqual([3, -4, -0.5]);
  expect(of('rms')).toBeCloseTo(Math.sqrt(12.5), 12); // (5 x 9 + 5 x 16) / 10.
});

test('a window of which less than half is known has no signal, and holds what it was', () => {
  const rule = statistic();
  const subject = subjectOf(rule);
  const { state, found } = run(subject, [sample(0, 12), covered(0, 4000)]);
  expect([describeSignal(rule, state), found]).toEqual([null, []]);
  const on = run(subject, [covered(4000, 5000)], state);
  expect(brief(on.found)).toEqual([['begins', 5000, 12]]);
  // Bad from 6 s: at 16 s nothing is known of ten seconds, and the alarm stays.
  const off = run(subject, [sample(6000, null), covered(6000, 30_000)], on.state);
  expect([describeSignal(rule, off.state), off.found]).toEqual([null, []]);
  const back = run(subject, [sample(30_500, 1), covered(30_500, 40_000)], off.state);
  expect(brief(back.found)).toEqual([['ends', 36_000, 1]]); // 5.5 s of 10 known.
});

test('rate: 12 bar in three seconds is a burst, a fall by as much is one for a low limit', () => {
  const inputs = [sample(0, 50), covered(0, 6000), sample(6500, 38), covered(6500, 12_000)];
  const falling = rate({ side: 'low', limit: -10 });
  expect(brief(run(subjectOf(falling), inputs).found)).toEqual([
    ['begins', 7000, -12],
    ['ends', 10_000, 0],
  ]);
  expect(run(subjectOf(rate()), inputs).found).toEqual([]);
});

test('duration: 4 s beyond in 20 s, at the very moment they are full, until the oldest leave', () => {
  const inputs = [
    sample(0, 5),
    sample(1000, 11),
    sample(3500, 5),
    sample(6200, 12),
    sample(9000, 5),
    covered(9000, 30_000),
  ];
  // 2.5 s until 3.5 s; the other 1.5 s are full at 7.7 s. Of 5.3 s in all 1.3 s must have left.
  const { found, state } = run(subjectOf(duration()), inputs);
  expect(brief(found)).toEqual([
    ['begins', 7700, 12],
    ['ends', 23_000, 5],
  ]);
  expect(describeSignal(duration(), state)).toBe(0);
});

test('duration counts on in the deadband, and not before the value was beyond', () => {
  const rule = duration({ deadband: 2 });
  const within = [sample(0, 9), covered(0, 10_000)];
  expect(run(subjectOf(rule), within).found).toEqual([]);
  const after = [sample(0, 11), sample(1000, 9), covered(1000, 10_000)];
  expect(brief(run(subjectOf(rule), after).found)).toEqual([['begins', 4000, 9]]);
});

test('frozen: a value within its band for five seconds; a young memory is not frozen', () => {
  const inputs = [
    sample(0, 5),
    sample(2000, 5.8),
    covered(2000, 6000),
    sample(8500, 9),
    covered(8500, 12_000),
    sample(13_000, 12),
  ];
  expect(brief(run(subjectOf(frozen()), inputs).found)).toEqual([
    ['begins', 5000, 5.8],
    ['ends', 9000, 9],
  ]);
});

test('CUSUM: a shift by one beyond the slack of a half is 3 after six steps', () => {
  const inputs = [sample(0, 10), sample(4000, 11), covered(4000, 20_000)];
  const { state, found } = run(subjectOf(cusum()), inputs);
  expect(brief(found)).toEqual([['begins', 10_000, 3]]);
  expect(describeSignal(cusum(), state)).toBe(6); // No higher than two limits.
  const back = run(subjectOf(cusum()), [sample(20_000, 9), covered(20_000, 40_000)], state);
  expect(brief(back.found)).toEqual([['ends', 23_000, 1.5]]); // 6 - 3 x 1.5 is clear of 3.
  const low = cusum({ side: 'low' });
  const sunk = [sample(0, 9), covered(0, 20_000)];
  expect(brief(run(subjectOf(low), sunk).found)).toEqual([['begins', 6000, 3]]);
});

const MONDAY_MS = Date.UTC(2026, 0, 4, 16); // Monday 2026-01-05 00:00 at UTC+8.
const atWall = (monoMs: number) => MONDAY_MS + monoMs;

test('night flow: the mean from two to four, known at four, kept until the next night', () => {
  const hour = (hours: number) => hours * HOUR_MS;
  const samples = [0, 2, 3, 4, 24, 26.5].map((hours, at) =>
    sample(hour(hours), [50, 8, 14, 90, 50, 6][at]!, atWall(hour(hours))),
  );
  const inputs = samples.flatMap((it, at) => {
    const until = samples[at + 1]?.monoMs ?? hour(30);
    return [it, covered(it.monoMs, until - 1000, atWall(until - 1000))];
  });
  // First night (8 + 14) / 2 = 11; second (0.5 x 50 + 1.5 x 6) / 2 = 17.
  const { found, state } = run(subjectOf(night()), inputs);
  expect(brief(found)).toEqual([['begins', hour(4), 11]]);
  expect(describeSignal(night(), state)).toBe(17);
});

test('deviation: the same value is usual at one hour and too much an hour before', () => {
  // Usual is the number of the hour: 12 is 10 or more beyond it until Monday 03:00.
  const inputs = [sample(0, 12, atWall(0)), covered(0, 5 * HOUR_MS, atWall(5 * HOUR_MS))];
  const { found, state } = run(subjectOf(deviation()), inputs);
  expect(brief(found)).toEqual([
    ['begins', 0, 12],
    ['ends', 3 * HOUR_MS, 9],
  ]);
  expect(describeSignal(deviation(), state)).toBe(7);
});

const other = (monoMs: number, value: Value, fromMonoMs = monoMs): Input => ({
  kind: 'other',
  epoch: '1-a',
  monoMs,
  atMs: monoMs,
  fromMonoMs,
  periodMs: 1000,
  value,
  usable: value !== null,
});

test('comparison: the newest of both, held while either is bad or not known', () => {
  const rule = comparison({ onDelayMs: 2000 });
  const inputs = [
    sample(0, 30),
    other(500, 25),
    sample(1000, 36),
    covered(1000, 9000), // The other is known up to 500 ms only.
    other(2000, 25, 500),
    other(2900, null, 500),
    other(4900, 25, 500),
    other(6000, 25, 500),
  ];
  const { state, found } = run(subjectOf(rule), inputs);
  // 11 since 1 s, 1.9 s until it is bad, and the last 0.1 s from 4.9 s on.
  expect(brief(found)).toEqual([['begins', 5000, 11]]);
  expect(describeSignal(rule, state)).toBe(11);
  const back = run(subjectOf(rule), [other(7000, 30, 6000)], state);
  expect(brief(back.found)).toEqual([['ends', 7000, 6]]);
  const ratio = comparison({ by: 'ratio', limit: 2 });
  const ratios = run(subjectOf(ratio), [sample(0, 10), other(100, 4), covered(0, 200)]);
  expect(brief(ratios.found)).toEqual([['begins', 100, 2.5]]);
  const none = run(subjectOf(ratio), [sample(0, 10), other(100, 0), covered(0, 200)]);
  expect(describeSignal(ratio, none.state)).toBe(null); // Nothing to divide by.
});

test('a comparison whose other point was not polled for a while begins its delay anew', () => {
  const rule = comparison({ onDelayMs: 5000 });
  const inputs = [sample(0, 40), other(0, 1), covered(0, 20_000), other(3000, 1, 0)];
  const { state, found } = run(subjectOf(rule), inputs);
  expect(found).toEqual([]);
  const after = run(subjectOf(rule), [other(10_000, 1), other(15_000, 1, 10_000)], state);
  expect(brief(after.found)).toEqual([['begins', 15_000, 39]]);
});

// ---- The windows written down a second time: slots of one second, all values kept.

type WindowRule = StatisticRule | RateRule | DurationRule | FrozenRule | CusumRule;

function signalsOf(rule: WindowRule, polls: readonly Value[]): (number | null)[] {
  const signals: (number | null)[] = [];
  let sum = 0;
  let counts = false;
  const beyond = polls.map((value) => {
    if (rule.kind !== 'duration' || value === null) return false;
    counts = counts ? value >= rule.limit - rule.deadband : value >= rule.limit;
    return counts;
  });
  for (let end = 1; end < polls.length; end++) {
    const last = polls[end - 1]!;
    if (rule.kind === 'cusum') {
      const now = polls[end - 1] ?? null;
      if (now !== null) sum = Math.min(6, Math.max(0, sum + now - rule.target - rule.slack));
      signals.push(now === null ? null : sum);
      continue;
    }
    const seconds =
      (rule.kind === 'rate' ? rule.overMs : rule.kind === 'frozen' ? rule.forMs : rule.windowMs) /
      1000;
    const from = Math.max(0, end - seconds);
    const known = polls.slice(from, end).filter((value) => value !== null);
    const isKnown = known.length * 2 >= seconds;
    if (rule.kind === 'rate') {
      const then = polls[end - seconds - 1];
      const is = then !== undefined && then !== null && last !== null;
      signals.push(is ? last - then : null);
    } else if (rule.kind === 'duration') {
      const ms = beyond.slice(from, end).filter(Boolean).length * 1000;
      signals.push(isKnown || ms >= rule.totalMs ? ms : null);
    } else if (!isKnown || (rule.kind === 'frozen' && end < seconds)) {
      signals.push(null);
    } else if (rule.kind === 'frozen') {
      signals.push(Math.max(...known) - Math.min(...known));
    } else {
      const total = known.reduce((all, value) => all + value, 0);
      const { statistic: which } = rule;
      if (which === 'max') signals.push(Math.max(...known));
      else if (which === 'min') signals.push(Math.min(...known));
      else signals.push(which === 'mean' ? total / known.length : null);
    }
  }
  return signals;
}

const seconds = (max: number) => fc.integer({ min: 1, max }).map((each) => each * 1000);
const windowRules = fc
  .tuple(seconds(12), seconds(6), seconds(5), seconds(5), fc.integer({ min: 6, max: 11 }))
  .chain(([windowMs, part, on, off, limit]) => {
    const delays = { onDelayMs: on - 1000, offDelayMs: off - 1000 };
    const totalMs = Math.min(part, windowMs);
    return fc.constantFrom<WindowRule>(
      statistic({ ...delays, windowMs, limit, deadband: 1 }),
      statistic({ ...delays, windowMs, limit, statistic: 'max' }),
      statistic({ ...delays, windowMs, limit, statistic: 'min', side: 'low' }),
      rate({ ...delays, overMs: windowMs, limit: 3, deadband: 1 }),
      duration({ ...delays, windowMs, totalMs, limit, deadband: 2 }),
      frozen({ ...delays, forMs: windowMs, band: 1 }),
      cusum({ ...delays, target: limit }),
    );
  });
// Five in six unchanged, so that series settle; one in a dozen bad.
const value = fc.option(fc.integer({ min: 6, max: 12 }), { freq: 11 });
const polls = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 12 }), value), { minLength: 1, maxLength: 16 })
  .map((runs) => runs.flatMap(([length, each]) => Array<Value>(length).fill(each)));

test('at every boundary the signal is what the plain window says', () => {
  fc.assert(
    fc.property(windowRules, polls, (rule, values) => {
      const subject = subjectOf(rule);
      let state = FRESH;
      const seen: (number | null)[] = [];
      values.forEach((each, at) => {
        state = step(subject, state, sample(at * 1000, each))[0];
        state = step(subject, state, covered(at * 1000, at * 1000))[0];
        if (at > 0) seen.push(describeSignal(rule, state));
      });
      const expected = signalsOf(rule, values);
      seen.forEach((signal, at) => {
        const plain = expected[at]!;
        if (plain === null || signal === null) expect(signal).toBe(plain);
        else expect(signal).toBeCloseTo(plain, 9);
      });
    }),
    { numRuns: 2000 },
  );
});

// ---- Any cut of the inputs.

interface Cuts {
  readonly periodMs: number;
  readonly cuts: ReadonlySet<number>;
  /** Polls whose unchanged value is sent again. */
  readonly repeats: ReadonlySet<number>;
  readonly wallOf: (monoMs: number) => number;
}

/** What the edge sends; undefined is a poll that was not made. */
function recordsOf(values: readonly (Value | undefined)[], cut: Cuts): Input[] {
  const { periodMs, cuts, repeats, wallOf } = cut;
  const inputs: Input[] = [];
  let reported: Value | undefined;
  let pending: Sample[] = [];
  let from: number | null = null;
  let until = 0;
  const seal = () => {
    if (from === null) return;
    for (const it of pending) inputs.push({ ...it, fromMonoMs: from });
    inputs.push(covered(from, until, wallOf(until)));
    pending = [];
    from = null;
  };
  values.forEach((each, at) => {
    if (each === undefined) {
      seal();
      return;
    }
    until = at * periodMs;
    from ??= until;
    if (each !== reported || repeats.has(at)) pending.push(sample(until, each, wallOf(until)));
    reported = each;
    if (cuts.has(at)) seal();
  });
  seal();
  return inputs;
}

const places = fc
  .uniqueArray(fc.integer({ min: 0, max: 190 }), { maxLength: 60 })
  .map((all) => new Set(all));
const withGaps = fc
  .tuple(
    polls,
    fc.array(fc.tuple(fc.nat({ max: 190 }), fc.integer({ min: 1, max: 6 })), { maxLength: 2 }),
  )
  .map(([values, gaps]) =>
    values.map((each, at) =>
      gaps.some(([from, length]) => at >= from && at < from + length) ? undefined : each,
    ),
  );
const offDelays = fc.integer({ min: 0, max: 4 });
const localRules = fc
  .tuple(offDelays, fc.integer({ min: 0, max: 1380 }), fc.integer({ min: 10, max: 400 }))
  .chain(([hours, fromMin, length]) =>
    fc.constantFrom<Rule>(
      night({ fromMin, untilMin: fromMin + length, limit: 9, offDelayMs: hours * HOUR_MS }),
      deviation({
        baseline: Array.from({ length: 168 }, (_, at) => (at * 7) % 5),
        limit: 7,
        onDelayMs: hours * 600_000,
      }),
    ),
  );

test('any cut, repetition and restart gives the same intervals under the same names: windows', () => {
  fc.assert(
    fc.property(windowRules, withGaps, places, places, (rule, values, cuts, repeats) => {
      const plain = { periodMs: 1000, wallOf: atWall, repeats: new Set<number>() };
      const one = run(subjectOf(rule), recordsOf(values, { ...plain, cuts: new Set() }));
      const other = run(subjectOf(rule), recordsOf(values, { ...plain, cuts, repeats }));
      expect(other.found).toEqual(one.found);
    }),
    { numRuns: 2000 },
  );
});

test('any cut, repetition and restart gives the same intervals under the same names: by the hour', () => {
  fc.assert(
    fc.property(localRules, withGaps, places, places, (rule, values, cuts, repeats) => {
      const subject = subjectOf(rule, 600_000);
      const plain = { periodMs: 600_000, wallOf: atWall, repeats: new Set<number>() };
      const one = run(subject, recordsOf(values, { ...plain, cuts: new Set() }));
      const other = run(subject, recordsOf(values, { ...plain, cuts, repeats }));
      expect(other.found).toEqual(one.found);
    }),
    { numRuns: 1000 },
  );
});

test('a wall clock that steps changes no interval of a window', () => {
  const steps = fc.array(fc.integer({ min: -1e7, max: 1e7 }), { minLength: 200, maxLength: 200 });
  fc.assert(
    fc.property(windowRules, withGaps, places, steps, (rule, values, cuts, by) => {
      const wallOf = (monoMs: number) => atWall(monoMs) + by[monoMs / 1000]!;
      const cut = { periodMs: 1000, cuts, repeats: new Set<number>() };
      const steady = run(subjectOf(rule), recordsOf(values, { ...cut, wallOf: atWall }));
      const stepping = run(subjectOf(rule), recordsOf(values, { ...cut, wallOf }));
      expect(brief(stepping.found)).toEqual(brief(steady.found));
    }),
    { numRuns: 500 },
  );
});

test('beginnings and ends alternate in order of time, for every kind', () => {
  fc.assert(
    fc.property(fc.oneof(windowRules, localRules), withGaps, places, (rule, values, cuts) => {
      const periodMs = rule.kind === 'night-flow' || rule.kind === 'deviation' ? 600_000 : 1000;
      const cut = { periodMs, cuts, repeats: new Set<number>(), wallOf: atWall };
      const { found } = run(subjectOf(rule, periodMs), recordsOf(values, cut));
      found.forEach(({ kind, occurrence, monoMs }, at) => {
        expect(kind).toBe(at % 2 === 0 ? 'begins' : 'ends');
        const before = found[at - 1];
        if (!before) return;
        expect(monoMs).toBeGreaterThanOrEqual(before.monoMs);
        expect(occurrence === before.occurrence).toBe(kind === 'ends');
      });
    }),
    { numRuns: 1000 },
  );
});

test('a night is counted once, whichever way the wall clock steps at its borders', () => {
  const rule = night({ limit: 0 }); // In alarm with the first night; every mean shows in the signal.
  const minutes = (count: number) => count * 60_000;
  const nights = (stepAtMin: number, byMin: number) => {
    let state = FRESH;
    const means: number[] = [];
    for (let at = 0; at <= 32 * 60; at += 5) {
      const wall = atWall(minutes(at + (at >= stepAtMin ? byMin : 0)));
      const input = sample(minutes(at), at < 12 * 60 ? 10 : 20, wall, minutes(Math.max(0, at - 5)));
      state = step(subjectOf(rule, minutes(5)), state, input)[0];
      const signal = describeSignal(rule, state);
      if (signal !== null && signal !== means.at(-1)) means.push(signal);
    }
    return means;
  };
  for (const stepAtMin of [115, 120, 125, 180, 235, 240, 245, 300]) {
    for (const byMin of [-60, -15, -5, 5, 15, 60]) {
      expect([stepAtMin, byMin, nights(stepAtMin, byMin)]).toEqual([stepAtMin, byMin, [10, 20]]);
    }
  }
  // A clock that was years ahead and comes right does not wait for years.
  expect(nights(600, -60 * 24 * 3000)).toEqual([10, 20]);
});

test('a hole and a new epoch begin a memory anew, and hold an alarm', () => {
  const rule = statistic();
  const start = run(subjectOf(rule), [sample(0, 20), covered(0, 8000)]);
  expect(brief(start.found)).toEqual([['begins', 5000, 20]]);
  const after = run(subjectOf(rule), [sample(20_000, 2), covered(20_000, 24_000)], start.state);
  expect([after.found, describeSignal(rule, after.state)]).toEqual([[], null]);
  const known = run(subjectOf(rule), [covered(24_000, 25_000)], after.state);
  expect(brief(known.found)).toEqual([['ends', 25_000, 2]]);
  const reborn = { ...sample(100, 2), epoch: '2-b' };
  const next = run(subjectOf(rule), [reborn], start.state);
  expect(next.found).toEqual([]);
  expect(next.state.verdict).toMatchObject({ phase: 'active', memory: { epoch: '2-b' } });
});

test('a changed limit judges the window that is there; a changed window begins anew', () => {
  const rule = statistic({ limit: 30 });
  const { state } = run(subjectOf(rule), [sample(0, 20), covered(0, 8000)]);
  const [lower, began] = rejudge(subjectOf(statistic({ limit: 15 })), state, 8000);
  expect(brief(began)).toEqual([['begins', 8000, 20]]);
  const wider = statistic({ limit: 15, windowMs: 20_000 });
  const [anew, none] = rejudge(subjectOf(wider), lower, 8000);
  expect([none, describeSignal(wider, anew), anew.verdict.phase]).toEqual([[], null, 'active']);
  expect(rejudge(subjectOf(rule), FRESH, 0)).toEqual([FRESH, []]);
});

test('a state from before memories were kept goes on', () => {
  const rule = statistic();
  const { state } = run(subjectOf(rule), [sample(0, 20), covered(0, 8000)]);
  const { memory: _, ...verdict } = state.verdict;
  const old = run(subjectOf(rule), [covered(8000, 20_000)], { ...state, verdict });
  expect(old.found).toEqual([]);
  expect(describeSignal(rule, old.state)).toBe(20);
});

test('a memory has a bound: the longest window in the finest slots is below 4 KB', () => {
  const inputs = Array.from({ length: 400 }, (_, at) => sample(at * 1000, Math.sqrt(at) * 1e7));
  for (const rule of [statistic({ windowMs: 90_000 }), frozen({ forMs: 90_000 })]) {
    const { state } = run(subjectOf(rule), inputs);
    expect(JSON.stringify(state.verdict.memory).length).toBeLessThan(4096);
  }
});

test('a steady series settles: coverage changes nothing, so that nothing is written', () => {
  for (const rule of [statistic(), rate(), duration(), frozen(), cusum()]) {
    const { state } = run(subjectOf(rule), [sample(0, 5), covered(0, 60_000)]);
    const [after] = step(subjectOf(rule), state, covered(60_000, 70_000));
    expect([rule.kind, after.verdict === state.verdict]).toEqual([rule.kind, true]);
  }
});
