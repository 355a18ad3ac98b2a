// How far a device is trusted with its line's time. Pure: a state, an event, the next state.
//
//   up ── FAILURES_MAX failures in a row ──────────> degraded ── back-off over ──> probing
//   up ── STRIKES_MAX polls far beyond their time ─> behind      ^── no answer ───────┘ │
//   behind ── no answer ────────────────────────────────────────┘                       │
//   behind ── enough good polls ──> up               behind <───────────────── an answer ┘
//
// - A degraded device costs its line one short request a back-off instead of a whole poll a period.
//   Its points stay due, and read as bad with the reason of the last failure: silence is never
//   mistaken for a steady value.
// - A device behind is asked whole, but only where its line has time to spare: after an outage
// until
//   it has proved itself, and one that takes more than its time until it keeps to it.
// - Strikes fade with good polls, so a frame lost to noise now and then costs nothing, while a
//   device that answers every other time does not get away with never failing three times in a row.
// - A device that was behind is up on trust for RELAPSE_FORGET_MS: one failure or strike, and it is
//   behind again, and needs twice as many good polls as the time before.
import { unreachable } from '../../core/fault.ts';

export type Health =
  | {
      readonly kind: 'up';
      readonly failures: number;
      readonly strikes: number;
      readonly relapses: number;
      readonly sinceMonoMs: number;
    }
  | {
      readonly kind: 'behind';
      /** Not yet proved after an outage, or over its budget of line time. */
      readonly why: 'proving' | 'over';
      readonly good: number;
      readonly failures: number;
      readonly attempt: number;
      readonly relapses: number;
    }
  | {
      readonly kind: 'degraded';
      readonly attempt: number;
      readonly probeAtMonoMs: number;
      readonly relapses: number;
    }
  | { readonly kind: 'probing'; readonly attempt: number; readonly relapses: number };

export type HealthEvent =
  /** A poll or probe was answered, if only with an exception. */
  | {
      readonly kind: 'answered';
      readonly monoMs: number;
      /** It took more of the line than the device has, by so much that others feel it. */
      readonly isOver: boolean;
    }
  /** Nothing came back. `delayMs(attempt)` is how long to wait before probe number `attempt`. */
  | {
      readonly kind: 'failed';
      readonly monoMs: number;
      readonly isOver: boolean;
      delayMs(attempt: number): number;
    }
  /** One of the device's groups is due. */
  | { readonly kind: 'due'; readonly monoMs: number }
  /** The link was opened anew: what was learnt on the old one says little. */
  | { readonly kind: 'reopened'; readonly monoMs: number };

/** A line may lose a frame or two to noise; three in a row is a device that is not there. */
export const FAILURES_MAX = 3;
/** As many polls beyond their time as failures in a row. */
export const STRIKES_MAX = 3;
/** What a poll within its time takes off: one failure in eleven polls is forgiven for ever. */
export const STRIKE_FADES = 0.1;
/** Good polls in a row until a device behind is trusted again; doubled for each relapse. */
export const PROOF = 3;
/** So at most 48 good polls: even at one a minute less than an hour. */
export const RELAPSES_MAX = 4;
/** Up for so long, and earlier relapses are forgotten. */
export const RELAPSE_FORGET_MS = 600_000;

export const healthy: Health = {
  kind: 'up',
  failures: 0,
  strikes: 0,
  relapses: 0,
  sinceMonoMs: Number.NEGATIVE_INFINITY,
};

export function proofNeeded(relapses: number): number {
  return PROOF * 2 ** Math.min(RELAPSES_MAX, relapses);
}

export function healthStep(state: Health, event: HealthEvent): Health {
  switch (event.kind) {
    case 'answered':
      return answered(state, event);
    case 'failed':
      return failed(state, event);
    case 'due': {
      if (state.kind !== 'degraded' || event.monoMs < state.probeAtMonoMs) return state;
      return { kind: 'probing', attempt: state.attempt, relapses: state.relapses };
    }
    case 'reopened': {
      if (state.kind === 'up') return { ...state, failures: 0 };
      if (state.kind === 'behind') return state;
      const { attempt, relapses } = state;
      return { kind: 'degraded', attempt, relapses, probeAtMonoMs: event.monoMs };
    }
    default:
      return unreachable(event);
  }
}

function answered(
  state: Health,
  { monoMs, isOver }: HealthEvent & { readonly kind: 'answered' },
): Health {
  switch (state.kind) {
    case 'up': {
      const isForgotten = monoMs - state.sinceMonoMs >= RELAPSE_FORGET_MS;
      const relapses = isForgotten ? 0 : state.relapses;
      const strikes = isOver ? state.strikes + 1 : Math.max(0, state.strikes - STRIKE_FADES);
      if (strikes >= (relapses > 0 ? 1 : STRIKES_MAX)) return behind('over', relapses);
      return { ...state, failures: 0, strikes, relapses };
    }
    case 'behind': {
      if (isOver) return { ...state, why: 'over', good: 0, failures: 0 };
      const good = state.good + 1;
      if (good < proofNeeded(state.relapses)) return { ...state, good, failures: 0 };
      const relapses = Math.min(RELAPSES_MAX, state.relapses + 1);
      return { kind: 'up', failures: 0, strikes: 0, relapses, sinceMonoMs: monoMs };
    }
    case 'degraded': // By a poll that was under way when the third failure came.
    case 'probing': {
      const { attempt, relapses } = state;
      // The next failure ends its time of proof.
      const failures = FAILURES_MAX - 1;
      return { kind: 'behind', why: 'proving', good: 0, failures, attempt, relapses };
    }
    default:
      return unreachable(state);
  }
}

function failed(state: Health, event: HealthEvent & { readonly kind: 'failed' }): Health {
  const degraded = (attempt: number, relapses: number): Health => ({
    kind: 'degraded',
    attempt,
    relapses,
    probeAtMonoMs: event.monoMs + event.delayMs(attempt),
  });
  switch (state.kind) {
    case 'up': {
      const failures = state.failures + 1;
      if (failures >= FAILURES_MAX) return degraded(1, state.relapses);
      const strikes = event.isOver ? state.strikes + 1 : state.strikes;
      if (strikes >= STRIKES_MAX) return behind('over', state.relapses);
      if (state.relapses > 0) return behind('proving', state.relapses);
      return { ...state, failures, strikes };
    }
    case 'behind': {
      const failures = state.failures + 1;
      if (failures < FAILURES_MAX) return { ...state, failures, good: 0 };
      return degraded(state.attempt + 1, state.relapses);
    }
    case 'degraded':
      return state; // A poll that was under way when the third failure came.
    case 'probing':
      return degraded(state.attempt + 1, state.relapses);
    default:
      return unreachable(state);
  }
}

function behind(why: 'proving' | 'over', relapses: number): Health {
  return { kind: 'behind', why, good: 0, failures: why === 'over' ? 0 : 1, attempt: 0, relapses };
}
