import type { Random } from './random.ts';

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /**
   * Share of the delay that is random, 0..1: keeps a thousand gateways from coming back together.
   */
  readonly jitter: number;
}

/**
 * The delay before try `attempt` (1 is the first repeat): doubling, bounded, jittered downwards.
 */
export function backoffMs(random: Random, attempt: number, options: BackoffOptions): number {
  const fullMs = Math.min(options.maxMs, options.firstMs * 2 ** Math.min(30, attempt - 1));
  return fullMs * (1 - options.jitter * random.next());
}
