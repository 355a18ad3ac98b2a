// Whether a device is worth asking now. Pure: a state, an event, the next state.
//
//   up ── FAILURES_MAX failures in a row ──> degraded ── back-off over ──> probing
//   any ── an answer ──> up                      ^──────── no answer ─────────┘
//
// A degraded device costs its line one short request a back-off instead of a whole poll a period.
// Its points stay due, and read as bad with the reason of the last failure: silence is never
// mistaken for a steady value.
import { unreachable } from '../../core/fault.ts';

export type Health =
  | { readonly kind: 'up'; readonly failures: number }
  | { readonly kind: 'degraded'; readonly attempt: number; readonly probeAtMonoMs: number }
  | { readonly kind: 'probing'; readonly attempt: number };

export type HealthEvent =
  /** A poll or probe was answered, if only with an exception. */
  | { readonly kind: 'answered' }
  /** Nothing came back. `delayMs(attempt)` is how long to wait before probe number `attempt`. */
  | { readonly kind: 'failed'; readonly monoMs: number; delayMs(attempt: number): number }
  /** One of the device's groups is due. */
  | { readonly kind: 'due'; readonly monoMs: number }
  /** The link was opened anew: what was learnt on the old one says little. */
  | { readonly kind: 'reopened'; readonly monoMs: number };

/** A line may lose a frame or two to noise; three in a row is a device that is not there. */
export const FAILURES_MAX = 3;

export const healthy: Health = { kind: 'up', failures: 0 };

export function healthStep(state: Health, event: HealthEvent): Health {
  switch (event.kind) {
    case 'answered':
      return healthy;
    case 'failed':
      return failed(state, event);
    case 'due': {
      const probes = state.kind === 'degraded' && event.monoMs >= state.probeAtMonoMs;
      return probes ? { kind: 'probing', attempt: state.attempt } : state;
    }
    case 'reopened':
      if (state.kind === 'up') return healthy;
      return { kind: 'degraded', attempt: state.attempt, probeAtMonoMs: event.monoMs };
    default:
      return unreachable(event);
  }
}

function failed(state: Health, event: HealthEvent & { readonly kind: 'failed' }): Health {
  switch (state.kind) {
    case 'up': {
      if (state.failures + 1 < FAILURES_MAX) return { kind: 'up', failures: state.failures + 1 };
      return { kind: 'degraded', attempt: 1, probeAtMonoMs: event.monoMs + event.delayMs(1) };
    }
    case 'degraded':
      return state; // A poll that was under way when the third failure came.
    case 'probing': {
      const attempt = state.attempt + 1;
      return { kind: 'degraded', attempt, probeAtMonoMs: event.monoMs + event.delayMs(attempt) };
    }
    default:
      return unreachable(state);
  }
}
